"""From a Keras model to a model file, checked against it."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import keras
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from lightcam_converters.bias_correction import correct_biases
from lightcam_converters.calibration import Sample, draw_samples
from lightcam_converters.draft import Wishes, draft_card
from lightcam_converters.graph import InputOutput, Quantization, to_flatbuffer
from lightcam_converters.metadata import METADATA_NAME, attach, describe
from lightcam_converters.parity import Parity, compare, summarize, write_pictures
from lightcam_converters.scaling import InputScaling
from lightcam_edge.box import Component
from lightcam_edge.cam import Method
from lightcam_edge.card import ModelCard
from lightcam_edge.errors import InputError, LightcamError, UsageError
from lightcam_edge.inspection import Graph, SelfCheck, check_self, read_graph
from lightcam_edge.interpreter import Interpreter
from lightcam_edge.model_file import (
    EMBEDDED_CARD_NAME,
    ModelFile,
    embedded_card,
    read_model,
    replace_embedded_card,
    seal,
    write_atomically,
)
from lightcam_models.keras_network import KerasNetwork, load_network

BYTES_A_WEIGHT: dict[Quantization, int] = {"int8": 1, "dynamic": 1, "float16": 2, "float32": 4}
LEAST_SHARE_OF_KERNELS = 0.9  # nothing else in a file is large
RESOURCE_OPERATORS = ("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE")
IMAGES_LISTED = "images.txt"  # which `train` leaves beside the model


@dataclass(frozen=True, slots=True)
class ConversionReport:
    """What came of a conversion.

    Args:
        path: the model file.
        size: of it, in bytes.
        card: its model card.
        graph: the network in it.
        self_check: see `inspection.SelfCheck`.
        parity: agreement with Keras.
        notes: what the user should know.
        pictures: of the worst boxes, where asked for.
    """

    path: Path
    size: int
    card: ModelCard
    graph: Graph
    self_check: SelfCheck
    parity: Parity
    notes: tuple[str, ...] = ()
    pictures: tuple[Path, ...] = ()

    def __str__(self) -> str:
        """A table for people."""
        graph = self.graph
        rows = [
            ("model file", f"{self.path}  {self.size / 1e6:.2f} MB"),
            ("labels", ", ".join(self.card.labels)),
            ("parameters", f"{self.card.parameters:,}"),
            ("multiply-accumulates", f"{graph.macs / 1e6:,.1f} M"),
            ("computed in int8", f"{graph.int8_macs:.1%} of these, {graph.int8_operators:.1%} of operators"),
            ("self-check", f"scores within {self.self_check.max_error:.5f} of features and GAP weights"),
            *self.parity.rows(),
            *(("note", note) for note in self.notes),
            *(("picture", str(path)) for path in self.pictures),
        ]
        return "\n".join(f"{name:<21} {value}" for name, value in rows)


@dataclass(frozen=True, slots=True)
class Demands:
    """What a conversion must reach.

    Args:
        box_iou: mean IoU with Keras's boxes, in [0, 1].
        agreement: share of images with Keras's class, in [0, 1].
    """

    box_iou: float = 0.0
    agreement: float = 0.0

    def check(self, parity: Parity) -> None:
        """Compare.

        Raises:
            LightcamError: if the figures fall short.
        """
        for name, found, least in (
            ("box IoU", parity.box_iou, self.box_iou),
            ("top-1 agreement", parity.top1_agreement, self.agreement),
        ):
            if found < least:
                raise LightcamError(
                    f"{name} with Keras is {found:.3f}, below {least}: no file written; "
                    "try more calibration images, or --quantize float16"
                )


def convert(
    source: "keras.Model | str | Path",
    out: str | Path,
    *,
    quantize: Quantization = "int8",
    calibration: Sequence[Path] = (),
    labels: Sequence[str] | None = None,
    background: str | None = None,
    method: Method | None = None,
    threshold: float | None = None,
    component: Component | None = None,
    name: str | None = None,
    io: InputOutput | None = None,
    min_box_iou: float = 0.0,
    min_agreement: float = 0.0,
    report: Path | None = None,
    seed: int = 0,
    card_extra: Mapping[str, Any] | None = None,
) -> ConversionReport:
    """Convert a Keras model and check the result against it.

    What is not given is taken from `training.json` beside the model, if it is there.

    Args:
        source: a built model, or the path of a `.keras` file.
        out: the model file; appears whole or not at all.
        quantize: `int8`, `float16`, `float32`, or `dynamic` (int8 weights only).
        calibration: training photographs; int8 needs them, and a part of them
            is held out to compare the file with Keras.
        labels: of the classes, in the order of the scores.
        background: label of the class that means nothing is there.
        method: how the map is made.
        threshold: share of the map's maximum above which a pixel counts.
        component: box each connected part, or all parts together.
        name: of the model; the file's name without ending if None.
        io: what the file takes: `uint8` (int8 files unless said otherwise),
            `int8` for NPUs that insist, which gives int8 out too, or `float32`.
        min_box_iou: fail below this mean IoU with Keras's boxes.
        min_agreement: fail below this share of images with Keras's class.
        report: folder for pictures of the worst boxes.
        seed: of the draw of calibration images.
        card_extra: further fields of the model card, for instance `metrics`.

    Raises:
        InputError: if the model or the calibration images cannot be read.
        UsageError: if the model does not end in GAP and a dense layer, int8 has
            no calibration images, or options contradict each other.
        LightcamError: if TensorFlow cannot convert it, or the result is not faithful.
    """
    path, out = None if isinstance(source, keras.Model) else Path(source), Path(out)
    io = _settle_io(quantize, io)
    if quantize == "int8" and not calibration:
        raise UsageError(_calibration_missing(path))
    _make_place(out)
    _require_tensorflow()
    network = load_network(path or source)
    wishes = Wishes(labels, background, method, threshold, component, name or out.stem)
    card, notes = draft_card(network, path, wishes)
    samples = draw_samples(calibration, card.input, seed)
    pixels = samples.calibration.pixels
    bare, scaling = to_flatbuffer(network, quantize, io, pixels)
    if quantize == "int8":
        exact, _ = to_flatbuffer(network, "float32", "float32", pixels)
        bare = correct_biases(bare, exact, pixels)
    graph = _checked_graph(bare, network, quantize, io, scaling)
    quantization = _quantization(quantize, io, samples.calibration, graph)
    card = replace(card, macs=graph.macs, quantization=quantization, **card_extra or {})
    flatbuffer = _with_metadata(bare, card, scaling)
    self_check = _self_check(flatbuffer, samples.held_out, graph)
    agreements = compare(network, ModelFile(out, flatbuffer, card), samples.held_out)
    pictures = write_pictures(agreements, samples.held_out, report) if report else []
    parity = summarize(agreements, photographs=bool(samples.held_out.names))
    Demands(min_box_iou, min_agreement).check(parity)
    card = replace(card, parity=_on_card(parity))
    content = seal(replace_embedded_card(flatbuffer, card), card)
    write_atomically(out, content)
    sealed = read_model(out).card or card
    return ConversionReport(
        out, len(content), sealed, graph, self_check, parity, (*notes, *samples.notes), tuple(pictures)
    )


def _settle_io(quantize: Quantization, io: InputOutput | None) -> InputOutput:
    if io is None:
        return "uint8" if quantize == "int8" else "float32"
    if quantize != "int8" and io != "float32":
        raise UsageError(f"a {quantize} file takes float32: leave out --io {io}, or add --quantize int8")
    return io


def _require_tensorflow() -> None:
    if keras.backend.backend() != "tensorflow":
        raise UsageError(
            f"Keras runs on {keras.backend.backend()} here and only TensorFlow writes TFLite: "
            "import lightcam_converters before keras, or set KERAS_BACKEND=tensorflow"
        )


def _make_place(out: Path) -> None:
    """Find out before minutes of work whether the file can be written."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make folder {out.parent}: {error.strerror}") from error
    if not os.access(out.parent, os.W_OK):
        raise InputError(f"cannot write to folder {out.parent}: choose another --out")


