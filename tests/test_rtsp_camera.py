import socket
import threading
from collections.abc import Iterator

import pytest
from streaming_capture import running
from streaming_servers import RtspServer, free_port, rtsp_server

from lightcam_edge.streaming.sources.patience import Patience
from lightcam_edge.streaming.sources.rtsp_camera import why_no_stream

SECRET = "geheim"
PATIENCE = Patience(stall_timeout=5, open_timeout=20, first_retry=0.1, longest_retry=0.5)


@pytest.fixture(scope="module")
def server() -> Iterator[RtspServer]:
    with rtsp_server(user="admin", password=SECRET) as server:
        yield server


def test_a_server_that_is_killed_and_restarted_is_connected_to_again(
    server: RtspServer, capfd: pytest.CaptureFixture[str]
) -> None:
    with running(server.url, patience=PATIENCE) as capture:
        before = capture.take()
        server.kill()
        capture.wait_for("lost")
        capture.wait(lambda: "Connection refused" in capture.reasons())
        told = len(capture.told)
        server.start()
        capture.wait_for("live", after=told)
        while (after := capture.take()).captured_ns < before.captured_ns + 1e9:
            pass

        assert before.photo.image_hw == after.photo.image_hw == (240, 320)
        assert after.index > before.index
        assert after.photo.pixels.std() > 1
        assert capture.thread.counts().reconnections == 1
        assert set(capture.states) == {"starting", "live", "lost"}
    said = capfd.readouterr()
    assert SECRET not in capture.reasons() + said.out + said.err


def test_a_wrong_password_says_so_and_is_not_told(
    server: RtspServer, capfd: pytest.CaptureFixture[str]
) -> None:
    with running(server.url.replace(SECRET, "wrong" + SECRET), patience=PATIENCE) as capture:
        lost = capture.wait_for("lost")

    said = capfd.readouterr()
    assert lost.reason.endswith("/live asks for a password: its user name or password is wrong")
    assert SECRET not in capture.reasons() + said.out + said.err


def test_why_there_is_no_stream_is_found_out(server: RtspServer) -> None:
    assert "write USER:PASSWORD@ before the host" in why_no_stream(f"rtsp://{server.address}")
    assert "Connection refused" in why_no_stream(f"rtsp://127.0.0.1:{free_port()}/live")
    assert "no such host" in why_no_stream("rtsp://no-such-host.invalid/live")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"RTSP/1.0 404 Not Found\r\nCSeq: 1\r\n\r\n", "answers 404 Not Found: check the path"),
        (b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n", "try H.264"),
        (b"", "answers nothing"),
    ],
)
def test_a_servers_answer_is_told(answer: bytes, told: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(answer)

        threading.Thread(target=serve).start()

        why = why_no_stream(f"rtsp://admin:{SECRET}@127.0.0.1:{listening.getsockname()[1]}/live")

    assert told in why
    assert SECRET not in why
