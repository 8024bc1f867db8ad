"""RTSP streams of network cameras, read by FFmpeg through OpenCV."""

import math
import os
import socket
from urllib.parse import urlsplit

import cv2

from lightcam_edge.streaming.sources.grammar import CaptureOptions
from lightcam_edge.streaming.sources.http_camera import split_login
from lightcam_edge.streaming.sources.opencv_camera import OpenCvCamera
from lightcam_edge.streaming.sources.patience import Patience
from lightcam_edge.streaming.sources.reading import CaptureError
from lightcam_edge.streaming.sources.redaction import redact

FFMPEG_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
RTSP_OPTIONS = "rtsp_transport;tcp|fflags;discardcorrupt"  # over UDP, lost packets smear the picture
DECODERS = 2  # threads; FFmpeg holds a picture back for each after the first, and one alone may fall behind
RTSP_PORT = 554
PROBE_SECONDS = 2.0


class RtspCamera(OpenCvCamera):
    """Reads an RTSP stream through FFmpeg.

    Args:
        url: with user name and password where the camera asks for them.
        options: how pictures are wished for.
        patience: how long it is waited for.
    """

    def __init__(self, url: str, options: CaptureOptions, patience: Patience) -> None:
        super().__init__(redact(split_login(url)[0]), options)
        self._url = url
        self._patience = patience

    def open(self) -> None:
        """Connect, and read until the pictures' format is known."""
        os.environ.setdefault(FFMPEG_OPTIONS, RTSP_OPTIONS)
        timeouts = {
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC: self._patience.open_timeout,
            cv2.CAP_PROP_READ_TIMEOUT_MSEC: self._patience.stall_timeout,
        }
        parameters = [n for key, seconds in timeouts.items() for n in (key, math.ceil(seconds * 1000))]
        if hasattr(cv2, "CAP_PROP_N_THREADS"):
            parameters += [cv2.CAP_PROP_N_THREADS, DECODERS]
        if not self.start(self._url, cv2.CAP_FFMPEG, parameters):
            raise CaptureError(why_no_stream(self._url))


def why_no_stream(url: str) -> str:
    """Ask an RTSP server itself, since OpenCV does not tell why it cannot open a stream.

    The question goes without user name and password: a server that wants
    them tells so, and any other answer is about the path.
    """
    bare, login = split_login(url)
    shown = redact(bare)
    parts = urlsplit(bare)
    question = f"DESCRIBE {bare} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n"
    try:
        with socket.create_connection((parts.hostname, parts.port or RTSP_PORT), PROBE_SECONDS) as server:
            if parts.scheme == "rtsps":
                return f"{shown} opens no stream: check path, user name and password"
            server.sendall(question.encode())
            answer = server.recv(1024).decode(errors="replace").partition("\r\n")[0]
    except socket.gaierror:
        return f"cannot reach {shown}: no such host"
    except TimeoutError:
        return f"cannot reach {shown}: it does not answer"
    except OSError as error:
        return f"cannot reach {shown}: {error.strerror or error}"
    if " 401 " in answer:
        fix = "its user name or password is wrong" if login else "write USER:PASSWORD@ before the host"
        return f"{shown} asks for a password: {fix}"
    if " 200 " in answer:
        return f"{shown} answers but gives no picture that can be read: try H.264"
    return f"{shown} answers {answer.removeprefix('RTSP/1.0 ') or 'nothing'}: check the path"
