"""Runs a round in a process of its own, and brings back what it says.

It answers in JSON lines on its stdout, which it takes away from native
libraries before one is loaded.
"""

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lightcam_edge.errors import InputError, LightcamError, ModelFileError, RuntimeMissingError, UsageError

if TYPE_CHECKING:
    from lightcam_edge.benchmarking.measuring import Spec

ERRORS: dict[str, type[LightcamError]] = {
    kind.__name__: kind
    for kind in (LightcamError, InputError, UsageError, ModelFileError, RuntimeMissingError)
}
Values = dict[str, Any]


def measure_apart(spec: "Spec", tell: Callable[[Values], None] | None = None) -> Values:
    """Measure one model in another process.

    Args:
        spec: what and how.
        tell: is told of each minute of a long round.

    Returns:
        The fields of a `measuring.Round`.

    Raises:
        LightcamError: as `measuring.measure` does, or if the process crashes.
        RuntimeError: if there is a bug.
    """
    command = [sys.executable, "-m", __name__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdin is None or process.stdout is None:
            raise ValueError("a process without pipes")
        with suppress(BrokenPipeError), process.stdin as stdin:
            stdin.write(json.dumps(asdict(spec)))
        try:
            found = _listen(process.stdout, tell)
        except BaseException:
            process.kill()
            raise
    if found is None:
        how = f"signal {-process.returncode}" if process.returncode < 0 else f"exit code {process.returncode}"
        by = f"with {spec.delegate.library} " if spec.delegate else ""
        raise ModelFileError(f"{spec.model} {by}takes the runtime down ({how}): add --verbose to see why")
    return found


def _listen(lines: Iterable[str], tell: Callable[[Values], None] | None) -> Values | None:
    found = None
    for line in lines:
        ((kind, value),) = json.loads(line).items()
        if kind == "round":
            found = value
        elif kind == "minute" and tell:
            tell(value)
        elif kind in ERRORS:
            raise ERRORS[kind](value)
        elif kind == "bug":
            raise RuntimeError(f"the measuring process failed:\n{value}")
    return found


def _kind(error: LightcamError) -> str:
    """The nearest of its kinds that `measure_apart` can raise: a camera has its own."""
    return next(kind.__name__ for kind in type(error).__mro__ if kind.__name__ in ERRORS)


def main() -> None:
    """Measure what stdin asks for, and tell it to stdout."""
    started = time.perf_counter_ns()
    free = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, 3)  # 2 may be closed, and must not become ours
    answers = os.fdopen(free, "w", buffering=1, encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    import traceback
    import warnings
    from dataclasses import replace

    from lightcam_edge.benchmarking.measuring import Delegate, Spec, measure
    from lightcam_edge.interpreter import load_backend

    warnings.simplefilter("ignore")  # the result tells
    with answers:

        def say(kind: str, value: object) -> None:
            answers.write(json.dumps({kind: value}) + "\n")

        values = json.load(sys.stdin)
        values["delegate"] = Delegate(**values["delegate"]) if values["delegate"] else None
        try:
            load_backend(values["backend"])
            import_ms = (time.perf_counter_ns() - started) / 1e6
            found = measure(Spec(**values), tell=lambda minute: say("minute", asdict(minute)))
            say("round", asdict(replace(found, import_ms=import_ms)))
        except LightcamError as error:
            say(_kind(error), str(error))
        except Exception:
            say("bug", traceback.format_exc())


if __name__ == "__main__":
    main()