def _calibration_missing(path: Path | None) -> str:
    listed = path.with_name(IMAGES_LISTED) if path else None
    known = f" (for instance {listed})" if listed and listed.exists() else ""
    return f"int8 needs photographs to take its ranges from: add --calibration with a folder of them{known}"


def _checked_graph(
    bare: bytes, network: KerasNetwork, quantize: Quantization, io: InputOutput, scaling: InputScaling
) -> Graph:
    """Look at what TensorFlow made before anything is built on it.

    Raises:
        LightcamError: if weights are missing, an operator needs another runtime,
            or the input's quantization is not the image's bytes.
    """
    kernels = sum(prod(weight.shape) for weight in network.model.weights if len(weight.shape) > 1)
    least = round(LEAST_SHARE_OF_KERNELS * kernels * BYTES_A_WEIGHT[quantize])
    if len(bare) < least:
        raise LightcamError(
            f"TensorFlow left weights out: the file has {len(bare)} bytes of {least} at least"
        )
    if foreign := _foreign_operators(bare):
        raise LightcamError(f"the model needs operators that the device lacks: {', '.join(foreign)}")
    graph = read_graph(bare)
    image = next(tensor for tensor in graph.tensors if tensor.role == "input")
    shift = {"uint8": 0, "int8": 128}.get(image.dtype)
    wanted = (scaling.scale, scaling.zero_point - shift) if shift is not None else (0.0, 0)
    if image.dtype != io or not np.allclose((image.scale, image.zero_point), wanted, rtol=1e-6, atol=0):
        raise LightcamError(
            f"TensorFlow made the input {image.dtype} with scale {image.scale} and zero point "
            f"{image.zero_point}, not {io} with {wanted[0]} and {wanted[1]}"
        )
    return graph


