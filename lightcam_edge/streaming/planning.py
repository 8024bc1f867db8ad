"""Plans a stream's cameras from what the command line and the configuration file ask for."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

from lightcam_edge.errors import LightcamError, UsageError
from lightcam_edge.localizer import Options
from lightcam_edge.streaming.config import Config, expand
from lightcam_edge.streaming.sources.grammar import CaptureOptions, check_options, parse_source
from lightcam_edge.streaming.sources.opening import check_readable
from lightcam_edge.streaming.sources.patience import Patience
from lightcam_edge.streaming.steadiness import Steadiness
from lightcam_edge.streaming.watched import CameraPlan

Values = Mapping[str, Any]
Size = tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is wished for, by name of the option, from three sides of which the later wins.

    Args:
        defaults: values where nobody says anything.
        config: the file, its values by name of the option too.
        given: what the command line says.
        sources: the command line's cameras, by name; instead of the file's where there are any.
    """

    defaults: Values
    config: Config = field(default_factory=Config)
    given: Values = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def of_stream(self) -> dict[str, Any]:
        """What all cameras share."""
        return {**self.defaults, **self.config.options, **self.given}

    def of_camera(self, name: str) -> dict[str, Any]:
        """What one camera has, `source` or `source-file` among it."""
        section = self.config.cameras.get(name, {})
        own = {"source": expand(self.sources[name])} if name in self.sources else {}
        return {**self.defaults, **self.config.options, **section, **self.given, **own}

    def place(self, option: str) -> str:
        """Where in the file an option of all cameras stands; empty where that does not count."""
        return "" if option in self.given else self.config.place(option)

    def place_of_camera(self, name: str) -> str:
        """Where in the file a camera stands; empty where the command line names its source."""
        return "" if name in self.sources else self.config.place("cameras", name, "source")

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras wished for.

        Raises:
            UsageError: if there is none.
        """
        names = tuple(self.sources or self.config.cameras)
        if not names:
            raise UsageError(
                "there is no camera: name one, such as 0 or rtsp://HOST/PATH, or give a --config FILE "
                "with [cameras.NAME]"
            )
        return names


def named_sources(sources: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """Give each source of the command line a name.

    Args:
        sources: as the user names them.
        names: as many, or none.

    Raises:
        UsageError: if there are fewer or more, the same twice, or one that a file or topic cannot bear.
    """
    if not names:
        names = (
            ["camera"] if len(sources) == 1 else [f"camera-{number + 1}" for number in range(len(sources))]
        )
    if len(names) != len(sources):
        raise UsageError(f"{len(names)} times --name for {len(sources)} cameras: give each a name, or none")
    if len(set(names)) < len(names):
        raise UsageError(
            f"two cameras are called {max(names, key=list(names).count)}: give each its own name"
        )
    for name in names:
        if not re.fullmatch(r"[\w-]+", name, re.ASCII):
            raise UsageError(f"a camera cannot be called {name!r}: take letters, digits, - and _")
    return dict(zip(names, sources, strict=True))


def check_together(plans: Sequence[CameraPlan]) -> None:
    """Refuse cameras that cannot be watched together.

    Raises:
        UsageError: if two of them read stdin.
    """
    readers = [plan.name for plan in plans if plan.spec.kind == "stdin"]
    if len(readers) > 1:
        raise UsageError(
            f"{' and '.join(readers)} read stdin: only one camera can, give the others addresses"
        )


def plan_camera(
    wishes: Wishes, name: str, model_options: Callable[[Values], Options], enough_hw: Size = None
) -> CameraPlan:
    """Plan a camera.

    Args:
        wishes: what is wanted.
        name: of the camera.
        model_options: how objects are found, of a camera's values.
        enough_hw: a size that is enough for its pictures; None for full size.

    Raises:
        LightcamError: if its values do not make sense; says where in the file it stands.
    """
    with placed(wishes.place_of_camera(name)):
        return _plan(name, wishes.of_camera(name), model_options, enough_hw)


@contextmanager
def placed(place: str) -> Iterator[None]:
    """Add to errors where in the file stands what they are about; nothing where that is empty."""
    try:
        yield
    except (LightcamError, ValueError) as error:
        kind = type(error) if isinstance(error, LightcamError) else UsageError
        raise kind(f"{place}: {error}" if place else str(error)) from error


def _plan(
    name: str,
    values: Values,
    model_options: Callable[[Values], Options],
    enough_hw: Size,
) -> CameraPlan:
    spec = parse_source(values["source-file"] if "source" not in values else values["source"])
    capture = CaptureOptions(
        **{key: values[key] for key in ("width", "height", "fps", "flip", "loop", "every_frame")},
        rotate=int(values["rotate"]),  # type: ignore[arg-type]
        pixel_format=values["pixel_format"],
        enough_hw=enough_hw,
    )
    check_options(spec, capture)
    check_readable(spec)
    steadiness = Steadiness(**{one.name: values[one.name] for one in fields(Steadiness)})
    patience = Patience(stall_timeout=values["stall_timeout"], frozen_after=values["frozen_after"])
    return CameraPlan(name, spec, capture, model_options(values), steadiness, patience)
