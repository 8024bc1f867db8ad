import threading
import time

import pytest

from lightcam_edge.streaming.worker import Worker


def test_items_are_worked_on_in_order_and_the_last_ones_before_it_closes() -> None:
    done: list[int] = []
    worker = Worker("work", done.append, 100, lambda: done.append(-1))

    taken = [worker.give(number) for number in range(50)]

    assert worker.close(timeout_s=20)
    assert all(taken)
    assert done == [*range(50), -1]


def test_what_a_slow_worker_cannot_keep_up_with_is_dropped_and_counted() -> None:
    go, done = threading.Event(), list[int]()

    def slowly(number: int) -> None:
        go.wait(20)
        done.append(number)

    worker = Worker("slow work", slowly, 2)
    taken = [worker.give(number) for number in range(10)]
    go.set()

    assert worker.close(timeout_s=20)
    assert worker.dropped == taken.count(False) > 0
    assert len(done) == taken.count(True)


def test_closing_does_not_wait_for_work_that_hangs() -> None:
    go = threading.Event()
    worker = Worker("hanging work", lambda _: go.wait(20), 2)
    worker.give(1)

    assert not worker.close(timeout_s=0.05)
    go.set()


def test_failed_work_is_told_once_and_once_more_when_it_works_again(caplog: pytest.LogCaptureFixture) -> None:
    def work(number: int) -> None:
        if number < 3:
            raise OSError(28, "No space left on device")

    worker = Worker("log", work, 10)
    for number in range(6):
        worker.give(number)
    worker.close(timeout_s=20)

    assert caplog.messages == [
        "log: [Errno 28] No space left on device",
        "log: works again; 3 were lost so far",
    ]


def test_a_closed_worker_takes_nothing() -> None:
    worker = Worker("work", lambda _: None, 10)
    worker.close(timeout_s=20)

    assert not worker.give(1)


def test_a_patient_worker_drops_nothing() -> None:
    done: list[int] = []

    def slowly(number: int) -> None:
        time.sleep(0.002)
        done.append(number)

    worker = Worker("patient work", slowly, 2, patient=True)

    assert all(worker.give(number) for number in range(50))
    assert worker.close(timeout_s=20)
    assert done == list(range(50))


def test_who_waits_for_a_patient_worker_is_let_go_when_it_closes() -> None:
    go, taken = threading.Event(), list[bool]()
    worker = Worker("patient work", lambda _: go.wait(20), 1, patient=True)
    giving = threading.Thread(target=lambda: taken.extend(worker.give(number) for number in range(9)))
    giving.start()

    worker.close(timeout_s=0.1)
    giving.join(20)

    assert not giving.is_alive()
    assert taken[-1] is False
    go.set()