def _foreign_operators(flatbuffer: bytes) -> list[str]:
    """Operators that no plain TFLite runtime has, and those that keep weights outside the graph."""
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    codes = schema.ModelT.InitFromPackedBuf(flatbuffer).operatorCodes
    custom = [code.customCode.decode() for code in codes if code.customCode]
    return custom + [name for code in codes if (name := names[code.builtinCode]) in RESOURCE_OPERATORS]


def _quantization(quantize: Quantization, io: InputOutput, sample: Sample, graph: Graph) -> dict[str, Any]:
    described: dict[str, Any] = {"scheme": quantize, "io": io}
    if quantize == "int8":
        described["calibration"] = {"images": len(sample.names), "sha256": sample.digest}
        described["biases"] = "corrected"
    shares = {"operators": graph.int8_operators, "macs": graph.int8_macs}
    return described | {"int8_share": {key: round(share, 4) for key, share in shares.items()}}


def _with_metadata(bare: bytes, card: ModelCard, scaling: InputScaling) -> bytes:
    try:
        embedded = embedded_card(card)
    except ValueError as error:
        raise UsageError(str(error)) from error
    standard = describe(card, mean=float(scaling.zero_point), std=1 / scaling.scale)
    return attach(bare, {METADATA_NAME: standard, EMBEDDED_CARD_NAME: embedded})


def _self_check(flatbuffer: bytes, sample: Sample, graph: Graph) -> SelfCheck:
    check = check_self(Interpreter(flatbuffer), sample.pixels, graph)
    if not check.ok:
        raise LightcamError(
            f"the file's scores differ by {check.max_error:.3f} from what its features and GAP weights say"
        )
    return check


def _on_card(parity: Parity) -> dict[str, Any]:
    figures = {
        key: round(value, 5) if isinstance(value, float) else value for key, value in asdict(parity).items()
    }
    figures["worst"] = [{"image": Path(name).name, "box_iou": round(iou, 4)} for name, iou in parity.worst]
    return figures
