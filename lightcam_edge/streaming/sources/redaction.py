"""Keeps passwords out of everything that is said."""

import contextlib
import os
import re
import threading
from collections.abc import Iterator

HIDDEN = "***"
# Up to the last @: passwords hold unescaped @ and / more often than paths hold @. OpenCV's log lines
# begin with a thread and a time, as in WARN:3@14.395.
_LOGIN = re.compile(
    r"""(?P<scheme>\b[A-Za-z][A-Za-z0-9+.-]*://)?(?<![^\s"'<>/:@])(?!(?:WARN|ERROR|INFO|DEBUG|FATAL):\d+@\d)"""
    r"""[^\s"'<>/:@]*:(?!//)[^\s"'<>]*@"""
)
_NAMELESS_LOGIN = re.compile(r"""(?P<scheme>\b[A-Za-z][A-Za-z0-9+.-]*://)[^\s"'<>]*@""")
# Cameras take them in the query (user=…&pwd=…), and some in the path (user=…_password=…_channel=1).
_PARAMETER = re.compile(
    r"""(?P<name>(?:user|username|usr|login|loginuse|loginpas|pass|password|passwd|pwd|token|access_token"""
    r"""|auth|key|api_?key|secret|signature)=)(?:(?!_(?:pass|channel|stream|user))[^\s"'<>&;])*""",
    re.IGNORECASE,
)


def redact(text: object) -> str:
    """Hide user names, passwords and tokens of URLs in a text.

    Args:
        text: anything that may hold a URL, whole or as part of a message.
    """
    hidden = _LOGIN.sub(rf"\g<scheme>{HIDDEN}@", str(text))
    hidden = _NAMELESS_LOGIN.sub(rf"\g<scheme>{HIDDEN}@", hidden)
    return _PARAMETER.sub(rf"\g<name>{HIDDEN}", hidden)


@contextlib.contextmanager
def native_log_redacted() -> Iterator[None]:
    """Redact what native libraries, or anything else, writes to file descriptor 2.

    FFmpeg, GStreamer and OpenCV name the URL they fail on. It belongs to the
    whole process, and may be held inside `native_log_hushed`.
    """
    saved = os.dup(2)
    read_end, write_end = os.pipe()
    pump = threading.Thread(target=_pump, args=(read_end, saved), name="stderr redaction", daemon=True)
    pump.start()
    os.dup2(write_end, 2)
    os.close(write_end)
    try:
        yield
    finally:
        os.dup2(saved, 2)  # the pipe's last writing end closes, and the pump sees its end
        pump.join(timeout=1.0)
        os.close(saved)


def _pump(read_end: int, out: int) -> None:
    with os.fdopen(read_end, "r", errors="backslashreplace") as lines:
        for line in lines:
            with contextlib.suppress(OSError):
                os.write(out, redact(line).encode())
