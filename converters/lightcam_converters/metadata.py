"""Writes TFLite Model Metadata, and metadata of any kind into a TFLite flatbuffer.

The field numbers are those of metadata_schema.fbs 1.5.0 (TFLite Support, MediaPipe):
a table's fields are numbered in the order of their declaration, a union takes two.
"""

from collections.abc import Mapping
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from lightcam_converters.packing import aligned, packed
from lightcam_edge.card import ModelCard
from lightcam_edge.model_file import LABELS_NAME

METADATA_NAME = "TFLITE_METADATA"
METADATA_IDENTIFIER = b"M001"

IMAGE_PROPERTIES = 2  # in union ContentProperties
FEATURE_PROPERTIES = 1
NORMALIZATION_OPTIONS = 1  # in union ProcessUnitOptions
RGB = 1
TENSOR_AXIS_LABELS = 2

# In the order of the file: readers that know no signature take the first for the scores.
OUTPUTS = {
    "scores": "softmax over the labels",
    "features": "the maps that global average pooling averages",
    "gap_weights": "kernel of the dense layer behind the pooling",
    "gap_bias": "bias of the dense layer behind the pooling",
}


class Byte(int):
    """A field of one byte: an enumeration, or the type of a union."""


Table = dict[int, Any]


def describe(card: ModelCard, mean: float, std: float) -> bytes:
    """Describe a model as other readers want it: image, normalization, labels.

    Args:
        card: its model card.
        mean: of the normalization (image - mean) / std that gives the input's real values.
        std: see `mean`.

    Returns:
        A flatbuffer of kind ModelMetadata.
    """
    size = {0: card.input.width, 1: card.input.height}
    image = {
        0: "image",
        1: "RGB photograph",
        3: {0: Byte(IMAGE_PROPERTIES), 1: {0: Byte(RGB), 1: size}},
        4: [{0: Byte(NORMALIZATION_OPTIONS), 1: {0: [mean], 1: [std]}}],
        5: {0: [(255 - mean) / std], 1: [-mean / std]},
    }
    labels = {0: LABELS_NAME, 1: "labels, one a line", 2: Byte(TENSOR_AXIS_LABELS)}
    described = [
        {0: name, 1: description, 3: {0: Byte(FEATURE_PROPERTIES), 1: {}}}
        | ({6: [labels]} if name == "scores" else {})
        for name, description in OUTPUTS.items()
    ]
    subgraph = {2: [image], 3: described}
    model = {0: card.name, 1: f"{card.architecture}: {', '.join(card.labels)}", 3: [subgraph], 7: "1.0.0"}
    builder = flatbuffers.Builder()
    builder.Finish(_write_table(builder, model), METADATA_IDENTIFIER)
    return bytes(builder.Output())


def _write_table(builder: flatbuffers.Builder, fields: Table) -> int:
    offsets = {slot: _write(builder, value) for slot, value in fields.items() if not isinstance(value, int)}
    builder.StartObject(max(fields, default=-1) + 1)
    for slot, value in fields.items():
        if slot in offsets:
            builder.PrependUOffsetTRelativeSlot(slot, offsets[slot], 0)
        elif isinstance(value, Byte):
            builder.PrependUint8Slot(slot, value, 0)
        else:
            builder.PrependUint32Slot(slot, value, 0)
    return int(builder.EndObject())


def _write(builder: flatbuffers.Builder, value: str | Table | list[Table] | list[float]) -> int:
    if isinstance(value, str):
        return int(builder.CreateString(value))
    if isinstance(value, dict):
        return _write_table(builder, value)
    if isinstance(value[0], float):
        return int(builder.CreateNumpyVector(np.array(value, np.float32)))
    offsets = [_write_table(builder, entry) for entry in value if isinstance(entry, dict)]
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def attach(flatbuffer: bytes, entries: Mapping[str, bytes]) -> bytes:
    """Add metadata to a TFLite flatbuffer and put its outputs in the order of `OUTPUTS`.

    Args:
        flatbuffer: a TFLite model with the signature `localize`.
        entries: contents by name.

    Returns:
        The flatbuffer with them, every buffer aligned.
    """
    model = schema.ModelT.InitFromPackedBuf(flatbuffer)
    tensors = {entry.name.decode(): entry.tensorIndex for entry in model.signatureDefs[0].outputs}
    model.subgraphs[0].outputs = np.array([tensors[name] for name in OUTPUTS], np.int32)
    model.metadata = list(model.metadata or [])
    for name, content in entries.items():
        entry = schema.MetadataT()
        entry.name, entry.buffer = name, len(model.buffers)
        model.metadata.append(entry)
        model.buffers.append(aligned(np.frombuffer(content, np.uint8)))
    return packed(model)
