"""A stream's settings in a TOML file: every option under its own name, and a section a camera."""

import difflib
import importlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightcam_edge.errors import RuntimeMissingError, UsageError

CAMERAS = "cameras"
SOURCES = ("source", "source-file")
Check = Callable[[Any], Any]
Lines = Mapping[tuple[str, ...], int]
_VARIABLE = re.compile(r"\$\$|\$\{([^}]*)\}")
_TABLE = re.compile(r"\s*\[\[?(?P<name>[^\[\]]+)\]\]?\s*(?:#.*)?")
_KEY = re.compile(r"""\s*(?P<name>(?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")


class ConfigError(UsageError):
    """A configuration file does not make sense, in one place or several.

    Args:
        problems: a line each, as `FILE:LINE: KEY: what, why, the fix`.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        more = len(self.problems) - 1
        super().__init__(self.problems[0] + (f" (and {more} more: --check-config)" if more else ""))


@dataclass(frozen=True, slots=True)
class Config:
    """What a file says.

    Args:
        path: the file; None where there is none.
        options: values by name of the option.
        cameras: the same for each camera, `source` among them.
        lines: where each key stands, by its path.
    """

    path: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    cameras: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    lines: Lines = field(default_factory=dict)

    def place(self, *key: str) -> str:
        """Where a key stands, or the table it is in, as `FILE:LINE: KEY`; empty where neither is there."""
        if key not in self.lines:
            return self.place(*key[:-1]) if len(key) > 1 else ""
        return f"{self.path}:{self.lines[key]}: {'.'.join(key)}"


def read_config(
    path: Path,
    checks: Mapping[str, Check],
    of_camera: Iterable[str],
    environment: Mapping[str, str] = os.environ,
) -> Config:
    """Read and validate a file.

    Args:
        path: the file.
        checks: takes the value of each known option, and raises `UsageError` where it makes no sense.
        of_camera: which of them a camera may have for itself, `source` among them.
        environment: where `${VARIABLE}` is looked up.

    Raises:
        ConfigError: tells everything that is wrong.
        RuntimeMissingError: if there is no TOML reader.
    """
    text = _text(path)
    values = _parse(path, text)
    reader = _Reader(path, lines_of(text), checks, frozenset(of_camera), environment)
    config = reader.read(values)
    if reader.problems:
        raise ConfigError(reader.problems)
    return config


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError([f"cannot read {path}: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path} is no UTF-8 text: save it as such"]) from error


def _parse(path: Path, text: str) -> dict[str, Any]:
    toml = _toml()
    try:
        values: dict[str, Any] = toml.loads(text)
    except toml.TOMLDecodeError as error:
        found = re.search(r"\s*\(at (?:line (\d+), column \d+|end of document)\)", str(error))
        line = found[1] if found and found[1] else text.count("\n") + 1
        message = str(error).replace(found[0], "") if found else str(error)
        raise ConfigError([f"{path}:{line}: {message[:1].lower()}{message[1:]}: see toml.io"]) from error
    return values


def _toml() -> Any:
    try:
        return importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    except ImportError as error:
        raise RuntimeMissingError(
            "a configuration file needs tomli: pip install 'lightcam-edge[stream]'"
        ) from error


def lines_of(text: str) -> dict[tuple[str, ...], int]:
    """The line, counted from 1, in which each key and each table of a TOML text begins."""
    table: tuple[str, ...] = ()
    lines: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := _TABLE.fullmatch(line):
            table = _path_of(header["name"])
            for depth in range(1, len(table) + 1):
                lines.setdefault(table[:depth], number)
        elif key := _KEY.match(line):
            lines.setdefault(table + _path_of(key["name"]), number)
    return lines


def _path_of(name: str) -> tuple[str, ...]:
    parts = re.findall(r"""[\w-]+|"[^"]*"|'[^']*'""", name)
    return tuple(part.strip("\"'") for part in parts)


@dataclass(slots=True)
class _Reader:
    """Goes through a file's values and gathers what is wrong with them."""

    path: Path
    lines: Lines
    checks: Mapping[str, Check]
    of_camera: frozenset[str]
    environment: Mapping[str, str]
    problems: list[str] = field(default_factory=list)

    def read(self, values: dict[str, Any]) -> Config:
        """Validate everything."""
        sections = values.pop(CAMERAS, {})
        options = self._table(values, (), {name for name in self.checks if name not in SOURCES})
        if not isinstance(sections, dict):
            self._complain((CAMERAS,), f"is no table: write [{CAMERAS}.NAME] above each camera's settings")
            sections = {}
        cameras = {name: self._camera(name, section) for name, section in sections.items()}
        return Config(self.path, options, cameras, self.lines)

    def _camera(self, name: str, section: Any) -> dict[str, Any]:
        where = (CAMERAS, name)
        if not isinstance(section, dict):
            self._complain(where, f"is no table: write [{CAMERAS}.{name}] above the camera's settings")
            return {}
        if not re.fullmatch(r"[\w-]+", name, re.ASCII):
            self._complain(
                where, "has a name that files and topics cannot bear: take letters, digits, - and _"
            )
        if not any(key in section for key in SOURCES):
            self._complain(where, 'has no source: write source = "rtsp://..." or another')
        return self._table(section, where, self.of_camera)

    def _table(
        self, values: Mapping[str, Any], where: tuple[str, ...], known: Iterable[str]
    ) -> dict[str, Any]:
        checked = {}
        for key, value in values.items():
            if key not in known:
                self._complain((*where, key), self._unknown(key, known, bool(where)))
                continue
            try:
                checked[key] = self.checks[key](self._expanded(value))
            except UsageError as error:
                self._complain((*where, key), str(error))
        return checked

    def _unknown(self, key: str, known: Iterable[str], in_camera: bool) -> str:
        if in_camera and key in self.checks:
            return "is for all cameras: write it above the first [table]"
        if not in_camera and key in SOURCES:
            return f"belongs to a camera: write it under [{CAMERAS}.NAME]"
        if not in_camera and difflib.get_close_matches(key, [CAMERAS]):
            return f"is no setting: a camera stands under [{CAMERAS}.NAME]"
        near = difflib.get_close_matches(key.replace("_", "-"), list(known), 1)
        return "is no setting: " + (
            f"did you mean {near[0]}?" if near else "see `lightcam-edge stream --help`"
        )

    def _expanded(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._expanded(one) for one in value]
        return expand(value, self.environment) if isinstance(value, str) else value

    def _complain(self, key: tuple[str, ...], text: str) -> None:
        place = Config(self.path, lines=self.lines).place(*key) or f"{self.path}: {'.'.join(key)}"
        last = "" if place.endswith(key[-1]) else f".{key[-1]}"
        self.problems.append(f"{place}{last}: {text}")


def expand(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """Put the values of environment variables in the place of `${NAME}`; `$$` is a dollar sign.

    Raises:
        UsageError: if a variable is not set.
    """

    def value(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        if found[1] not in environment:
            raise UsageError(
                f"the variable {found[1]} is not set: export it, or give the unit an EnvironmentFile"
            )
        return environment[found[1]]

    return _VARIABLE.sub(value, text)
