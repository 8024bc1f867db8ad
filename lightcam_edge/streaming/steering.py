"""The running stream, as the live page sees and steers it."""

from lightcam_edge.catalogue import bundled_models
from lightcam_edge.choices import Method
from lightcam_edge.errors import ModelFileError
from lightcam_edge.streaming.messages import CameraFigures
from lightcam_edge.streaming.pipeline import Pipeline


class Steering:
    """Implements `ports.Controls` on a pipeline.

    Args:
        pipeline: the stream.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._card = pipeline.model.card

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras, in the order configured."""
        return tuple(self._pipeline.watched)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the model by class index, background included."""
        return self._card.labels

    @property
    def model_name(self) -> str:
        """Name of the model, from its card."""
        return self._card.name

    @property
    def has_background(self) -> bool:
        """Whether br-avgcam can be chosen."""
        return self._card.background is not None

    def figures(self, camera: str) -> CameraFigures:
        """Counts and times of a camera, now; any thread may ask."""
        return self._pipeline.figures(camera)

    def threshold(self, camera: str) -> float:
        """Share of the map's peak above which a pixel counts."""
        return self._pipeline.watched[camera].threshold

    def method(self, camera: str) -> Method:
        """How the map is made."""
        return self._pipeline.watched[camera].method

    def adjust(self, camera: str, threshold: float | None = None, method: Method | None = None) -> None:
        """Take other settings from the next frame on.

        Raises:
            UsageError: if a value is out of range, or the model has no background class for br-avgcam.
        """
        self._pipeline.watched[camera].adjust(threshold, method)

    def save_to_card(self, camera: str) -> None:
        """Write a camera's threshold and method into the model file's card.

        Raises:
            LightcamError: if the file cannot be written, or is a bundled model.
        """
        from lightcam_edge.commands.card import changed
        from lightcam_edge.model_file import read_model, rewrite_card

        path = self._pipeline.model.model.path
        if path in bundled_models().values():
            raise ModelFileError(f"{path.name} comes with the program: copy it, and stream with --model COPY")
        card = read_model(path).card
        if card is None:
            raise ModelFileError(f"{path} has no model card: convert it with `lightcam-edge convert`")
        choices = {"cam.threshold": self.threshold(camera), "cam.method": f'"{self.method(camera)}"'}
        rewrite_card(path, changed(card, tuple(f"{key}={value}" for key, value in choices.items())))
