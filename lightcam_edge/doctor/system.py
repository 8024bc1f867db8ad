"""The board, its system and C library: whether there are wheels for them."""

from collections.abc import Iterator

from lightcam_edge.benchmarking.board import Board
from lightcam_edge.doctor.finding import Finding
from lightcam_edge.doctor.python import Python

LEAST_GLIBC = (2, 27)  # of ai-edge-litert's and tflite-runtime's wheels
LITTLE_MEMORY_MB = 400


def check_system(board: Board, python: Python) -> Iterator[Finding]:
    """Judge the system under the program."""
    yield _board(board)
    yield _os(board)
    yield _libc(python)
    yield from _bits(board, python)
    yield from _memory(board)


def _board(board: Board) -> Finding:
    soc = f" ({board.soc})" if board.soc else ""
    message = f"{board.model or 'unknown board'}{soc}, {board.machine}"
    facts = {"model": board.model, "soc": board.soc, "machine": board.machine, "memory_mb": board.memory_mb}
    return Finding("system", "board", "ok", message, facts=facts)


def _os(board: Board) -> Finding:
    kernel = f"kernel {board.kernel}" if board.kernel else ""
    message = ", ".join(filter(None, (board.os, kernel, board.board_support)))
    facts = {"os": board.os, "kernel": board.kernel, "board_support": board.board_support}
    return Finding("system", "os", "ok", message or "unknown system", facts=facts)


def _libc(python: Python) -> Finding:
    name, version = python.libc
    facts = {"name": name, "version": version}
    figures = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if name != "glibc" or not figures:
        message = f"C library {name or 'musl'}, for which there are no wheels of a TFLite runtime"
        fix = "use a system with glibc, such as Raspberry Pi OS, Debian or Ubuntu"
        return Finding("system", "libc", "fail", message, fix, facts)
    if figures < LEAST_GLIBC:
        least = ".".join(map(str, LEAST_GLIBC))
        fix = "install a newer release of the system: cat /etc/os-release"
        return Finding("system", "libc", "fail", f"glibc {version} is older than {least}", fix, facts)
    message = f"glibc {version}, takes wheels up to manylinux_{figures[0]}_{figures[1]}"
    return Finding("system", "libc", "ok", message, facts=facts)


def _bits(board: Board, python: Python) -> Iterator[Finding]:
    """Raspberry Pi OS of 32 bits has run under a kernel of 64 since 2023; pip's markers see the kernel."""
    if python.bits == 64 or board.machine not in ("aarch64", "x86_64"):
        return
    message = (
        f"a {python.bits}-bit system under a 64-bit kernel: pip takes it for {board.machine} "
        "and asks for packages that have no 32-bit wheels"
    )
    fix = (
        "write the 64-bit system to the card, or on a Pi 3 or 4 boot the 32-bit kernel: "
        "echo arm_64bit=0 | sudo tee -a /boot/firmware/config.txt && sudo reboot"
    )
    yield Finding("system", "bits", "warn", message, fix, {"bits": python.bits, "machine": board.machine})


def _memory(board: Board) -> Iterator[Finding]:
    if 0 < board.memory_mb < LITTLE_MEMORY_MB:
        message = f"{board.memory_mb} MB of memory: enough for one small model and little else"
        yield Finding("system", "memory", "info", message, "lightcam-edge benchmark nano")
