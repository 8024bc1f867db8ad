"""Whether the clock is right: TLS certificates and the times of events depend on it."""

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from lightcam_edge.doctor.finding import Finding

# A board without a battery wakes up in its past: no clock that is right says less than this.
EARLIEST = datetime(2026, 1, 1, tzinfo=timezone.utc)
OTHERS = {
    "run/chrony/chronyd.pid": "chronyc tracking",
    "run/chronyd.pid": "chronyc tracking",
    "run/ntpd.pid": "ntpq -p",
}


def check_time(root: Path, now: datetime) -> Iterator[Finding]:
    """Judge the clock.

    Args:
        root: the folder under which `run` and `lib` lie.
        now: what the clock says.
    """
    facts = {"now": now.isoformat(timespec="seconds")}
    if now < EARLIEST:
        message = f"the clock says {now:%Y-%m-%d}: certificates are refused, and events get wrong times"
        fix = f"{_switch_on(root)}; without a network: sudo date -s 'YYYY-MM-DD HH:MM'"
        yield Finding("time", "clock", "fail", message, fix, facts)
    yield _synchronized(root)


def _synchronized(root: Path) -> Finding:
    timesync = root / "run/systemd/timesync"
    if (timesync / "synchronized").exists():
        return Finding("time", "synchronized", "ok", "systemd-timesyncd has set the clock")
    for pid, look in OTHERS.items():
        if (root / pid).exists():
            name = Path(pid).stem
            return Finding("time", "synchronized", "ok", f"{name} keeps the clock; how well tells: {look}")
    if not (root / "run/systemd/system").exists():
        message = "nothing here keeps the clock; in a container the host does"
        return Finding("time", "synchronized", "info", message)
    if timesync.exists():
        message = "systemd-timesyncd has not reached a server yet"
        fix = "timedatectl timesync-status, and let UDP port 123 out"
        return Finding("time", "synchronized", "warn", message, fix)
    return Finding("time", "synchronized", "warn", "nothing keeps the clock", _switch_on(root))


def _switch_on(root: Path) -> str:
    switch = "sudo timedatectl set-ntp true"
    is_there = any((root / folder / "systemd/systemd-timesyncd").exists() for folder in ("usr/lib", "lib"))
    return switch if is_there else f"sudo apt install systemd-timesyncd && {switch}"
