"""Compare what two machines saw, picture by picture: compare.py REFERENCE.npz OTHER.npz.

Features are told in steps of their int8 quantization, scores in 256ths, which is the step of a softmax's,
corners of boxes in pixels of the model's input. Exits with 1 where a class differs, a score by more than a
step, or a corner by more than a pixel.
"""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

SCORE_STEP = 1 / 256
HEADER = "model      picture                  class        features: max  mean  scores  box's scores  box"

Seen = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Difference:
    """How far two machines are apart in one picture: steps, and pixels of the model's input."""

    same_class: bool
    features_max: float
    features_mean: float
    scores: float
    box_scores: float
    box: float

    @property
    def small(self) -> bool:
        return self.same_class and max(self.scores, self.box_scores) <= 1 and self.box <= 1


def feature_step(features: npt.NDArray[Any]) -> float:
    """The quantization step, of which every feature is a multiple."""
    gaps = np.diff(np.unique(features))
    return float(gaps[gaps > gaps.max() * 1e-3].min())


def corner_distance(one: Seen, other: Seen) -> float:
    """How far the corners are apart; infinite where only one saw an object."""
    here, there = np.isnan(one["box"]).any(), np.isnan(other["box"]).any()
    if here or there:
        return 0.0 if here and there else float("inf")
    scale = np.array(one["pixels"].shape[:2]) / one["image_hw"]
    return float((np.abs(one["box"] - other["box"]) * np.tile(scale[::-1], 2)).max())


def difference(one: Seen, other: Seen, step: float) -> Difference:
    features = np.abs(one["features"] - other["features"]) / step
    return Difference(
        same_class=bool(one["label"] == other["label"]),
        features_max=float(features.max()),
        features_mean=float(features.mean()),
        scores=float(np.abs(one["scores"] - other["scores"]).max() / SCORE_STEP),
        box_scores=float(np.abs(one["found_scores"] - other["found_scores"]).max() / SCORE_STEP),
        box=corner_distance(one, other),
    )


def read(path: str) -> dict[str, Seen]:
    """What was seen, by `model/picture`."""
    seen: dict[str, Seen] = {}
    with np.load(path) as arrays:
        for key in arrays.files:
            place, _, what = key.rpartition("/")
            seen.setdefault(place, {})[what] = arrays[key]
    return seen


def main() -> None:
    reference, others = map(read, sys.argv[1:])
    assert reference.keys() == others.keys()
    print(HEADER)
    found = []
    for place, one in reference.items():
        model, picture = place.split("/")
        every = [seen["features"].ravel() for key, seen in reference.items() if key.startswith(f"{model}/")]
        apart = difference(one, others[place], feature_step(np.concatenate(every)))
        found.append(apart)
        print(
            f"{model:10} {picture:24} {one['label']!s:12} {apart.features_max:13.0f}"
            f" {apart.features_mean:5.2f} {apart.scores:7.2f} {apart.box_scores:13.2f} {apart.box:4.1f}"
            f"{'' if apart.small else '  differs'}"
        )
    print(f"{sum(one.small for one in found)} of {len(found)} within a step and a pixel")
    sys.exit(not all(one.small for one in found))


if __name__ == "__main__":
    main()
