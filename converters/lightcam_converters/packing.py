"""Writes TFLite models that were taken apart."""

from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from lightcam_edge.model_file import TFLITE_IDENTIFIER

BUFFER_ALIGNMENT = 16  # `force_align` of Buffer.data in TFLite's schema.fbs


class AlignedBuffer(schema.BufferT):  # type: ignore[misc]
    """A buffer that is packed at the alignment its schema asks for; the generated code forgets it."""

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802 - the generated name
        """Write the buffer, see `flatbuffers`."""
        data = None
        if self.data is not None:
            content = bytes(bytearray(self.data))
            builder.StartVector(1, len(content), BUFFER_ALIGNMENT)
            builder.head -= len(content)
            builder.Bytes[builder.head : builder.head + len(content)] = content
            data = builder.EndVector()
        schema.BufferStart(builder)
        if data is not None:
            schema.BufferAddData(builder, data)
        return int(schema.BufferEnd(builder))


def aligned(data: Any) -> AlignedBuffer:
    """A buffer of a model that holds these bytes, or nothing for None."""
    buffer = AlignedBuffer()
    buffer.data = data
    return buffer


def packed(model: Any) -> bytes:
    """A model, a `schema.ModelT`, as a TFLite flatbuffer, every buffer aligned."""
    model.buffers = [aligned(buffer.data) for buffer in model.buffers]
    builder = flatbuffers.Builder(sum(len(b.data) for b in model.buffers if b.data is not None))
    builder.Finish(model.Pack(builder), TFLITE_IDENTIFIER)
    return bytes(builder.Output())
