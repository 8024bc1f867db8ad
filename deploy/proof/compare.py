"""Compare what two machines saw, picture by picture: compare.py REFERENCE.npz OTHER.npz.

Input pixels are told in grey levels, features in steps of their int8 quantization, scores in 256ths, which is
the step of a softmax, corners of boxes in pixels of the model's input. Exits with 1 where a class or a pixel
differs, or anything else by more than one.
"""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

SCORE_STEP = 1 / 256
HEADER = "model      picture                  class      input  features  scores   box"

Seen = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Difference:
    """How far two machines are apart in one picture: steps, and pixels of the model's input."""

    same_class: bool
    pixels: int
    features: float
    scores: float
    box: float

    @property
    def within_a_step(self) -> bool:
        same_look = self.same_class and not self.pixels
        return same_look and max(self.features, self.scores, self.box) <= 1


def feature_step(features: npt.NDArray[Any]) -> float:
    """The quantization step, of which every feature is a multiple."""
    gaps = np.diff(np.unique(features))
    return float(gaps[gaps > gaps.max() * 1e-3].min())


def corner_distance(one: Seen, other: Seen) -> float:
    """How far the corners are apart; infinite where only one saw an object."""
    unseen = [np.isnan(each["box"]).any() for each in (one, other)]
    if any(unseen):
        return 0.0 if all(unseen) else float("inf")
    scale = np.array(one["pixels"].shape[:2]) / one["image_hw"]
    return float((np.abs(one["box"] - other["box"]) * np.tile(scale[::-1], 2)).max())


def distance(one: Seen, other: Seen, what: str) -> float:
    return float(np.abs(one[what].astype(float) - other[what]).max())


def difference(one: Seen, other: Seen, step: float) -> Difference:
    scores = (distance(one, other, what) for what in ("network's scores", "scores"))
    return Difference(
        same_class=bool(one["label"] == other["label"]),
        pixels=int(distance(one, other, "pixels")),
        features=distance(one, other, "features") / step,
        scores=max(scores) / SCORE_STEP,
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


def by_model(seen: dict[str, Seen]) -> dict[str, npt.NDArray[Any]]:
    """Each model's features of all pictures."""
    features: dict[str, list[npt.NDArray[Any]]] = {}
    for place, one in seen.items():
        features.setdefault(place.split("/")[0], []).append(one["features"])
    return {model: np.stack(every) for model, every in features.items()}


def main() -> None:
    reference, others = map(read, sys.argv[1:3])
    assert reference.keys() == others.keys()
    print(HEADER)
    steps = {model: feature_step(features) for model, features in by_model(reference).items()}
    found = []
    for place, one in reference.items():
        model, picture = place.split("/")
        apart = difference(one, others[place], steps[model])
        found.append(apart)
        print(
            f"{model:10} {picture:24} {one['label']!s:11} {apart.pixels:4} {apart.features:9.2f}"
            f" {apart.scores:7.2f} {apart.box:5.1f}{'' if apart.within_a_step else '  differs'}"
        )
    print(f"{sum(one.within_a_step for one in found)} of {len(found)} are the same within a step")
    sys.exit(not all(one.within_a_step for one in found))


if __name__ == "__main__":
    main()
