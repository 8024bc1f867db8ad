"""What the CPU has that makes networks fast."""

from collections.abc import Iterator

from lightcam_edge.benchmarking.board import Board
from lightcam_edge.doctor.finding import Finding

# Any of these multiplies int8 by four at a time; without, int8 gains little over float32.
INT8_FEATURES = ("asimddp", "i8mm", "avx_vnni", "avx512_vnni", "amx_int8")


def check_cpu(board: Board) -> Iterator[Finding]:
    """Judge the CPU for int8 networks."""
    if not board.features:
        yield Finding("cpu", "features", "info", "the kernel does not tell what the CPU has")
        return
    cores = ", ".join(f"{count} x {name}" for name, count in board.cores.items())
    has = [name for name, is_there in board.features.items() if is_there]
    lacks = [name for name, is_there in board.features.items() if not is_there]
    message = f"{cores}: has {' '.join(has) or 'nothing'}; lacks {' '.join(lacks) or 'nothing'}"
    facts = {"cores": board.cores, "features": board.features}
    if any(name in has for name in INT8_FEATURES):
        yield Finding("cpu", "features", "ok", message, facts=facts)
        return
    message += ": int8 gains little here; see which model is fast enough"
    yield Finding("cpu", "features", "info", message, "lightcam-edge benchmark lite tiny nano", facts)
