"""Findings as text for a terminal, and as JSON."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from lightcam_edge import __version__
from lightcam_edge.doctor.finding import LEVELS, Finding

SCHEMA_VERSION = 1
WIDTH = max(map(len, LEVELS))


def to_text(findings: Sequence[Finding]) -> str:
    """A line for each finding, grouped by area, what mends it below, and a summary at the end."""
    lines = []
    for area, group in groupby(findings, key=lambda finding: finding.area):
        lines.append(area)
        for finding in group:
            lines.append(f"  {finding.level:<{WIDTH}}  {finding.message}")
            if finding.fix:
                lines.append(f"  {'':<{WIDTH}}  -> {finding.fix}")
    return "\n".join([*lines, "", summary(findings)])


def summary(findings: Sequence[Finding]) -> str:
    """How many fail and warn."""
    fails, warns = (sum(finding.level == level for finding in findings) for level in ("fail", "warn"))
    if not fails and not warns:
        return "all is well"
    return f"{fails} {'fails' if fails == 1 else 'fail'}, {warns} {'warning' if warns == 1 else 'warnings'}"


def to_dict(findings: Sequence[Finding]) -> dict[str, Any]:
    """What `--json` prints; docs/doctor.md tells of it."""
    return {
        "schema": "lightcam-edge/doctor",
        "schema_version": SCHEMA_VERSION,
        "lightcam_edge": __version__,
        "worst": worst(findings),
        "findings": [
            {
                "area": finding.area,
                "check": finding.check,
                "level": finding.level,
                "message": finding.message,
                "fix": finding.fix,
                "facts": dict(finding.facts),
            }
            for finding in findings
        ],
    }


def worst(findings: Sequence[Finding]) -> str:
    """The highest level among them."""
    return max((finding.level for finding in findings), key=LEVELS.index, default="ok")
