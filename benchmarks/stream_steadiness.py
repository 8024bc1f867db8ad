"""How much steadier a stream's boxes are than those of single frames, and what that costs.

    python benchmarks/stream_steadiness.py --seed 301 --seed 302 --chart steadiness.png

Plays films with known motion (stream_scenes.py) through the network, then frame by frame and steadied.
Jitter is what the edges move from frame to frame beyond what the animal's true edges move, root mean
square, once it has been whole in the picture for 5 frames; lag is the shift in time at which the boxes
fit the true ones best where these move.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter_ns

import click
import numpy as np
from stream_scenes import FRAME_RATE, Film, Shot, one_animal, shots, three_animals

from lightcam_edge.box import Box
from lightcam_edge.geometry import Fit
from lightcam_edge.images import photo_from_array
from lightcam_edge.interpreter import Outputs
from lightcam_edge.localizer import Localizer, Options
from lightcam_edge.streaming.messages import CapturedFrame
from lightcam_edge.streaming.steady import Steadier, Steadiness

SETTLING = 5  # frames after an animal was hidden or cut by the frame, not judged for jitter
MOVING = 1.0  # pixels a frame
FOUND_IOU = 0.3
SHIFTS = np.arange(-30, 41) / 10  # frames
MOST_STRAY = 15.0  # pixels


@dataclass(frozen=True)
class Seen:
    """What the network said of a film, frame by frame."""

    shots: list[Shot]
    outputs: list[tuple[Fit, Outputs]]
    frames: list[CapturedFrame]


@dataclass(frozen=True)
class Tally:
    """How the boxes of films compare with the truth, all animals together.

    Args:
        still: (n, 4) strays of the edges from frame to frame where the animal stands, in pixels.
        moving: where it moves.
        misfits: of the true edges shifted by each of `SHIFTS`.
        ious: with the true box, of each frame in which an animal is whole; 0 where it is not found.
        changes: how often a box came or went beyond what the animals did, a film.
        ids: how many ids there were, a film; 0 frame by frame.
        animals: how many animals there were, a film.
    """

    still: np.ndarray
    moving: np.ndarray
    misfits: np.ndarray
    ious: np.ndarray
    changes: float
    ids: float
    animals: float

    @property
    def jitter(self) -> tuple[float, float]:
        """Root mean square of the strays, standing and moving, in pixels."""
        still, moving = (float(np.sqrt((part**2).mean())) for part in (self.still, self.moving))
        return still, moving

    @property
    def lag(self) -> float:
        """Frames by which the boxes come late."""
        return float(SHIFTS[np.argmin(self.misfits)])

    @property
    def iou(self) -> float:
        """Mean IoU with the truth."""
        return float(self.ious.mean())


def together(parts: Sequence[Tally]) -> Tally:
    """The tally of several films."""
    return Tally(
        np.concatenate([part.still for part in parts]),
        np.concatenate([part.moving for part in parts]),
        np.sum([part.misfits for part in parts], axis=0),
        np.concatenate([part.ious for part in parts]),
        *(float(np.mean([getattr(part, name) for part in parts])) for name in ("changes", "ids", "animals")),
    )


def watch(film: Film, localizer: Localizer, frame_rate: float = FRAME_RATE) -> Seen:
    """Run the network over a film."""
    seen = Seen([], [], [])
    for index, shot in enumerate(shots(film, frame_rate)):
        photo = photo_from_array(shot.pixels, "rgb")
        seconds = index / frame_rate
        seen.frames.append(CapturedFrame("film", index, photo, seconds, round(seconds * 1e9)))
        seen.outputs.append(localizer.infer(photo))
        seen.shots.append(shot)
    return seen


def single(seen: Seen, localizer: Localizer) -> tuple[list[list[Box]], int]:
    """Boxes frame by frame."""
    found = (localizer.conclude(fit, outputs) for fit, outputs in seen.outputs)
    return [[one.box for one in localization.detections] for localization in found], 0


def steadied(
    seen: Seen, localizer: Localizer, steadiness: Steadiness | None = None
) -> tuple[list[list[Box]], int]:
    """Boxes of the tracks, and how many ids they had."""
    steadier = Steadier(localizer, steadiness)
    boxes, ids = [], set()
    for frame, (fit, outputs) in zip(seen.frames, seen.outputs, strict=True):
        _, tracks = steadier.take(frame, fit, outputs)
        boxes.append([track.box for track in tracks])
        ids |= {track.id for track in tracks}
    return boxes, len(ids)


def judge(seen: Seen, boxes: Sequence[Sequence[Box]], ids: int) -> Tally:
    """Compare boxes with the truth."""
    animals = range(len(seen.shots[0].boxes))
    parts = [judge_animal(*true_edges(seen.shots, animal), boxes) for animal in animals]
    return replace(together(parts), changes=changes(seen, boxes), ids=ids, animals=len(animals))


def judge_animal(truth: np.ndarray, clear: np.ndarray, boxes: Sequence[Sequence[Box]]) -> Tally:
    found = nearest_edges(boxes, truth)
    ious = [iou(*pair) for pair in zip(truth[clear], found[clear], strict=True)]
    strays = np.diff(found, axis=0) - np.diff(truth, axis=0)
    settled = np.array([clear[max(0, index - SETTLING) : index + 1].all() for index in range(len(clear))])
    usable = settled[1:] & np.isfinite(strays).all(axis=1)
    moves = speed(truth)[1:] >= MOVING
    misfits = misfits_by_shift(truth, found, clear)
    return Tally(strays[usable & ~moves], strays[usable & moves], misfits, np.array(ious), 0, 0, 1)


def true_edges(film: Sequence[Shot], animal: int) -> tuple[np.ndarray, np.ndarray]:
    """True edges (n, 4), NaN where it is not in the picture, and whether it is whole (n,)."""
    boxes = [shot.boxes[animal] for shot in film]
    return np.array([edges(box) for box in boxes]), np.array([shot.clear[animal] for shot in film])


def nearest_edges(boxes: Sequence[Sequence[Box]], truth: np.ndarray) -> np.ndarray:
    """Edges (n, 4) of the box that is most like the true one, NaN where none is."""
    found = np.full(truth.shape, np.nan)
    for index, some in enumerate(boxes):
        likeness = [iou(truth[index], edges(box)) for box in some]
        if likeness and max(likeness) >= FOUND_IOU:
            found[index] = edges(some[int(np.argmax(likeness))])
    return found


def edges(box: Box | None) -> np.ndarray:
    return np.full(4, np.nan) if box is None else np.array([box.x0, box.y0, box.x1, box.y1])


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return 0.0 if np.isnan(one + other).any() else Box(*one).iou(Box(*other))


def speed(truth: np.ndarray) -> np.ndarray:
    """Of the centre, in pixels a frame, (n,)."""
    moves = np.diff(truth[:, :2] + truth[:, 2:], axis=0, prepend=np.full((1, 2), np.nan)) / 2
    return np.abs(moves).max(axis=1)


def misfits_by_shift(truth: np.ndarray, found: np.ndarray, clear: np.ndarray) -> np.ndarray:
    """How badly the true edges fit where they move, shifted by each of `SHIFTS` frames.

    Each edge has a constant of its own, since boxes are a little larger or smaller than the animal. It
    goes to and fro, so that a constant cannot pass for lag. No stray counts for more than `MOST_STRAY`:
    a box of half an animal tells nothing of time.
    """
    times = np.arange(len(truth), dtype=float)
    whole = np.where(clear[:, None], truth, np.nan)
    # The truth must be known at every shift, so that all shifts are judged on the same frames.
    margin = int(SHIFTS.max()) + 1
    around = np.stack([np.roll(whole, shift, axis=0) for shift in range(-margin, margin + 1)])
    usable = np.isfinite(around).all(axis=(0, 2)) & np.isfinite(found).all(axis=1) & (speed(truth) >= MOVING)
    if not usable.any():
        return np.zeros(len(SHIFTS))

    def misfit(shift: float) -> float:
        shifted = np.stack([np.interp(times - shift, times, edge) for edge in whole.T], axis=1)
        strays = (found - shifted)[usable]
        return float(np.minimum(np.abs(strays - np.median(strays, axis=0)), MOST_STRAY).sum())

    return np.array([misfit(shift) for shift in SHIFTS])


def changes(seen: Seen, boxes: Sequence[Sequence[Box]]) -> int:
    """How often the number of boxes changed, less how often that of the animals did."""
    shown = np.array([len(some) for some in boxes])
    true = np.array([sum(box is not None for box in shot.boxes) for shot in seen.shots])
    return int((np.diff(shown) != 0).sum() - (np.diff(true) != 0).sum())


def films(seed: int) -> Iterator[tuple[str, Film, int]]:
    """The films of a seed: name, film, and how many boxes are wanted."""
    yield "a dog", one_animal(seed), 1
    yield "a bird", one_animal(seed, "bird"), 1
    yield "a dog and two birds", three_animals(seed), 0


def row(name: str, way: str, tally: Tally) -> str:
    """A line of the table."""
    still, moving = tally.jitter
    ids = f"{tally.ids:.1f} of {tally.animals:.0f}" if tally.ids else "-"
    cells = (name, way, f"{still:.1f}", f"{moving:.1f}", f"{tally.lag:+.1f}", f"{tally.iou:.3f}")
    return f"| {' | '.join((*cells, f'{tally.changes:.1f}', ids))} |"


def costs(seen: Seen, localizer: Localizer) -> dict[str, float]:
    """Median milliseconds a frame: network, conclusion alone, and steadied."""

    def median(call: Callable[[int], object]) -> float:
        times = []
        for index in range(len(seen.frames)):
            start = perf_counter_ns()
            call(index)
            times.append((perf_counter_ns() - start) / 1e6)
        return float(np.median(times))

    steadier = Steadier(localizer)
    return {
        "network and its input": median(lambda index: localizer.infer(seen.frames[index].photo)),
        "boxes frame by frame": median(lambda index: localizer.conclude(*seen.outputs[index])),
        "boxes steadied": median(lambda index: steadier.take(seen.frames[index], *seen.outputs[index])),
    }


def draw(seen: Seen, localizer: Localizer, path: Path) -> None:
    """Draw a film's left and upper edges over time."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    truth, _ = true_edges(seen.shots, 0)
    figure, axes = pyplot.subplots(2, 1, figsize=(10, 7), sharex=True, layout="constrained")
    seconds = np.arange(len(truth)) / FRAME_RATE
    for axis, edge, name in zip(axes, (0, 1), ("left edge", "upper edge"), strict=True):
        for label, boxes, style in (
            ("frame by frame", single(seen, localizer)[0], {"color": "#d55e00", "lw": 0.9}),
            ("steadied", steadied(seen, localizer)[0], {"color": "#0072b2", "lw": 1.6}),
        ):
            shown = np.array([edges(some[0] if some else None) for some in boxes])
            axis.plot(seconds, shown[:, edge], label=label, **style)
        axis.plot(seconds, truth[:, edge], "k--", lw=0.8, label="true")
        axis.set_ylabel(f"{name}, pixels")
        axis.grid(alpha=0.3)
    axes[0].legend()
    axes[1].set_xlabel("seconds")
    figure.savefig(path, dpi=110)


