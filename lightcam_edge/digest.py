"""Digests without OpenSSL: loading that takes 3.6 MB, 5% of a run's memory."""

import importlib
from collections.abc import Callable
from typing import Any


def _find_sha256() -> Callable[[bytes], Any]:
    """Python's own implementation, or `hashlib`'s where an interpreter is built without."""
    for name in ("_sha2", "_sha256", "hashlib"):  # from Python 3.12 on, before, anywhere
        try:
            found: Callable[[bytes], Any] = importlib.import_module(name).sha256
        except ImportError:
            continue
        return found
    raise ImportError("this Python has no SHA-256")


_sha256 = _find_sha256()


def sha256(content: bytes) -> str:
    """The SHA-256 of some bytes, in hexadecimal digits."""
    digits: str = _sha256(content).hexdigest()
    return digits


def short_digest(text: str) -> str:
    """Twelve hexadecimal digits of a text's SHA-256, for a name that tells nothing of the text."""
    return sha256(text.encode())[:12]
