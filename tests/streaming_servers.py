"""Real servers on loopback whose behaviour tests steer: MJPEG over HTTP, and RTSP."""

import base64
import contextlib
import hashlib
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import parse_http_list, parse_keqv_list

import cv2
import numpy as np
import numpy.typing as npt
import pytest

UInt8 = npt.NDArray[np.uint8]
SYSTEM_PYTHON = Path("/usr/bin/python3")  # the one that has Debian's GObject bindings
BOUNDARY = "frame"
BASIC, NONCE = 'Basic realm="camera"', "2f1d6c"


def jpeg(pixels: UInt8, quality: int = 80) -> bytes:
    """A picture, (h, w, 3) uint8 RGB, as JPEG."""
    return bytes(cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def moving_square(index: int, size_hw: tuple[int, int] = (120, 160)) -> UInt8:
    """A white square that goes from left to right over grey, each picture unlike the one before."""
    pixels = np.full((*size_hw, 3), 60, np.uint8)
    side = size_hw[0] // 4
    x = index * 4 % (size_hw[1] - side)
    pixels[side : 2 * side, x : x + side] = 255
    return pixels


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


class MjpegServer:
    """Sends pictures to everyone who asks, until it is told otherwise.

    Set `picture` (a JPEG for each index), `fps`, `login` and whether it is `digest` or basic,
    `stalled` (answers, and sends nothing), `one_picture` (ends after it) or `chunks_before` (sent
    once, before the next picture) at any time.

    Args:
        picture: makes the JPEG of an index.
        fps: pictures a second.
    """

    def __init__(
        self, picture: Callable[[int], bytes] = lambda index: jpeg(moving_square(index)), fps: float = 50
    ) -> None:
        self.picture = picture
        self.fps = fps
        self.login: tuple[str, str] | None = None
        self.digest = False
        self.stalled = False
        self.one_picture = False
        self.content_type = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
        self.chunks_before: list[bytes] = []
        self.sent = 0
        self.requests = 0
        self._clients: list[socket.socket] = []
        self._scheme = "http"
        self._server: ThreadingHTTPServer | None = None
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        """Where the stream is, without user name and password."""
        return f"{self._scheme}://127.0.0.1:{self.port}/stream.mjpg"

    def start(self) -> None:
        """Listen; on the same port as before, after `stop`."""
        stream = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stream._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def encrypt(self, certificate: Path) -> None:
        """Speak TLS from now on, until `stop`, with a certificate and its key."""
        assert self._server is not None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._scheme = "https"

    def stop(self) -> None:
        """Cut everyone off, and refuse connections."""
        if self._server is not None:
            server, self._server = self._server, None
            server.shutdown()
            server.server_close()
        self.cut()

    def cut(self) -> None:
        """Cut everyone off; they may come again."""
        while self._clients:
            with contextlib.suppress(OSError):
                self._clients.pop().shutdown(socket.SHUT_RDWR)

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        self.requests += 1
        self._clients.append(request.connection)
        if not self._lets_in(request.headers.get("Authorization", "")):
            challenge = f'Digest realm="camera", nonce="{NONCE}", qop="auth"' if self.digest else BASIC
            request.send_response(401)
            request.send_header("WWW-Authenticate", challenge)
            request.end_headers()
            return
        request.send_response(200)
        request.send_header("Content-Type", self.content_type)
        request.end_headers()
        with contextlib.suppress(OSError):
            self._send(request)

    def _lets_in(self, authorization: str) -> bool:
        """Whether a login is right (RFC 7617, RFC 7616 with MD5)."""
        if self.login is None:
            return True
        user, password = self.login
        if not self.digest:
            return authorization == "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        told = parse_keqv_list(parse_http_list(authorization.partition(" ")[2]))
        secret, request = _md5(f"{user}:camera:{password}"), _md5(f"GET:{told.get('uri')}")
        proof = ":".join(str(told.get(name)) for name in ("nonce", "nc", "cnonce", "qop"))
        return told.get("nonce") == NONCE and told.get("response") == _md5(f"{secret}:{proof}:{request}")

    def _send(self, request: BaseHTTPRequestHandler) -> None:
        server, due = self._server, time.monotonic()
        while self._server is server:
            if not self.stalled:
                while self.chunks_before:
                    request.wfile.write(self.chunks_before.pop(0))
                content = self.picture(self.sent)
                head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(content)}\r\n\r\n"
                request.wfile.write(head.encode() + content + b"\r\n")
                self.sent += 1
                if self.one_picture:
                    return
            due = max(due + 1 / self.fps, time.monotonic() - 1)
            time.sleep(max(due - time.monotonic(), 0))


