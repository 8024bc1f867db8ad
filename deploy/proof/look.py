"""Write down what the bundled models see in a folder's pictures: look.py FOLDER OUT.npz."""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from lightcam_edge import Localizer
from lightcam_edge.geometry import Fit, fit_pixels

MODELS = ("lite", "tiny", "nano", "light-cam")


def look(localizer: Localizer, path: Path) -> dict[str, Any]:
    photo = localizer.open(path)
    fit = Fit(photo.image_hw, localizer.input_hw, localizer.card.input.resize)
    pixels = fit_pixels(photo.pixels, fit)
    outputs = localizer.interpreter.invoke(pixels)
    found = localizer.conclude(fit, outputs)
    boxes = [(each.box.x0, each.box.y0, each.box.x1, each.box.y1) for each in found.detections]
    return {
        "image_hw": np.array(fit.image_hw),
        "pixels": pixels,
        "features": outputs.features,
        "network's scores": outputs.scores,
        "label": np.array(found.label),
        "scores": found.scores,
        "box": np.array(boxes[0] if boxes else [np.nan] * 4),
    }


def main() -> None:
    folder, out = map(Path, sys.argv[1:3])
    seen: dict[str, Any] = {}
    for model in MODELS:
        localizer = Localizer(model, threads=1)
        for path in sorted(folder.iterdir()):
            seen |= {f"{model}/{path.name}/{what}": value for what, value in look(localizer, path).items()}
    np.savez(out, **seen)
    print(f"{len(list(folder.iterdir()))} pictures, {len(MODELS)} models")


if __name__ == "__main__":
    main()