@click.command()
@click.option("--model", default="lite", show_default=True)
@click.option(
    "--seed", "seeds", type=int, multiple=True, default=(301, 302, 303, 304, 305), show_default=True
)
@click.option("--chart", type=click.Path(path_type=Path), help="PNG of the first dog's edges over time.")
def main(model: str, seeds: tuple[int, ...], chart: Path | None) -> None:
    tallies: dict[tuple[str, str], list[Tally]] = {}
    times = []
    for seed in seeds:
        for name, film, most in films(seed):
            localizer = Localizer(model, options=Options(max_boxes=most))
            seen = watch(film, localizer)
            tallies.setdefault((name, "frame by frame"), []).append(judge(seen, *single(seen, localizer)))
            tallies.setdefault((name, "steadied"), []).append(judge(seen, *steadied(seen, localizer)))
            times.append(costs(seen, localizer))
            if chart and seed == seeds[0] and name == "a dog":
                draw(seen, localizer, chart)
    print("| film | boxes | jitter standing, px | moving, px | lag, frames | IoU | needless changes | ids |")
    print("|---|---|---|---|---|---|---|---|")
    for (name, way), parts in tallies.items():
        print(row(name, way, together(parts)))
    print()
    for part in times[0]:
        print(f"{part}: {np.median([one[part] for one in times]):.2f} ms a frame")


if __name__ == "__main__":
    main()
