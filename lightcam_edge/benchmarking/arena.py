"""How much memory a model's tensors take between its operators."""

from collections.abc import Iterable

import numpy as np

from lightcam_edge.interpreter import load_backend
from lightcam_edge.native_log import native_log_hushed


def tensor_arena(flatbuffer: bytes) -> int:
    """Bytes that the runtime lays out for a model's inputs, outputs and all that lies between.

    No Python interface tells it, but where the tensors lie does: they share
    memory as soon as one of them is not needed any more, so the bytes that any
    of them covers are the arena. Without delegates: XNNPACK keeps what lies
    inside its part to itself, in a plan of its own.

    Args:
        flatbuffer: a TFLite model, known to be undamaged.
    """
    _, module = load_backend()
    with native_log_hushed():
        interpreter = module.Interpreter(
            model_content=flatbuffer,
            experimental_op_resolver_type=module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        interpreter.allocate_tensors()
    file = np.frombuffer(flatbuffer, np.uint8).ctypes.data
    views = (interpreter.tensor(detail["index"])() for detail in interpreter.get_tensor_details())
    places = ((view.ctypes.data, view.ctypes.data + view.nbytes) for view in views)
    return covered((start, end) for start, end in places if not file <= start < file + len(flatbuffer))


def covered(spans: Iterable[tuple[int, int]]) -> int:
    """How many numbers lie in at least one of the half-open spans."""
    total = reached = 0
    for start, end in sorted(spans):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total
