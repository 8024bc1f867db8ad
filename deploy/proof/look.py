"""Write down all that the bundled models see in a folder's pictures: look.py FOLDER OUT.npz."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from lightcam_edge import Localizer
from lightcam_edge.geometry import fit_pixels

MODELS = ("lite", "tiny", "nano", "light-cam")


def look(localizer: Localizer, path: Path) -> dict[str, Any]:
    photo = localizer.open(path)
    fit, outputs = localizer.infer(photo)
    found = localizer.conclude(fit, outputs)
    corners = [(one.box.x0, one.box.y0, one.box.x1, one.box.y1) for one in found.detections]
    return {
        "pixels": fit_pixels(photo.pixels, fit),
        "features": outputs.features,
        "scores": outputs.scores,
        "found_scores": found.scores,
        "cam": found.cam,
        "box": np.array(corners[0] if corners else [np.nan] * 4),
        "image_hw": np.array(fit.image_hw),
        "label": np.array(found.label),
    }


def main() -> None:
    folder, out = map(Path, sys.argv[1:])
    seen: dict[str, Any] = {}
    for model in MODELS:
        localizer = Localizer(model, threads=1)
        for path in sorted(folder.iterdir()):
            seen |= {f"{model}/{path.name}/{what}": value for what, value in look(localizer, path).items()}
    np.savez(out, **seen)
    print(json.dumps({"models": MODELS, "pictures": len(list(folder.iterdir()))}))


if __name__ == "__main__":
    main()
