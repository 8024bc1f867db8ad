"""What a stream asks of those who listen to it, and what it offers to those who steer it."""

from typing import Protocol

from lightcam_edge.choices import Method
from lightcam_edge.streaming.messages import CameraFigures, CameraStatus, Event, StreamResult


class Sink(Protocol):
    """Takes results, events and states. No call may block: what is slow belongs in the sink's own thread."""

    def result(self, result: StreamResult) -> None:
        """Take the result of a frame; called for every one, from one thread."""
        ...

    def event(self, event: Event) -> None:
        """Take an event; called in order, from one thread."""
        ...

    def status(self, status: CameraStatus) -> None:
        """Take a camera's new state; called from one thread."""
        ...

    def close(self) -> None:
        """Finish what is under way, within a second; called once, last."""
        ...


class Controls(Protocol):
    """The running stream, as the live page and the service see it."""

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras, in the order configured."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the model by class index, background included."""
        ...

    @property
    def model_name(self) -> str:
        """Name of the model, from its card."""
        ...

    @property
    def has_background(self) -> bool:
        """Whether br-avgcam can be chosen."""
        ...

    def figures(self, camera: str) -> CameraFigures:
        """Counts and times of a camera, now; any thread may ask."""
        ...

    def threshold(self, camera: str) -> float:
        """Share of the map's peak above which a pixel counts."""
        ...

    def method(self, camera: str) -> Method:
        """How the map is made."""
        ...

    def adjust(self, camera: str, threshold: float | None = None, method: Method | None = None) -> None:
        """Take other settings from the next frame on.

        Raises:
            UsageError: if a value is out of range, or the model has no background class for br-avgcam.
        """
        ...

    def save_to_card(self, camera: str) -> None:
        """Write a camera's threshold and method into the model file's card.

        Raises:
            LightcamError: if the file cannot be written, or is a bundled model.
        """
        ...
