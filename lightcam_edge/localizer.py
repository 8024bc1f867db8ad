"""From an image to boxes: the one path that every command takes."""

import copy
import os
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from lightcam_edge.box import Box, BoxRule, Component, boxes_from_map
from lightcam_edge.cam import METHODS, Method, br_avgcam_weights, class_activation_map, smooth, upsample
from lightcam_edge.card import CamSpec, InputSpec, ModelCard
from lightcam_edge.catalogue import DEFAULT_MODEL
from lightcam_edge.choices import SCORINGS, Backend, Scoring
from lightcam_edge.errors import ModelFileError, UsageError
from lightcam_edge.geometry import Fit, fit_pixels
from lightcam_edge.images import Channels, Photo, photo_from_array, photo_from_pil, read_image
from lightcam_edge.interpreter import Interpreter, Outputs
from lightcam_edge.model_file import ModelFile, probe, read_model
from lightcam_edge.peaks import boxes_by_peaks
from lightcam_edge.region import cells, region_scores

if TYPE_CHECKING:
    from PIL import Image

Float32 = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller wants otherwise than the model card has it; None leaves the card's value.

    Args:
        method: `cam` or `br-avgcam`.
        threshold: share of the map's maximum above which a pixel counts, in [0, 1).
        component: box each connected component, or all together.
        label: the class to localize, instead of the one with the highest score.
        max_boxes: how many boxes at most; 0 means all.
        split: give objects that touch a box each, see `boxes_by_peaks`; where several boxes are
            wanted if None.
        min_score: no box where the class scores less, in [0, 1].
        score: classify the whole `frame`, or the `region` of each box.
        presence: value of the map that an object must reach where regions are scored, 0 or more.

    Raises:
        ValueError: if a value is none of its choices, or out of range.
    """

    method: Method | None = None
    threshold: float | None = None
    component: Component | None = None
    label: str | None = None
    max_boxes: int = 1
    split: bool | None = None
    min_score: float = 0.0
    score: Scoring | None = None
    presence: float | None = None

    def __post_init__(self) -> None:
        if self.method not in (None, *METHODS):
            raise ValueError(f"method {self.method!r} is none of {', '.join(METHODS)}")
        if self.score not in (None, *SCORINGS):
            raise ValueError(f"score {self.score!r} is none of {', '.join(SCORINGS)}")
        if self.presence is not None and not self.presence >= 0:
            raise ValueError(f"presence {self.presence} is negative")
        if self.max_boxes < 0:
            raise ValueError(f"max_boxes {self.max_boxes} is negative")
        if not 0 <= self.min_score <= 1:
            raise ValueError(f"min_score {self.min_score} is outside [0, 1]")


@dataclass(frozen=True, slots=True)
class Detection:
    """One object: its box in the upright image, and its class."""

    box: Box
    class_index: int
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Localization:
    """What was found in one image.

    Args:
        class_index: the class localized: the one with the highest score, or the one asked for.
        label: its label.
        score: its score, in [0, 1].
        scores: (C,) softmax, of the first box's region where regions are scored and there is one,
            else of the frame.
        detections: best first; empty where the class is the background.
        cam: (h, w) activation map over the model's input frame, as it was thresholded.
        fit: how the image lies in the input frame.
        latency_ms: time of each stage, and `total`.
    """

    class_index: int
    label: str
    score: float
    scores: Float32
    detections: tuple[Detection, ...]
    cam: Float32
    fit: Fit
    latency_ms: Mapping[str, float] = field(default_factory=dict)


class Network(Protocol):
    """What runs the network: `Interpreter`, or another framework that answers the same."""

    input_hw: tuple[int, int]
    gap_weights: Float32
    gap_bias: Float32

    def invoke(self, image: UInt8) -> Outputs:
        """Run the network on one (H, W, 3) image of its input size."""
        ...


class Stopwatch:
    """Takes lap times in milliseconds.

    Args:
        laps: times already taken, perhaps in another thread.
    """

    def __init__(self, laps: Mapping[str, float] | None = None) -> None:
        self.laps: dict[str, float] = dict(laps or {})
        self._last = time.perf_counter_ns()

    def lap(self, name: str) -> None:
        """Book the time since the last lap under a name."""
        now = time.perf_counter_ns()
        self.laps[name] = (now - self._last) / 1e6
        self._last = now

    def total(self) -> dict[str, float]:
        """All laps, and their sum."""
        return {**self.laps, "total": sum(self.laps.values())}


def physical_cores() -> int:
    """Cores this process may run on, hyper-threads counted once where the kernel tells."""
    allowed = os.sched_getaffinity(0)
    siblings = (Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list") for cpu in allowed)
    groups = {path.read_text() if path.exists() else str(path) for path in siblings}
    return len(groups) or 1


class Localizer:
    """Finds the object in photographs with one model.

    Args:
        model: path of a model file, name of a bundled one, or one already read.
        threads: threads of the runtime, at least 1; physical cores if None.
        backend: TFLite runtime; the first installed if None.
        options: what the caller wants otherwise than the model card.
        verbose: let the runtime's own log lines through.
        network: what runs the network instead of a TFLite runtime; `model` is then read, and has a card.

    Raises:
        ModelFileError: if the model file is damaged or not made for this program.
        RuntimeMissingError: if no TFLite runtime is installed.
        UsageError: if the options do not suit the model.
        ValueError: if there are fewer than one thread.
    """

    def __init__(
        self,
        model: str | Path | ModelFile = DEFAULT_MODEL,
        *,
        threads: int | None = None,
        backend: Backend | None = None,
        options: Options | None = None,
        verbose: bool = False,
        network: Network | None = None,
    ) -> None:
        if threads is not None and threads < 1:
            raise ValueError(f"threads is {threads}, not at least 1")
        self.model = model if isinstance(model, ModelFile) else read_model(model)
        if self.model.card is None:
            probe(self.model.path)
        self.threads = physical_cores() if threads is None else threads
        self.interpreter: Network = network or Interpreter(
            self.model.flatbuffer, self.threads, backend, verbose
        )
        self.card = self.model.card or self._assumed_card()
        self._check_shapes()
        self.set_options(options or Options())

    def _assumed_card(self) -> ModelCard:
        warnings.warn(
            f"{self.model.path} has no model card: plain CAM, classes by number, no background", stacklevel=3
        )
        height, width = self.interpreter.input_hw
        labels = tuple(f"class {index}" for index in range(len(self.interpreter.gap_bias)))
        return ModelCard(self.model.path.stem, "unknown", labels, InputSpec(height, width), cam=CamSpec())

    def _check_shapes(self) -> None:
        card, classes = self.card, len(self.interpreter.gap_bias)
        if (card.input.height, card.input.width) != self.interpreter.input_hw or len(card.labels) != classes:
            raise ModelFileError(
                f"{self.model.path}: the card's input size or labels are not the network's: convert it again"
            )

    def set_options(self, options: Options) -> None:
        """Take other options from here on; the network stays loaded."""
        cam = self.card.cam
        try:
            self.rule = BoxRule(
                cam.threshold if options.threshold is None else options.threshold,
                options.component or cam.component,
            )
        except ValueError as error:
            raise UsageError(str(error)) from error
        self.method: Method = options.method or cam.method
        self.scoring: Scoring = options.score or cam.score
        self.presence = cam.presence if options.presence is None else options.presence
        self.options = options
        self._wanted = None if options.label is None else self._class_index(options.label)
        several = options.max_boxes != 1 and options.component is None
        self.splits = several if options.split is None else options.split
        self._weights = self.interpreter.gap_weights
        self._background = self.card.background.index if self.card.background else None
        if self.method == "br-avgcam":
            if self._background is None:
                raise UsageError("br-avgcam needs a model with a background class: use --method cam")
            self._br_avgcam = br_avgcam_weights(self._weights, self._background)

    def with_options(self, options: Options) -> "Localizer":
        """Another localizer with other options, which shares the loaded network.

        Raises:
            UsageError: if the options do not suit the model.
        """
        other = copy.copy(self)
        other.set_options(options)
        return other

    def _class_index(self, label: str) -> int:
        if label not in self.card.labels:
            raise UsageError(f"the model has no class {label!r}: it has {', '.join(self.card.labels)}")
        return self.card.labels.index(label)

    @property
    def input_hw(self) -> tuple[int, int]:
        """Height and width of the model's input, in pixels."""
        return self.interpreter.input_hw

    def __call__(
        self, image: "str | Path | Image.Image | UInt8", channels: Channels | None = None
    ) -> Localization:
        """Localize the object in one image.

        Args:
            image: path, Pillow image, or (h, w, 3) uint8 array.
            channels: order of an array's channels; must be given for arrays, and only for them.

        Returns:
            Class, scores, boxes in pixels of the upright image, and the map.

        Raises:
            InputError: if the image cannot be read.
            ValueError: if an array comes without its channel order or is not (h, w, 3)
                uint8, or anything else comes with one.
        """
        stopwatch = Stopwatch()
        photo = self.open(image, channels)
        stopwatch.lap("decode")
        return self.localize(photo, stopwatch)

    def open(self, image: "str | Path | Image.Image | UInt8", channels: Channels | None = None) -> Photo:
        """Decode an image as far as the model needs it, see `__call__`."""
        if channels is not None and not isinstance(image, np.ndarray):
            raise ValueError(f"channels {channels!r} is for arrays: files and Pillow images say theirs")
        if isinstance(image, str | Path):
            return read_image(Path(image), enough_hw=self.input_hw)
        if isinstance(image, np.ndarray):
            return photo_from_array(image, channels)
        return photo_from_pil(image)

    def batch(self, images: "Iterable[str | Path | Image.Image]") -> Iterator[Localization]:
        """Localize many images one after the other, keeping none of them."""
        return (self(image) for image in images)

    def localize(self, photo: Photo, stopwatch: Stopwatch | None = None) -> Localization:
        """Localize the object in a decoded image.

        Args:
            photo: upright RGB pixels and the size of the image they show.
            stopwatch: takes a lap for each stage.
        """
        stopwatch = stopwatch or Stopwatch()
        fit, outputs = self.infer(photo, stopwatch)
        return self.conclude(fit, outputs, stopwatch)

    def infer(self, photo: Photo, stopwatch: Stopwatch | None = None) -> tuple[Fit, Outputs]:
        """Run the network on a decoded image: the half of `localize` that no option changes."""
        stopwatch = stopwatch or Stopwatch()
        fit = Fit(photo.image_hw, self.input_hw, self.card.input.resize)
        pixels = fit_pixels(photo.pixels, fit)
        stopwatch.lap("preprocess")
        outputs = self.interpreter.invoke(pixels)
        stopwatch.lap("inference")
        return fit, outputs

    def conclude(self, fit: Fit, outputs: Outputs, stopwatch: Stopwatch | None = None) -> Localization:
        """Find class and boxes in what the network said: the half of `localize` that the options rule."""
        stopwatch = stopwatch or Stopwatch()
        cam = self._activation_map(outputs)
        stopwatch.lap("cam")
        scores = outputs.scores
        if self.scoring == "region":
            detections, scores = self._by_region(cam, fit, outputs)
            class_index = detections[0].class_index if detections else self._nothing(scores)
        else:
            class_index = self._frames_class(scores)
            detections = self._by_frame(cam, fit, class_index, float(scores[class_index]))
        stopwatch.lap("box")
        return Localization(
            class_index,
            self.card.labels[class_index],
            float(scores[class_index]),
            scores,
            tuple(detections),
            cam,
            fit,
            stopwatch.total(),
        )

    def _activation_map(self, outputs: Outputs) -> Float32:
        if self.method == "br-avgcam":
            cam = np.asarray(outputs.features @ self._br_avgcam, np.float32)
        else:
            cam = class_activation_map(outputs.features, self._weights, self._mapped(outputs.scores))
        return smooth(cam, self.card.cam.smoothing)

    def _by_frame(self, cam: Float32, fit: Fit, class_index: int, score: float) -> list[Detection]:
        """Boxes of the frame's class; none where that is the background."""
        if class_index == self._background or score < self.options.min_score:
            return []
        boxes = self._boxes(cam)[: self.options.max_boxes or None]
        label = self.card.labels[class_index]
        found = (fit.to_image(box) for box in boxes)
        return [Detection(box, class_index, label, score) for box in found if box.area > 0]

    def _by_region(self, cam: Float32, fit: Fit, outputs: Outputs) -> tuple[list[Detection], Float32]:
        """Boxes with a class each, and the scores of the first one, or the frame's if there is none."""
        detections: list[Detection] = []
        scores = outputs.scores
        for box in self._boxes(cam):
            part = cells(box, self.input_hw, (cam.shape[0], cam.shape[1]))
            if self._wanted is None and cam[part].max() < self.presence:
                continue
            own = region_scores(outputs.features[part], self._weights, self.interpreter.gap_bias)
            class_index = int(own.argmax()) if self._wanted is None else self._wanted
            score, in_image = float(own[class_index]), fit.to_image(box)
            if class_index == self._background or score < self.options.min_score or not in_image.area:
                continue
            scores = scores if detections else own
            detections.append(Detection(in_image, class_index, self.card.labels[class_index], score))
            if len(detections) == self.options.max_boxes:
                break
        return detections, scores

    def _boxes(self, cam: Float32) -> list[Box]:
        """Every box in the input frame, the largest part of the map first."""
        if self.splits:
            return boxes_by_peaks(cam, self.input_hw, self.rule.threshold)
        return boxes_from_map(upsample(cam, self.input_hw), self.rule, max_boxes=0)

    def _frames_class(self, scores: Float32) -> int:
        """The class of the frame: the one asked for, or the best."""
        return int(scores.argmax()) if self._wanted is None else self._wanted

    def _mapped(self, scores: Float32) -> int:
        """The class whose CAM is looked at: where regions are scored, the best that is an object."""
        best = self._frames_class(scores)
        if self.scoring == "frame" or self._wanted is not None or best != self._background:
            return best
        others = scores.copy()
        others[best] = -1
        return int(others.argmax())

    def _nothing(self, scores: Float32) -> int:
        """The class of a frame in which no region is an object."""
        if self._wanted is not None or self._background is None:
            return self._frames_class(scores)
        return self._background
