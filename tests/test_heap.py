"""Memory of one training step is there for the next."""

import subprocess
import sys

import pytest

from lightcam_models import heap

STEPS = """
import sys
from resource import RUSAGE_SELF, getrusage
from threading import Thread

from lightcam_models.heap import keep_freed_memory

if sys.argv[1] == "keep":
    keep_freed_memory()

def step():
    for _ in range(20):
        b"1" * 40_000_000

def in_a_thread():
    thread = Thread(target=step)
    thread.start()
    thread.join()

in_a_thread()
before = getrusage(RUSAGE_SELF).ru_minflt
in_a_thread()
print(getrusage(RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(how: str) -> int:
    return int(subprocess.check_output([sys.executable, "-c", STEPS, how], text=True))


@pytest.mark.skipif(heap._mallopt is None, reason="this C library has no mallopt")
def test_arrays_of_the_next_step_lie_where_those_of_the_last_one_lay() -> None:
    assert page_faults("keep") < page_faults("give back") / 10