@contextlib.contextmanager
def mjpeg_server(**settings: object) -> Iterator[MjpegServer]:
    """A server that is stopped afterwards."""
    server = MjpegServer(**settings)  # type: ignore[arg-type]
    try:
        yield server
    finally:
        server.stop()


RTSP_PROGRAM = """
import sys
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
port, launch, user, password = sys.argv[1:]
Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(port)
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(launch)
factory.set_shared(True)
if user:
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("viewer", "media.factory.access", True)
    permissions.add_permission_for_role("viewer", "media.factory.construct", True)
    factory.set_permissions(permissions)
server.get_mount_points().add_factory("/live", factory)
if server.attach(None) == 0:
    sys.exit("the port is taken")
print("ready", flush=True)
GLib.MainLoop().run()
"""


class RtspServer:
    """GStreamer's RTSP server with a moving ball, in a process that can be killed and restarted.

    Args:
        size_hw: height and width of its pictures.
        fps: pictures a second.
        user: asked for, if any.
        password: asked for, if any.
        source: GStreamer elements that make raw pictures.
    """

    def __init__(
        self,
        size_hw: tuple[int, int] = (240, 320),
        fps: int = 25,
        user: str = "",
        password: str = "",
        source: str = "videotestsrc is-live=true pattern=ball",
    ) -> None:
        self.size_hw = size_hw
        self.fps = fps
        self.source = source
        self.port = free_port()
        self._login = (user, password)
        self._process: subprocess.Popen[str] | None = None
        self.start()

    @property
    def address(self) -> str:
        """Host, port and path."""
        return f"127.0.0.1:{self.port}/live"

    @property
    def url(self) -> str:
        """Where the stream is, with user name and password where there are any."""
        login = f"{':'.join(self._login)}@" if self._login[0] else ""
        return f"rtsp://{login}{self.address}"

    def start(self) -> None:
        """Listen; on the same port as before, after `kill`."""
        launch = (
            f"( {self.source} ! video/x-raw,width={self.size_hw[1]},height={self.size_hw[0]},"
            f"framerate={self.fps}/1 ! openh264enc complexity=low gop-size={self.fps} "
            "! rtph264pay name=pay0 pt=96 config-interval=1 )"
        )
        command = [str(SYSTEM_PYTHON), "-c", RTSP_PROGRAM, str(self.port), launch, *self._login]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None


def need_rtsp_server() -> None:
    """Skip where GStreamer's RTSP server is not installed."""
    check = (
        "import gi; gi.require_version('Gst', '1.0'); gi.require_version('GstRtspServer', '1.0');"
        "from gi.repository import Gst, GstRtspServer; Gst.init(None);"
        "assert Gst.ElementFactory.find('openh264enc') and Gst.ElementFactory.find('rtph264pay')"
    )
    found = (
        SYSTEM_PYTHON.exists()
        and not subprocess.run([str(SYSTEM_PYTHON), "-c", check], capture_output=True, check=False).returncode
    )
    if not found:
        pytest.skip(
            "no RTSP server: apt install python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-bad"
        )


@contextlib.contextmanager
def rtsp_server(**settings: object) -> Iterator[RtspServer]:
    """A server that is killed afterwards; skips the test where there is none."""
    need_rtsp_server()
    server = RtspServer(**settings)  # type: ignore[arg-type]
    try:
        yield server
    finally:
        server.kill()


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
