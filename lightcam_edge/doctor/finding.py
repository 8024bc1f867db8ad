"""One thing that was looked at, how it is, and what mends it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Level = Literal["ok", "info", "warn", "fail"]
LEVELS: tuple[Level, ...] = get_args(Level)
Area = Literal[
    "system",
    "python",
    "runtime",
    "opencv",
    "models",
    "cpu",
    "clocks",
    "storage",
    "time",
    "cameras",
    "network",
]
AREAS: tuple[Area, ...] = get_args(Area)


@dataclass(frozen=True, slots=True)
class Finding:
    """How one thing is.

    Args:
        area: what it belongs to.
        check: its name within the area, the same in every version.
        level: `ok`; `info` where there is nothing to mend or nothing to judge by; `warn` where something
            works less well than it could; `fail` where something does not work.
        message: what was seen, in lower case.
        fix: the command, or the deed, that mends it; `warn` and `fail` always have one.
        facts: what was seen, for programs.

    Raises:
        ValueError: if something is wrong and nothing is said to mend it.
    """

    area: Area
    check: str
    level: Level
    message: str
    fix: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.level in ("warn", "fail") and not self.fix:
            raise ValueError(f"{self.area}.{self.check} tells of trouble and not what mends it")
