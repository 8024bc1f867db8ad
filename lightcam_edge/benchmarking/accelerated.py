"""A model on LiteRT's GPU accelerator, which the interpreter cannot use and the compiled model can."""

import importlib
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from lightcam_edge.choices import Backend
from lightcam_edge.errors import ModelFileError, RuntimeMissingError, UsageError
from lightcam_edge.interpreter import SIGNATURE, Outputs, load_backend

Float32 = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]

GPU = "gpu"
BACKEND: Backend = "ai-edge-litert"


class AcceleratedNetwork:
    """One model in LiteRT's compiled model, on a GPU as far as that takes it and on the CPU for the rest.

    Args:
        flatbuffer: the TFLite model, with float32 outputs.
        threads: of what is left to the CPU.
        backend: the runtime asked for, if any.

    Raises:
        ModelFileError: if the outputs are quantized.
        RuntimeMissingError: if LiteRT is not installed, or has no compiled model.
        UsageError: if another runtime is asked for, or there is no GPU that it can use.
    """

    def __init__(self, flatbuffer: bytes, threads: int, backend: str | None = None) -> None:
        if backend not in (None, BACKEND):
            raise UsageError(f"--delegate {GPU} is a part of {BACKEND}: leave --backend {backend} out")
        load_backend(BACKEND)
        self.backend = BACKEND
        self._flatbuffer = flatbuffer  # the runtime keeps pointers into it
        self._model = _compiled(flatbuffer, threads)
        self.is_whole = bool(self._model.is_fully_accelerated())
        self._image = self._model.create_input_buffer_by_name(SIGNATURE, "image")
        image = self._model.get_input_tensor_details(SIGNATURE)["image"]
        self._dtype = np.dtype(image["dtype"])
        self.input_hw = (int(image["shape"][1]), int(image["shape"][2]))
        details = self._model.get_output_tensor_details(SIGNATURE)
        if any(detail["dtype"] != "float32" for detail in details.values()):
            raise ModelFileError(f"--delegate {GPU} needs float32 outputs: convert with --io float32")
        self._shapes = {name: tuple(map(int, detail["shape"])) for name, detail in details.items()}
        self._outputs = {
            name: self._model.create_output_buffer_by_name(SIGNATURE, name) for name in self._shapes
        }
        self.invoke(np.zeros((*self.input_hw, 3), np.uint8))
        self.gap_weights = self._read("gap_weights")
        self.gap_bias = self._read("gap_bias")

    def invoke(self, image: UInt8) -> Outputs:
        """Run the network, see `Interpreter.invoke`."""
        self._image.write(np.ascontiguousarray(image[None], self._dtype))
        self._model.run_by_name(SIGNATURE, {"image": self._image}, self._outputs)
        return Outputs(self._read("scores")[0], self._read("features")[0])

    def _read(self, name: str) -> Float32:
        shape = self._shapes[name]
        return np.asarray(self._outputs[name].read(prod(shape), np.float32).reshape(shape), np.float32)


def _compiled(flatbuffer: bytes, threads: int) -> Any:
    try:
        module = importlib.import_module("ai_edge_litert.compiled_model")
        accelerators = module.HardwareAccelerator
        options = module.Options(
            hardware_accelerators=accelerators.GPU | accelerators.CPU,
            cpu_options=module.CpuOptions(num_threads=threads),
        )
    except (ImportError, AttributeError) as error:
        raise RuntimeMissingError(
            f"--delegate {GPU}: this {BACKEND} has no GPU accelerator ({error}): "
            f"pip install --upgrade {BACKEND}"
        ) from error
    try:
        return module.CompiledModel.from_buffer(flatbuffer, options=options)
    except RuntimeError as error:
        raise UsageError(
            f"--delegate {GPU} does not start, LiteRT found no GPU with a Vulkan driver that it can use: "
            "see what `vulkaninfo --summary` lists, and --verbose what it says"
        ) from error
