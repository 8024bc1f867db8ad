import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from stream_messages import event, wait_until, warnings

from lightcam_edge.errors import UsageError
from lightcam_edge.streaming.event_queue import EventQueue, QueueSettings, default_queue_folder
from lightcam_edge.streaming.event_record import event_json


@contextmanager
def a_queue(folder: Path | None, max_events: int = 1000, max_bytes: int = 10**7) -> Iterator[EventQueue]:
    settings = QueueSettings(folder, max_events, max_bytes)
    queue = EventQueue("mqtt://broker", "queue", settings, event_json)
    try:
        yield queue
    finally:
        queue.close()


def ids(queue: EventQueue, after: int = 0) -> list[str]:
    return [json.loads(queued.body)["id"] for queued in queue.oldest(after, 1000)]


def test_events_come_out_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    with a_queue(tmp_path) as queue:
        for number in range(5):
            queue.put(event(number))
        wait_until(lambda: queue.stored == 5)
        queue.put(event(5))

        assert ids(queue) == [f"run-{number}" for number in range(6)]
        first, second = queue.oldest(0, 2)
        assert second.sequence == first.sequence + 1
        assert ids(queue, after=second.sequence) == [f"run-{number}" for number in range(2, 6)]


def test_an_event_handed_over_at_once_does_not_touch_the_disk(tmp_path: Path) -> None:
    with a_queue(tmp_path) as queue:
        queue.put(event(0))
        queue.done(queue.oldest(0, 1)[0].sequence)
        queue.put(event(1))
        wait_until(lambda: queue.stored)
        content = b"".join(file.read_bytes() for file in tmp_path.iterdir())

    assert b"run-1" in content
    assert b"run-0" not in content


def test_events_outlive_a_killed_process(tmp_path: Path) -> None:
    script = """
        import sys, time
        from pathlib import Path
        from stream_messages import event
        from lightcam_edge.streaming.event_queue import EventQueue, QueueSettings
        from lightcam_edge.streaming.event_record import event_json
        queue = EventQueue("mqtt://broker", "queue", QueueSettings(Path(sys.argv[1])), event_json)
        for number in range(3):
            queue.put(event(number))
        while queue.stored < 3:
            time.sleep(0.01)
        print("written", flush=True)
        time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        process.send_signal(signal.SIGKILL)

    with a_queue(tmp_path) as queue:
        queue.put(event(3))
        assert ids(queue) == ["run-0", "run-1", "run-2", "run-3"]


def test_close_leaves_in_the_file_what_was_not_done(tmp_path: Path) -> None:
    with a_queue(tmp_path) as queue:
        for number in range(3):
            queue.put(event(number))
        queue.done(queue.oldest(0, 1)[0].sequence)

    with a_queue(tmp_path) as queue:
        assert ids(queue) == ["run-1", "run-2"]
        assert len(queue) == 2


def test_the_sequence_grows_over_restarts_though_the_clock_goes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_queue(tmp_path) as queue:
        queue.put(event(0))
        last = queue.oldest(0, 1)[0].sequence
        queue.done(last)
    monkeypatch.setattr(time, "time", lambda: 1000.0)

    with a_queue(tmp_path) as queue:
        queue.put(event(1))
        assert queue.oldest(0, 1)[0].sequence > last


def test_the_oldest_events_are_dropped_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with a_queue(tmp_path, max_events=10) as queue:
        for number in range(8):
            queue.put(event(number))
        wait_until(lambda: queue.stored == 8)
        for number in range(8, 16):
            queue.put(event(number))
        wait_until(lambda: queue.dropped == 6)

        assert ids(queue) == [f"run-{number}" for number in range(6, 16)]
        queue.done(queue.oldest(0, 10)[-1].sequence)
        assert queue.oldest(0, 1) == []

    assert warnings(caplog) == [
        "mqtt://broker is away and its queue is full: the oldest events are dropped",
        "mqtt://broker has missed 6 events that did not fit its queue",
    ]


@pytest.mark.parametrize("on_disk", [True, False])
def test_the_queue_is_bounded_in_bytes(tmp_path: Path, on_disk: bool) -> None:
    size = len(event_json(event(0), int(time.time() * 1000)))
    with a_queue(tmp_path if on_disk else None, max_bytes=5 * size + size // 2) as queue:
        for number in range(9):
            queue.put(event(number))
            if on_disk:
                wait_until(lambda: queue.stored)
        wait_until(lambda: queue.dropped == 4)

        assert ids(queue) == [f"run-{number}" for number in range(4, 9)]


def test_a_folder_that_cannot_be_written_leaves_memory(caplog: pytest.LogCaptureFixture) -> None:
    with a_queue(Path("/proc/lightcam")) as queue:
        queue.put(event(0))
        assert ids(queue) == ["run-0"]

    (told,) = warnings(caplog)
    assert told.startswith("events for mqtt://broker are kept in memory only: /proc/lightcam/queue.sqlite3: ")


def test_a_full_disk_leaves_memory(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with a_queue(tmp_path) as queue:
        queue.put(event(0))
        wait_until(lambda: queue.stored == 1)
        size = sum(file.stat().st_size for file in tmp_path.iterdir())
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        try:
            for number in range(1, 1000):
                queue.put(event(number))
            wait_until(lambda: warnings(caplog))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

        assert ids(queue) == [f"run-{number}" for number in range(1000)]
    (told,) = warnings(caplog)
    assert told.startswith("events for mqtt://broker are kept in memory only: ")

    with a_queue(tmp_path) as queue:  # closing has tried once more
        assert len(queue) == 1000


def test_a_damaged_file_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / "queue.sqlite3").write_bytes(b"not a database" * 1000)

    with a_queue(tmp_path) as queue:
        queue.put(event(0))
        wait_until(lambda: queue.stored == 1)

    assert (tmp_path / "queue.damaged").read_bytes().startswith(b"not a database")


def test_a_second_process_keeps_off(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with a_queue(tmp_path) as first:
        first.put(event(0))
        wait_until(lambda: first.stored == 1)
        with a_queue(tmp_path) as second:
            second.put(event(1))
            assert ids(second) == ["run-1"]
        assert ids(first) == ["run-0"]

    (told,) = warnings(caplog)
    assert told.endswith("queue.sqlite3: another process uses it")


def test_others_cannot_read_the_file(tmp_path: Path) -> None:
    with a_queue(tmp_path) as queue:
        queue.put(event(0))
        wait_until(lambda: queue.stored == 1)

        assert {file.stat().st_mode & 0o077 for file in tmp_path.iterdir()} == {0}


def test_the_service_managers_folder_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/home/ann/.state")
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    assert default_queue_folder() == Path("/home/ann/.state/lightcam-edge")
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/lightcam-edge:/var/lib/other")
    assert default_queue_folder() == Path("/var/lib/lightcam-edge")


def test_a_queue_of_no_events_is_refused() -> None:
    with pytest.raises(UsageError, match="max_events is 0: give 1 or more"):
        QueueSettings(max_events=0)
