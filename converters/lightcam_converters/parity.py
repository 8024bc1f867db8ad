"""How far the bytes of a model file and the Keras model they come from agree."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lightcam_converters.calibration import Sample
from lightcam_edge.drawing import draw_boxes, draw_heat, side_by_side, to_jpeg
from lightcam_edge.images import Photo
from lightcam_edge.localizer import Localization, Localizer
from lightcam_edge.model_file import ModelFile, write_atomically
from lightcam_models.keras_network import KerasNetwork

Float32 = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]
WORST = 5


@dataclass(frozen=True, slots=True)
class Agreement:
    """One image through both.

    Args:
        name: of the image.
        keras: what the Keras model says, on the same path from image to boxes.
        file: what the model file says.
    """

    name: str
    keras: Localization
    file: Localization

    @property
    def same_class(self) -> bool:
        """Whether both score the same class highest."""
        return self.keras.class_index == self.file.class_index

    @property
    def score_error(self) -> Float32:
        """(C,) absolute differences of the scores."""
        return np.asarray(np.abs(self.keras.scores - self.file.scores), np.float32)

    @property
    def cam_correlation(self) -> float:
        """Pearson correlation of the two maps; of constant maps 1 if both are, else 0."""
        cams = [result.cam.ravel().astype(np.float64) for result in (self.keras, self.file)]
        first, second = (cam - cam.mean() for cam in cams)
        lengths = float(np.linalg.norm(first) * np.linalg.norm(second))
        if not lengths:
            return float(not first.any() and not second.any())
        return float(first @ second) / lengths

    @property
    def box_iou(self) -> float | None:
        """IoU of the first boxes: 0 where one finds none, None where neither finds any."""
        boxes = [result.detections[0].box for result in (self.keras, self.file) if result.detections]
        return boxes[0].iou(boxes[1]) if len(boxes) == 2 else 0.0 if boxes else None


@dataclass(frozen=True, slots=True)
class Parity:
    """Agreement over many images.

    Args:
        images: how many.
        photographs: whether they are photographs, or generated.
        top1_agreement: share with the same class, in [0, 1].
        max_score_error: largest difference of a score.
        mean_score_error: mean difference of the scores.
        cam_correlation: mean over the images of one class in both.
        min_cam_correlation: the lowest of them.
        box_iou: mean over the images where either finds a box.
        boxes: how many those are.
        worst: names of the images with the lowest box IoU, and that IoU.
    """

    images: int
    photographs: bool
    top1_agreement: float
    max_score_error: float
    mean_score_error: float
    cam_correlation: float
    min_cam_correlation: float
    box_iou: float
    boxes: int
    worst: tuple[tuple[str, float], ...]

    def rows(self) -> list[tuple[str, str]]:
        """The figures, named, for people."""
        kind = "photographs" if self.photographs else "generated images"
        return [
            ("images", f"{self.images} {kind}"),
            ("top-1 agreement", f"{self.top1_agreement:.1%}"),
            ("score error", f"mean {self.mean_score_error:.4f}, max {self.max_score_error:.4f}"),
            ("CAM correlation", f"mean {self.cam_correlation:.4f}, min {self.min_cam_correlation:.4f}"),
            ("box IoU", f"mean {self.box_iou:.3f} of {self.boxes}"),
            *((f"worst box {rank}", f"{iou:.3f}  {name}") for rank, (name, iou) in enumerate(self.worst, 1)),
        ]


def compare(network: KerasNetwork, model: ModelFile, sample: Sample) -> list[Agreement]:
    """Run a Keras model and the file made from it on the same images.

    Args:
        network: as it was trained.
        model: the file, with its card, which rules how both find boxes.
        sample: the images.
    """
    expected, found = Localizer(model, network=network), Localizer(model)
    names = sample.names or [f"generated {number}" for number in range(len(sample.pixels))]
    return [
        Agreement(
            name, *(localizer.localize(Photo(pixels, network.input_hw)) for localizer in (expected, found))
        )
        for name, pixels in zip(names, sample.pixels, strict=True)
    ]


def summarize(agreements: Sequence[Agreement], photographs: bool) -> Parity:
    """Draw the figures together."""
    errors = np.stack([agreement.score_error for agreement in agreements])
    correlations = [agreement.cam_correlation for agreement in agreements if agreement.same_class] or [0.0]
    boxed = list(_boxed(agreements))
    return Parity(
        images=len(agreements),
        photographs=photographs,
        top1_agreement=sum(agreement.same_class for agreement in agreements) / len(agreements),
        max_score_error=float(errors.max()),
        mean_score_error=float(errors.mean()),
        cam_correlation=float(np.mean(correlations)),
        min_cam_correlation=min(correlations),
        box_iou=float(np.mean([iou for iou, _ in boxed])) if boxed else 1.0,
        boxes=len(boxed),
        worst=tuple((agreement.name, iou) for iou, agreement in boxed[:WORST]),
    )


def _boxed(agreements: Sequence[Agreement]) -> Iterator[tuple[float, Agreement]]:
    """The images with a box, the worst first."""
    ious = [(agreement.box_iou, number) for number, agreement in enumerate(agreements)]
    for iou, number in sorted((iou, number) for iou, number in ious if iou is not None):
        yield iou, agreements[number]


def write_pictures(agreements: Sequence[Agreement], sample: Sample, folder: Path) -> list[Path]:
    """Draw the worst boxes: Keras's on the left, the file's on the right.

    Args:
        agreements: one for each image of the sample.
        sample: the images.
        folder: is made if need be.

    Returns:
        The pictures, the worst first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pixels = {id(agreement): image for agreement, image in zip(agreements, sample.pixels, strict=True)}
    paths = []
    for rank, (iou, agreement) in enumerate(list(_boxed(agreements))[:WORST], 1):
        halves = [_picture(pixels[id(agreement)], found) for found in (agreement.keras, agreement.file)]
        path = folder / f"worst{rank}-iou{iou:.2f}-{Path(agreement.name).stem}.jpg"
        write_atomically(path, to_jpeg(side_by_side(*halves)))
        paths.append(path)
    return paths


def _picture(pixels: UInt8, found: Localization) -> UInt8:
    return draw_boxes(draw_heat(pixels, found), found)
