"""Everyone who listens to a stream, as the options name them."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightcam_edge.errors import LightcamError, UsageError
from lightcam_edge.localizer import Localizer
from lightcam_edge.streaming.console import CLEAR, event_line
from lightcam_edge.streaming.event_queue import QueueSettings
from lightcam_edge.streaming.json_lines import JsonLines, RotatingFile, result_record
from lightcam_edge.streaming.messages import CameraStatus, Event, StreamResult
from lightcam_edge.streaming.output_pipe import OutputPipe
from lightcam_edge.streaming.pipeline import Pipeline
from lightcam_edge.streaming.ports import Sink
from lightcam_edge.streaming.recording import SUFFIXES, Recording, RecordingPlan
from lightcam_edge.streaming.snapshots import Kept, SnapshotFolder
from lightcam_edge.streaming.steering import Steering
from lightcam_edge.streaming.worker import Worker

if TYPE_CHECKING:
    from lightcam_edge.streaming.mqtt_settings import MqttSettings
    from lightcam_edge.streaming.page.settings import PageSettings
    from lightcam_edge.streaming.webhook_settings import WebhookSettings

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who listens, checked but not opened yet.

    Args:
        values: by name of the option.
        page: None where no page is served.
        mqtt: None where no broker is told.
        webhook: None where none is called.
        recording: None where no video is written.
    """

    values: Values
    page: "PageSettings | None" = None
    mqtt: "MqttSettings | None" = None
    webhook: "WebhookSettings | None" = None
    recording: RecordingPlan | None = None

    @classmethod
    def parse(
        cls, values: Values, at: Callable[[str], AbstractContextManager[object]] = nullcontext
    ) -> "Listeners":
        """Read their options.

        Args:
            values: by name of the option.
            at: entered for each listener with the name of its option; may do something about errors.

        Raises:
            UsageError: if they do not make sense.
        """
        made: dict[str, Any] = {}
        for name, option, read in (
            ("page", "serve", _page),
            ("mqtt", "mqtt", _mqtt),
            ("webhook", "webhook", _webhook),
            ("recording", "video", _recording),
        ):
            with at(option):
                made[name] = read(values)
        return cls(values, **made)

    @property
    def want_pictures(self) -> bool:
        """Whether anyone looks at whole pictures; else the model's input size is enough."""
        return bool(self.recording or self.page or self.want_snapshots)

    @property
    def want_snapshots(self) -> bool:
        """Whether events need pictures."""
        return bool(self.values["snapshots"] or self.mqtt or (self.webhook and self.webhook.snapshots))

    def open(self, pipeline: Pipeline, stdout: OutputPipe) -> list[Sink]:
        """Open files and connections.

        Args:
            pipeline: the stream.
            stdout: where lines are printed.

        Raises:
            LightcamError: if one cannot be opened.
        """
        sinks: list[Sink] = []
        if self.page is not None:
            sinks.append(_open_page(self.page, pipeline))
        with _told():
            sinks += self._open_files(pipeline)
        sinks += self._open_stdout(pipeline, stdout)
        return sinks + self._open_connections(pipeline)

    def _open_files(self, pipeline: Pipeline) -> list[Sink]:
        values, sinks, patient = self.values, list[Sink](), pipeline.is_patient
        if values["log"]:
            log = RotatingFile(values["log"], values["log_size"], values["log_files"])
            name = f"log {values['log']}"
            sinks.append(JsonLines(name, log.write, values["lines"], describer(pipeline), log.close, patient))
        if values["snapshots"]:
            kept = Kept(values["snapshots_files"], values["snapshots_size"])
            sinks.append(SnapshotFolder(values["snapshots"], kept, patient))
        if self.recording is not None:
            several = len(pipeline.watched) > 1
            sinks += [
                Recording(self.recording, name, name if several else "", patient) for name in pipeline.watched
            ]
        return sinks

    def _open_stdout(self, pipeline: Pipeline, stdout: OutputPipe) -> list[Sink]:
        if self.values["as_json"]:
            patient, describe = pipeline.is_patient, describer(pipeline)
            return [JsonLines("stdout", stdout.write, self.values["lines"], describe, patient=patient)]
        return [] if self.values["quiet"] else [EventLines(stdout.write, CLEAR if _share_a_line() else "")]

    def _open_connections(self, pipeline: Pipeline) -> list[Sink]:
        sinks: list[Sink] = []
        queue = _queue(self.values)
        if self.mqtt is not None:
            from lightcam_edge.streaming.mqtt import MqttSink

            sinks.append(MqttSink(self.mqtt, tuple(pipeline.watched), pipeline.model.card.name, queue))
        if self.webhook is not None:
            from lightcam_edge.streaming.webhook import WebhookSink

            sinks.append(WebhookSink(self.webhook, queue))
        return sinks


