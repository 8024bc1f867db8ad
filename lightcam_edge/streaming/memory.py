"""Gives the system the memory back that the C library keeps of pictures that are gone."""

import ctypes

_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc alone, see malloc_trim(3)


def give_back() -> None:
    """Give back what nobody uses; any thread may call, and others may wait for it some milliseconds.

    A stream's pictures are made in one thread and dropped in another, which
    leaves holes of their size in the C library's memory. How many differs from
    minute to minute, and without this the resident memory of a stream goes up
    and down by some megabytes above what is in use.
    """
    if _trim is not None:
        _trim(ctypes.c_size_t(0))
