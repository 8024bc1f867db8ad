"""The model file: a TFLite flatbuffer with labels and the model card in a zip behind it."""

import io
import os
import sys
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

from lightcam_edge.card import ModelCard, card_from_json
from lightcam_edge.catalogue import bundled_models
from lightcam_edge.digest import sha256
from lightcam_edge.errors import ModelFileError

CARD_NAME = "lightcam.json"
LABELS_NAME = "labels.txt"
EMBEDDED_CARD_NAME = "LIGHTCAM_METADATA"
EMBEDDED_CARD_BYTES = 16384
EMBEDDED_CARD_START = b'{"name":'
TFLITE_IDENTIFIER = b"TFL3"
LEAST_BYTES = 512  # no network is smaller; the name of an embedded card stands before that
PROBE_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file whose digest has been verified, or one without a card.

    Args:
        path: where it was read from.
        flatbuffer: the TFLite model, without the zip behind it.
        card: the model card, or None for a bare TFLite file.
    """

    path: Path
    flatbuffer: bytes
    card: ModelCard | None


def find_model(name: str | Path) -> Path:
    """Take a path, or the name of a bundled model, to a path.

    Raises:
        ModelFileError: if there is neither such a file nor such a name.
    """
    path = Path(name)
    if path.is_file():
        return path
    if bundled := bundled_models().get(str(name)):
        return bundled
    known = ", ".join(bundled_models()) or "none"
    raise ModelFileError(f"no model file {name}: give a .tflite file or a bundled model's name ({known})")


def read_model(name: str | Path) -> ModelFile:
    """Read a model file and verify its digest before an interpreter sees a byte of it.

    A damaged flatbuffer can crash the interpreter process, so a file that
    carries a card must match it. A file with no trace of a card is returned
    with `card=None`: nothing vouches for it.

    Args:
        name: path, or name of a bundled model.

    Raises:
        ModelFileError: if it is missing, not TFLite, truncated or altered.
    """
    path = find_model(name)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"cannot read model {path}: {error.strerror}") from error
    if content[4:8] != TFLITE_IDENTIFIER or len(content) < LEAST_BYTES:
        raise ModelFileError(
            f"{path} is not a whole TFLite file: convert a Keras model with `lightcam-edge convert`"
        )
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            card = card_from_json(archive.read(CARD_NAME))
            end = min(entry.header_offset for entry in archive.infolist())
    except Exception as error:  # of a damaged zip, zipfile raises whatever its decoders raise
        if EMBEDDED_CARD_NAME.encode() in content or CARD_NAME.encode() in content:
            reason = str(error) or type(error).__name__
            raise ModelFileError(
                f"{path} is damaged or cut short ({reason}): copy or convert it again"
            ) from error
        return ModelFile(path, content, None)
    flatbuffer = content[:end]
    if sha256(flatbuffer) != card.sha256:
        raise ModelFileError(f"{path} is damaged: its SHA-256 is not its card's; copy or convert it again")
    return ModelFile(path, flatbuffer, card)


def probe(path: Path) -> None:
    """Let another process run a file that nothing vouches for, since a damaged one can take its process down.

    Raises:
        ModelFileError: if that process does not come through.
    """
    import subprocess  # seldom needed, and 2 ms of every start

    code = "import sys, lightcam_edge.interpreter as i; i.Interpreter(open(sys.argv[1], 'rb').read())"
    command = [sys.executable, "-c", code, str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PROBE_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise ModelFileError(f"{path} does not run within {PROBE_TIMEOUT_S} s: it is damaged") from error
    if done.returncode < 0:
        raise ModelFileError(f"{path} crashes the TFLite runtime (signal {-done.returncode}): it is damaged")
    if done.returncode > 0:
        *_, reason = done.stderr.strip().splitlines() or ["the runtime says nothing"]
        reason = reason.removeprefix("lightcam_edge.errors.ModelFileError: ")
        raise ModelFileError(f"{path} does not load: {reason}")


def embedded_card(card: ModelCard) -> bytes:
    """The card as it stands inside the flatbuffer: without a digest, padded with spaces for later changes.

    Raises:
        ValueError: if it does not fit.
    """
    text = replace(card, sha256="").to_json().encode()
    if len(text) > EMBEDDED_CARD_BYTES:
        raise ValueError(
            f"the model card takes {len(text)} bytes, more than {EMBEDDED_CARD_BYTES}: shorten it"
        )
    return text.ljust(EMBEDDED_CARD_BYTES)


def replace_embedded_card(flatbuffer: bytes, card: ModelCard) -> bytes:
    """Put another card where `embedded_card` was written; nothing else moves.

    Raises:
        ValueError: if there is none, or the new one does not fit.
    """
    start = flatbuffer.find(EMBEDDED_CARD_START)
    while start >= 0:
        end = start + EMBEDDED_CARD_BYTES
        if _is_card(flatbuffer[start:end]):
            return flatbuffer[:start] + embedded_card(card) + flatbuffer[end:]
        start = flatbuffer.find(EMBEDDED_CARD_START, start + 1)
    raise ValueError(f"there is no card under {EMBEDDED_CARD_NAME}: convert the model again")


def _is_card(text: bytes) -> bool:
    try:
        return card_from_json(text).sha256 == ""
    except ModelFileError:
        return False


def seal(flatbuffer: bytes, card: ModelCard) -> bytes:
    """Put the labels and the card, with the flatbuffer's digest, behind a flatbuffer.

    The zip is stored uncompressed, as the TFLite Model Metadata standard has it.

    Args:
        flatbuffer: a TFLite model that holds `embedded_card(card)`.
        card: its card; `sha256` is filled in.

    Returns:
        The bytes of a model file.
    """
    sealed = replace(card, sha256=sha256(flatbuffer))
    file = io.BytesIO(flatbuffer)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as archive:
        for name, text in (
            (LABELS_NAME, "".join(f"{label}\n" for label in card.labels)),
            (CARD_NAME, sealed.to_json()),
        ):
            archive.writestr(zipfile.ZipInfo(name), text)
    return file.getvalue()


def rewrite_card(name: str | Path, card: ModelCard) -> None:
    """Replace the card of a model file, in both places, and leave the network as it is.

    Args:
        name: path, or name of a bundled model.
        card: the new card.

    Raises:
        ModelFileError: if the file has no card to replace, or the new one does not fit.
    """
    model = read_model(name)
    if model.card is None:
        raise ModelFileError(f"{model.path} has no model card: convert it with `lightcam-edge convert`")
    try:
        flatbuffer = replace_embedded_card(model.flatbuffer, card)
    except ValueError as error:
        raise ModelFileError(f"{model.path}: {error}") from error
    try:
        write_atomically(model.path, seal(flatbuffer, card))
    except OSError as error:
        raise ModelFileError(f"cannot write {model.path}: {error.strerror}") from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that it appears whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
