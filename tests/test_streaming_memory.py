"""What the C library keeps of memory that nobody uses goes back to the system."""

import subprocess
import sys

import pytest

from lightcam_edge.streaming import memory

HOLES = """
import numpy as np
from mmap import PAGESIZE
from pathlib import Path
from lightcam_edge.streaming.memory import give_back

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGESIZE / 1e6

pictures = [np.ones(100_000, np.uint8) for _ in range(400)]
last = np.ones(100_000, np.uint8)
del pictures
kept = resident_mb()
give_back()
print(kept - resident_mb())
"""


@pytest.mark.skipif(memory._trim is None, reason="this C library has no malloc_trim")
def test_memory_of_pictures_that_are_gone_goes_back_to_the_system() -> None:
    given_mb = float(subprocess.check_output([sys.executable, "-c", HOLES], text=True))
    assert given_mb > 30
