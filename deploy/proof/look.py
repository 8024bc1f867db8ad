"""Write down what the bundled models see in a folder's pictures: look.py FOLDER OUT.npz [REFERENCE.npz].

Once from the files, and once from the input pixels that the reference had, since OpenCV's resampling rounds
otherwise on another processor.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lightcam_edge import Localizer
from lightcam_edge.geometry import Fit, fit_pixels
from lightcam_edge.localizer import Localization

UInt8 = npt.NDArray[np.uint8]

MODELS = ("lite", "tiny", "nano", "light-cam")


def look(localizer: Localizer, path: Path, pixels: UInt8 | None) -> dict[str, Any]:
    photo = localizer.open(path)
    fit = Fit(photo.image_hw, localizer.input_hw, localizer.card.input.resize)
    own = fit_pixels(photo.pixels, fit)
    by_file = localizer.conclude(fit, localizer.interpreter.invoke(own))
    outputs = localizer.interpreter.invoke(own if pixels is None else pixels)
    by_pixels = localizer.conclude(fit, outputs)
    return {
        "image_hw": np.array(fit.image_hw),
        "pixels": own,
        "features": outputs.features,
        "scores": outputs.scores,
        "cam": by_pixels.cam,
        **found("pixels", by_pixels),
        **found("file", by_file),
    }


def found(by: str, one: Localization) -> dict[str, Any]:
    boxes = [(each.box.x0, each.box.y0, each.box.x1, each.box.y1) for each in one.detections]
    return {
        f"label by {by}": np.array(one.label),
        f"scores by {by}": one.scores,
        f"box by {by}": np.array(boxes[0] if boxes else [np.nan] * 4),
    }


def main() -> None:
    folder, out = map(Path, sys.argv[1:3])
    reference = np.load(sys.argv[3]) if sys.argv[3:] else None
    seen: dict[str, Any] = {}
    for model in MODELS:
        localizer = Localizer(model, threads=1)
        for path in sorted(folder.iterdir()):
            place = f"{model}/{path.name}"
            pixels = None if reference is None else reference[f"{place}/pixels"]
            seen |= {f"{place}/{what}": value for what, value in look(localizer, path, pixels).items()}
    np.savez(out, **seen)
    print(f"{len(list(folder.iterdir()))} pictures, {len(MODELS)} models")


if __name__ == "__main__":
    main()