class EventLines:
    """A sink that prints events as lines to read.

    Args:
        write: writes one line, in a thread of its own.
        before: written in front of each.
    """

    def __init__(self, write: Callable[[str], None], before: str = "") -> None:
        self._before = before
        self._worker = Worker("stdout", write, 1000)

    def result(self, result: StreamResult) -> None:
        """Nothing."""

    def event(self, event: Event) -> None:
        """Print an object that came or went."""
        if event.kind != "update":
            self._worker.give(self._before + event_line(event))

    def status(self, status: CameraStatus) -> None:
        """Nothing: states are told on stderr."""

    def close(self) -> None:
        """Print what waits."""
        self._worker.close()


def _share_a_line() -> bool:
    """Whether events and the line that changes are on one terminal."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdout, sys.stderr))


def describer(pipeline: Pipeline) -> Callable[[str], tuple[str, Localizer]]:
    """Gives the source and the localizer of a camera, for its records."""
    sources = {name: str(watched.plan.spec) for name, watched in pipeline.watched.items()}  # redacted once

    def describe(camera: str) -> tuple[str, Localizer]:
        return sources[camera], pipeline.watched[camera].localizer

    return describe


def _open_page(settings: "PageSettings", pipeline: Pipeline) -> Sink:
    from lightcam_edge.streaming.page.server import Page

    describe = describer(pipeline)

    def record(result: StreamResult) -> dict[str, Any]:
        return result_record(result, *describe(result.frame.camera))

    page = Page(settings, Steering(pipeline), record)
    page.start()
    print(f"live page: {page.address}", file=sys.stderr)
    return page


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LightcamError(f"cannot write to {error.filename}: {error.strerror}") from error


def _recording(values: Values) -> RecordingPlan | None:
    path: Path | None = values["video"]
    if path is None:
        return None
    if path.suffix not in SUFFIXES:
        raise UsageError(f"--video {path} ends in neither {' nor '.join(SUFFIXES)}: give it one of them")
    return RecordingPlan(path, values["video_fps"], values["video_segment"] or 0.0, values["video_keep"])


def _page(values: Values) -> "PageSettings | None":
    if not values["serve"]:
        return None
    from lightcam_edge.streaming.page.settings import PageSettings, parse_address, read_token

    host, port = parse_address(values["serve"])
    token = read_token(values["token_file"])
    return PageSettings(host, port, token, values["certificate"], values["certificate_key"])


def _mqtt(values: Values) -> "MqttSettings | None":
    if not values["mqtt"]:
        return None
    from lightcam_edge.streaming.mqtt_settings import MqttSettings

    return MqttSettings.parse(
        values["mqtt"],
        values["mqtt_prefix"],
        values["mqtt_client_id"],
        values["mqtt_credentials_file"],
        values["mqtt_ca_file"],
        values["mqtt_certificate_file"],
        values["mqtt_key_file"],
        values["mqtt_discovery"] or None,
        values["mqtt_expiry"],
    )


def _webhook(values: Values) -> "WebhookSettings | None":
    if not values["webhook"]:
        return None
    from lightcam_edge.streaming.webhook_settings import WebhookSettings

    return WebhookSettings.parse(
        values["webhook"],
        values["webhook_secret_file"],
        values["webhook_ca_file"],
        values["webhook_timeout"],
        values["webhook_snapshots"],
    )


def _queue(values: Values) -> QueueSettings:
    limits = {"max_events": values["queue_events"], "max_bytes": values["queue_size"]}
    return QueueSettings(values["queue"], **limits) if values["queue"] else QueueSettings(**limits)
