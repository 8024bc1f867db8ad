"""The one place that imports a TFLite runtime."""

import contextlib
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from lightcam_edge.choices import BACKENDS, Backend
from lightcam_edge.errors import ModelFileError, RuntimeMissingError, UsageError
from lightcam_edge.native_log import native_log_hushed

Float32 = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]
MODULES: dict[Backend, str] = {
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
}
SIGNATURE = "localize"


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the network says of one image.

    Args:
        scores: (C,) softmax.
        features: (h, w, K) maps that GAP averages, dequantized.
    """

    scores: Float32
    features: Float32


def load_backend(backend: Backend | None = None) -> tuple[Backend, ModuleType]:
    """Import a TFLite runtime: the one asked for, or the first that is installed.

    Raises:
        RuntimeMissingError: if it is not installed, or does not load.
    """
    reasons = []
    for name in (backend,) if backend else BACKENDS:
        module = _import(MODULES[name])
        if isinstance(module, ModuleType):
            return name, module
        reasons.append(f"{name}: {module}")
    raise RuntimeMissingError(
        f"no TFLite runtime ({'; '.join(reasons)}): pip install {backend or BACKENDS[0]}"
    )


def _import(name: str) -> ModuleType | str:
    """The module, or in one line why it does not load; an ABI mismatch with numpy is an AttributeError."""
    try:
        return importlib.import_module(name)
    except (ImportError, AttributeError) as error:
        return (str(error) or type(error).__name__).splitlines()[0]


def load_delegate(library: str, options: Mapping[str, str], backend: Backend | None = None) -> Any:
    """Load a library to which a runtime can hand operators.

    Args:
        library: its path, or a name that the dynamic linker finds.
        options: what it is told at its start.
        backend: see `load_backend`.

    Raises:
        RuntimeMissingError: if there is no runtime.
        UsageError: if the library is missing, no delegate, or refuses the options.
    """
    _, module = load_backend(backend)
    try:
        return module.load_delegate(library, dict(options))
    except (OSError, ValueError, RuntimeError, AttributeError) as error:
        reason = " ".join(str(error).split()) or "it gives no reason"
        raise UsageError(
            f"delegate {library} does not load ({reason}): install it, or correct its path and options"
        ) from error


class Interpreter:
    """One model in a TFLite runtime, addressed by the names of its signature only.

    The order and the internal names of tensors change between runtimes for one
    and the same file; the signature's names do not.

    Args:
        flatbuffer: the TFLite model.
        threads: threads of the runtime, at least 1.
        backend: the runtime, or None for the first one installed.
        verbose: let the runtime's own log lines through.
        delegates: from `load_delegate`, the first offered each operator first.

    Raises:
        ModelFileError: if the runtime refuses the model, or it lacks the signature.
        RuntimeMissingError: if there is no runtime.
    """

    def __init__(
        self,
        flatbuffer: bytes,
        threads: int = 1,
        backend: Backend | None = None,
        verbose: bool = False,
        delegates: Sequence[Any] = (),
    ) -> None:
        self.backend, module = load_backend(backend)
        self._flatbuffer = flatbuffer  # the runtime keeps pointers into it
        with contextlib.nullcontext() if verbose else native_log_hushed():
            try:
                self._interpreter: Any = module.Interpreter(
                    model_content=flatbuffer,
                    num_threads=threads,
                    experimental_delegates=list(delegates) or None,
                )
                self._interpreter.allocate_tensors()
            except SystemError as error:  # tflite-runtime is built for numpy 1, and finds out here
                raise RuntimeMissingError(
                    f"{self.backend} does not work with numpy {np.__version__}: pip install 'numpy<2'"
                ) from error
            except (ValueError, RuntimeError) as error:
                reason = str(error).splitlines()[0]
                raise ModelFileError(f"{self.backend} refuses the model: {reason}") from error
        self._bind()

    def _bind(self) -> None:
        if SIGNATURE not in self._interpreter.get_signature_list():
            raise ModelFileError(
                f"the model has no signature `{SIGNATURE}`: make it with `lightcam-edge convert`"
            )
        runner = self._interpreter.get_signature_runner(SIGNATURE)
        inputs, outputs = runner.get_input_details(), runner.get_output_details()
        del runner  # the runtime takes it for a pointer into its tensors, and refuses to run
        missing = sorted(
            ({"image"} - set(inputs)) | ({"scores", "features", "gap_weights", "gap_bias"} - set(outputs))
        )
        if missing:
            raise ModelFileError(f"the model's signature lacks {', '.join(missing)}: convert it again")
        self._image = inputs["image"]
        self._outputs = outputs
        _, height, width, channels = (int(n) for n in self._image["shape"])
        if channels != 3:
            raise ModelFileError(f"the model's image has {channels} channels, not 3: convert it again")
        self.input_hw = (height, width)
        constants = {outputs[name]["index"] for name in ("gap_weights", "gap_bias")}
        # `convert` writes constants, which need no run.
        if any(not constants.isdisjoint(one["outputs"]) for one in self.operators()):
            self.invoke(np.zeros((height, width, 3), np.uint8))
        self.gap_weights = self._read("gap_weights")
        self.gap_bias = self._read("gap_bias")

    def operators(self) -> list[dict[str, Any]]:
        """The file's operators as the runtime lists them, then one for each part that a delegate took."""
        return list(self._interpreter._get_ops_details())

    def _read(self, name: str) -> Float32:
        detail = self._outputs[name]
        values = self._interpreter.get_tensor(detail["index"])
        if values.dtype != np.float32:  # a full-integer file
            scale, zero_point = detail["quantization"]
            values = (values.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)
        return np.asarray(values, np.float32)

    def invoke(self, image: UInt8) -> Outputs:
        """Run the network on one image.

        Args:
            image: (H, W, 3) uint8 RGB of the model's input size.

        Returns:
            Scores and features, copied out of the runtime.
        """
        self._interpreter.set_tensor(self._image["index"], encode(image, self._image["dtype"])[None])
        self._interpreter.invoke()
        return Outputs(self._read("scores")[0], self._read("features")[0])


def encode(image: UInt8, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """An image of any shape as a network's input takes it: uint8, int8 or float32.

    Full-integer files take the same bytes, shifted as TFLite shifts uint8.
    """
    return (image ^ 0x80).view(np.int8) if dtype == np.int8 else image.astype(dtype, copy=False)
