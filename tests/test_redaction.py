import os
import subprocess
import sys

import pytest

from lightcam_edge.streaming.sources.redaction import redact


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://admin:geheim@cam/live", "rtsp://***@cam/live"),
        ("rtsp://admin:ge:he@im@cam/live", "rtsp://***@cam/live"),
        ("rtsp://admin:ge/heim@cam/live", "rtsp://***@cam/live"),
        ("rtsp://admin@cam/live", "rtsp://***@cam/live"),
        ("rtsp://:geheim@cam/live", "rtsp://***@cam/live"),
        ("cannot open 'http://a:geheim@cam/x' now", "cannot open 'http://***@cam/x' now"),
        ("a:geheim@cam", "***@cam"),
        ("http://cam/v?user=admin&pwd=geheim&fps=5", "http://cam/v?user=***&pwd=***&fps=5"),
        ("http://cam/v?Token=geheim", "http://cam/v?Token=***"),
        (
            "rtsp://cam/user=admin_password=geheim_channel=1_stream=0.sdp",
            "rtsp://cam/user=***_password=***_channel=1_stream=0.sdp",
        ),
        ("GET http://a:geheim@h1/x,http://b:geheim@h2/y", "GET http://***@h2/y"),
        ("rtsp://cam:8554/live", "rtsp://cam:8554/live"),
        ("[ WARN:3@14.395] global cap.cpp:212 open", "[ WARN:3@14.395] global cap.cpp:212 open"),
        ("error: mail me@home", "error: mail me@home"),
        ("http://127.0.0.1:80/a.mjpg gave no picture", "http://127.0.0.1:80/a.mjpg gave no picture"),
    ],
)
def test_logins_and_tokens_are_hidden_and_nothing_else(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_what_native_libraries_write_is_redacted() -> None:
    program = (
        "import os\n"
        "from lightcam_edge.streaming.sources.redaction import native_log_redacted\n"
        "with native_log_redacted():\n"
        "    os.write(2, b'cannot open rtsp://admin:geheim@cam/live\\nno line break: http://a:geheim@b')\n"
        "os.write(2, b'\\nafterwards\\n')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ.copy()
    )

    assert ended.stderr == "cannot open rtsp://***@cam/live\nno line break: http://***@b\nafterwards\n"
