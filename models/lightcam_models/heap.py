"""Memory of the C library while a network trains."""

import ctypes

TRIM_THRESHOLD, MMAP_MAX, ARENA_MAX = -1, -4, -8  # malloc.h
NEVER = -1

_mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # of glibc alone, see mallopt(3)


def keep_freed_memory() -> None:
    """Keep what a training step has freed for the next one, instead of giving it back to the system.

    glibc asks the system anew for each large array and gives it back after its
    last use, so that every step pays for hundreds of thousands of page faults,
    a third of its time and more (benchmarks/README.md). The process keeps what
    it once held.
    """
    if _mallopt is not None:
        _mallopt(TRIM_THRESHOLD, NEVER)
        _mallopt(MMAP_MAX, 0)
        _mallopt(ARENA_MAX, 1)  # the others are given back whole, whatever the threshold
