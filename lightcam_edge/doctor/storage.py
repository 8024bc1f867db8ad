"""Free space, and file systems that keep nothing."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lightcam_edge.doctor.finding import Finding, Level

LITTLE_BYTES = 500_000_000
TOO_LITTLE_BYTES = 50_000_000
MAKE_ROOM = (
    "sudo apt clean && sudo journalctl --vacuum-size=50M; what is large tells: sudo du -xh -d2 / | sort -h"
)


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that the program writes to, and the file system under it.

    Args:
        path: of the folder.
        mounted_on: where its file system is mounted.
        kind: of file system, such as `ext4`.
        read_only: whether it is mounted so.
        free: bytes that are free.
    """

    path: Path
    mounted_on: Path
    kind: str
    read_only: bool
    free: int


def read_place(root: Path, path: Path) -> Place:
    """Find the file system under a folder.

    Args:
        root: the folder under which `proc` lies, as well as `path`.
        path: the folder, from there; of one that does not exist, its nearest ancestor counts.
    """
    mounted_on, kind, options = max(
        ((at, kind, options) for at, kind, options in _mounts(root) if path.is_relative_to(at)),
        key=lambda mount: len(mount[0].parts),
        default=(Path("/"), "", ("rw",)),
    )
    existing = root / path.relative_to("/")
    while not existing.exists():
        existing = existing.parent
    return Place(path, mounted_on, kind, "ro" in options, shutil.disk_usage(existing).free)


def _mounts(root: Path) -> Iterator[tuple[Path, str, tuple[str, ...]]]:
    try:
        lines = (root / "proc/mounts").read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        _, at, kind, options, *_ = line.split()
        at = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), at)
        yield Path(at), kind, tuple(options.split(","))


def check_storage(places: list[Place]) -> Iterator[Finding]:
    """Judge the folders that the program writes to."""
    seen = set()
    for place in places:
        if place.mounted_on not in seen:
            seen.add(place.mounted_on)
            yield _place(place)
            yield from _kind(place)


def _place(place: Place) -> Finding:
    check = f"space {place.mounted_on}"
    facts = {
        "path": str(place.path),
        "mounted_on": str(place.mounted_on),
        "kind": place.kind,
        "read_only": place.read_only,
        "free": place.free,
    }
    if place.read_only:
        message = f"{place.path} cannot be written: {place.mounted_on} is mounted read-only"
        fix = f"sudo mount -o remount,rw {place.mounted_on}; where that fails: sudo dmesg | grep -i error"
        return Finding("storage", check, "warn", message, fix, facts)
    kind = f"{place.kind or 'unknown'} on {place.mounted_on}"
    message = f"{place.free / 1e9:.1f} GB free in {place.path} ({kind})"
    if place.free >= LITTLE_BYTES:
        return Finding("storage", check, "ok", message, facts=facts)
    level: Level = "fail" if place.free < TOO_LITTLE_BYTES else "warn"
    return Finding("storage", check, level, message, MAKE_ROOM, facts)


def _kind(place: Place) -> Iterator[Finding]:
    if place.kind == "overlay" and place.mounted_on == Path("/"):
        message = "the root is an overlay: what is written is gone after a restart"
        yield Finding("storage", "overlay", "info", message, "sudo raspi-config nonint disable_overlayfs")
