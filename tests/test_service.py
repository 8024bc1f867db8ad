import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightcam_edge.streaming.messages import CameraFigures, CameraStatus, State
from lightcam_edge.streaming.service import Notifier, Vigil


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """A service manager's socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.settimeout(20)
        listening.bind(str(tmp_path / "notify"))
        yield listening


def figures(state: State, captured: int, processed: int, camera: str = "door") -> CameraFigures:
    return CameraFigures(CameraStatus(camera, state, "", 0.0), captured=captured, processed=processed)


def test_states_reach_the_service_manager(manager: socket.socket) -> None:
    Notifier({"NOTIFY_SOCKET": manager.getsockname()}).send("READY=1", "STATUS=door 30.0 frames/s")

    assert manager.recv(1000) == b"READY=1\nSTATUS=door 30.0 frames/s"


def test_an_abstract_socket_is_reached_too() -> None:
    name = f"lightcam-edge-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.settimeout(20)
        listening.bind(f"\0{name}")

        Notifier({"NOTIFY_SOCKET": f"@{name}"}).send("WATCHDOG=1")

        assert listening.recv(100) == b"WATCHDOG=1"


def test_a_manager_that_does_not_read_holds_up_nobody(manager: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.getsockname()})
    for _ in range(10_000):
        notifier.send("WATCHDOG=1")


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": "/nowhere/at/all"}])
def test_without_a_service_manager_nothing_happens(environment: dict[str, str]) -> None:
    Notifier(environment).send("READY=1")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_fed_where_it_is_this_process_that_is_watched(
    environment: dict[str, str], expected: float | None
) -> None:
    assert Notifier(environment).watchdog_s == expected


def test_a_camera_whose_frames_are_processed_is_well() -> None:
    vigil = Vigil()

    assert [vigil.is_well([figures("live", count, count)], count) for count in (10, 20, 30)] == [True] * 3


def test_a_camera_whose_frames_are_captured_but_not_processed_is_not() -> None:
    vigil = Vigil()
    vigil.is_well([figures("live", 10, 10)], 0)

    assert not vigil.is_well([figures("live", 20, 10)], 10)


def test_a_slow_camera_is_well_between_its_pictures() -> None:
    vigil = Vigil()
    vigil.is_well([figures("live", 10, 10)], 0)

    assert vigil.is_well([figures("live", 10, 10)], 10)


def test_a_lost_camera_is_waited_for_until_the_patience_is_over() -> None:
    vigil = Vigil(patience_s=300)

    at = (0, 100, 299, 301)
    assert [vigil.is_well([figures("lost", 10, 10)], now) for now in at] == [True, True, True, False]


def test_a_camera_that_came_back_is_waited_for_as_long_again() -> None:
    vigil = Vigil(patience_s=300)
    vigil.is_well([figures("lost", 10, 10)], 0)
    vigil.is_well([figures("live", 20, 20)], 200)

    assert vigil.is_well([figures("frozen", 20, 20)], 400)
    assert vigil.is_well([figures("lost", 20, 20)], 690)


def test_one_well_camera_is_enough() -> None:
    vigil = Vigil(patience_s=300)
    both = [figures("lost", 0, 0, "yard"), figures("live", 10, 10)]
    vigil.is_well(both, 0)

    assert vigil.is_well([both[0], figures("live", 20, 20)], 400)


def test_cameras_that_have_ended_keep_nothing_alive() -> None:
    assert not Vigil().is_well([figures("ended", 10, 10)], 0)
