"""Resident memory of this process."""

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Resident:
    """Memory that is in RAM.

    Args:
        now: in bytes.
        peak: the most it ever was, in bytes.
    """

    now: int
    peak: int


def read_resident(root: Path = Path("/")) -> Resident:
    """Read this process's resident memory; 0 where the kernel does not tell.

    Args:
        root: the folder under which `proc` lies.
    """
    status = root / "proc/self/status"
    text = status.read_text() if status.exists() else ""
    values = {
        name: int(kilobytes) * 1024 for name, kilobytes in re.findall(r"^(Vm\w+):\s+(\d+) kB", text, re.M)
    }
    return Resident(values.get("VmRSS", 0), values.get("VmHWM", 0))
