"""Compare what two machines saw, picture by picture: compare.py REFERENCE.npz OTHER.npz [STEPS].

Input pixels are told in grey levels. From the same pixels, features are told in steps of their int8
quantization, scores in 256ths, which is the step of a softmax's, corners of boxes in pixels of the model's
input. From the file, the same of scores and corners, which shows what a grey level does. Exits with 1 where a
class differs, the input by more than a grey level, or what comes of the same input by more than STEPS (1).
"""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

SCORE_STEP = 1 / 256
HEADER = """\
                                                 input       from the same input        from the file
model      picture                  class       max share  features scores  box      scores  box"""

Seen = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Difference:
    """How far two machines are apart in one picture: steps, and pixels of the model's input."""

    same_class: bool
    input_max: int
    input_share: float
    features: float
    scores: float
    box: float
    file_scores: float
    file_box: float

    def within(self, steps: float) -> bool:
        same_input = max(self.features, self.scores, self.box) <= steps
        return self.same_class and self.input_max <= 1 and same_input


def feature_step(features: npt.NDArray[Any]) -> float:
    """The quantization step, of which every feature is a multiple."""
    gaps = np.diff(np.unique(features))
    return float(gaps[gaps > gaps.max() * 1e-3].min())


def corner_distance(one: Seen, other: Seen, by: str) -> float:
    """How far the corners are apart; infinite where only one saw an object."""
    here, there = one[f"box by {by}"], other[f"box by {by}"]
    if np.isnan(here).any() or np.isnan(there).any():
        return 0.0 if np.isnan(here).any() and np.isnan(there).any() else float("inf")
    scale = np.array(one["pixels"].shape[:2]) / one["image_hw"]
    return float((np.abs(here - there) * np.tile(scale[::-1], 2)).max())


def distance(one: Seen, other: Seen, what: str, step: float) -> float:
    return float(np.abs(one[what].astype(float) - other[what]).max() / step)


def difference(one: Seen, other: Seen, step: float) -> Difference:
    pixels = np.abs(one["pixels"].astype(int) - other["pixels"])
    labels = ("label by pixels", "label by file")
    scores = (distance(one, other, what, SCORE_STEP) for what in ("scores", "scores by pixels"))
    return Difference(
        same_class=all(one[label] == other[label] for label in labels),
        input_max=int(pixels.max()),
        input_share=float((pixels > 0).mean()),
        features=distance(one, other, "features", step),
        scores=max(scores),
        box=corner_distance(one, other, "pixels"),
        file_scores=distance(one, other, "scores by file", SCORE_STEP),
        file_box=corner_distance(one, other, "file"),
    )


def read(path: str) -> dict[str, Seen]:
    """What was seen, by `model/picture`."""
    seen: dict[str, Seen] = {}
    with np.load(path) as arrays:
        for key in arrays.files:
            place, _, what = key.rpartition("/")
            seen.setdefault(place, {})[what] = arrays[key]
    return seen


def by_model(seen: dict[str, Seen]) -> dict[str, npt.NDArray[Any]]:
    """Each model's features of all pictures."""
    features: dict[str, list[npt.NDArray[Any]]] = {}
    for place, one in seen.items():
        features.setdefault(place.split("/")[0], []).append(one["features"])
    return {model: np.stack(every) for model, every in features.items()}


def main() -> None:
    reference, others = map(read, sys.argv[1:3])
    allowed = float(sys.argv[3]) if sys.argv[3:] else 1.0
    assert reference.keys() == others.keys()
    print(HEADER)
    steps = {model: feature_step(features) for model, features in by_model(reference).items()}
    found = []
    for place, one in reference.items():
        model, picture = place.split("/")
        apart = difference(one, others[place], steps[model])
        found.append(apart)
        label = one["label by file"]
        print(
            f"{model:10} {picture:24} {label!s:11} {apart.input_max:3} {apart.input_share:5.0%}"
            f" {apart.features:9.2f} {apart.scores:6.2f} {apart.box:4.1f} {apart.file_scores:11.2f}"
            f" {apart.file_box:4.1f}{'' if apart.within(1) else '  differs'}"
        )
    print(f"{sum(one.within(1) for one in found)} of {len(found)} are the same within a step")
    sys.exit(not all(one.within(allowed) for one in found))


if __name__ == "__main__":
    main()
