"""A network camera for measurements: MJPEG over HTTP on loopback, in a process of its own.

    python benchmarks/stream_source.py --fps 30

Prints its URL, then sends 640x480 pictures at that rate, or as fast as they are taken where it is 0: a
bird that moves, then a landscape, each picture with grain of its own.
"""

import itertools
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click
import cv2
import numpy as np

SAMPLES = Path(__file__).resolve().parents[1] / "lightcam_edge" / "samples"
SIZE_WH = (640, 480)
HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"
PART = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n"


def pictures(count: int = 240) -> list[np.ndarray]:
    """Two thirds of them the bird, the rest the landscape; (480, 640, 3) uint8 BGR."""
    bird, scene = (
        cv2.resize(cv2.imread(str(SAMPLES / f"{name}.jpg")), SIZE_WH) for name in ("bird", "landscape")
    )
    rng = np.random.default_rng(0)
    plain = [np.roll(bird, number - count // 3, 1) for number in range(count * 2 // 3)]
    plain += [scene] * (count - len(plain))
    return [cv2.add(picture, rng.integers(0, 12, picture.shape, np.uint8)) for picture in plain]


def jpeg(picture: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


def send(client: socket.socket, parts: list[bytes], fps: float, seconds: float) -> None:
    """Send pictures in turn until the client has gone, or for so many seconds."""
    began = due = time.monotonic()
    with client, suppress(OSError):
        client.recv(1 << 16)
        client.sendall(HEAD)
        for part in itertools.cycle(parts):
            client.sendall(part)
            due = max(due + (1 / fps if fps else 0), time.monotonic() - 1)
            time.sleep(max(0.0, due - time.monotonic()))
            if time.monotonic() - began > seconds:
                break


@contextmanager
def camera(fps: float, cut_s: float = 0) -> Iterator[str]:
    """The URL of such a camera, which ends afterwards.

    Args:
        fps: pictures a second; 0 is as fast as they are taken.
        cut_s: cut everyone off after so many seconds; 0 is never.
    """
    command = [sys.executable, __file__, "--fps", str(fps), "--cut-s", str(cut_s)]
    # Whoever is ended from outside ends what it started: a stream at full speed disturbs all else.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()


@click.command()
@click.option("--fps", default=30.0)
@click.option("--cut-s", default=0.0)
@click.option("--port", default=0, help="One that is free if 0.")
def main(fps: float, cut_s: float, port: int) -> None:
    encoded = [PART % (len(content), content) for content in map(jpeg, pictures())]
    with socket.create_server(("127.0.0.1", port)) as server:
        print(f"http://127.0.0.1:{server.getsockname()[1]}/stream.mjpg", flush=True)
        while True:
            client, _ = server.accept()
            arguments = (client, encoded, fps, cut_s or float("inf"))
            threading.Thread(target=send, args=arguments, daemon=True).start()


if __name__ == "__main__":
    main()
