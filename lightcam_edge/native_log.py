"""Keeps what native libraries write to stderr from the user."""

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def native_log_hushed() -> Iterator[None]:
    """Send file descriptor 2 nowhere while Python's own stderr goes on.

    OpenCV, libjpeg, FFmpeg and TFLite write to the descriptor whatever a
    program asks of them. It belongs to the whole process: the command line
    holds this for all of its time, the library only while it loads a model.
    """
    stderr = sys.stderr
    if stderr is None:  # a service may have none
        yield
        return
    saved = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    stderr.flush()
    try:
        with os.fdopen(os.dup(saved), "w", buffering=1, errors="backslashreplace") as ours:
            if _writes_to(stderr, 2):
                sys.stderr = ours
            os.dup2(nowhere, 2)
            yield
    finally:
        sys.stderr = stderr
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


def _writes_to(stream: object, descriptor: int) -> bool:
    try:
        return bool(stream.fileno() == descriptor)  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return False
