"""A world small enough to know everything about it, and a model file that sees through it.

Photographs are grey with red rectangles (`bird`) or blue ones (`dog`) or none
(`background`); the network's two features are redness and blueness.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from lightcam_edge.box import Box
from lightcam_edge.card import Background, CamSpec, InputSpec, ModelCard
from lightcam_edge.model_file import embedded_card, seal

RED, BLUE, GREY = (220, 60, 60), (60, 60, 220), (120, 120, 120)
COLOURS = {"bird": RED, "dog": BLUE}
INPUT = 64
GAP_WEIGHTS = np.array([[60, 0, -30], [0, 60, -30]], np.float32)
GAP_BIAS = np.array([0, 0, 1], np.float32)
CARD = ModelCard(
    name="painted",
    architecture="painted",
    labels=("bird", "dog", "background"),
    input=InputSpec(INPUT, INPUT),
    background=Background(2, "background"),
    cam=CamSpec(method="br-avgcam", threshold=0.5),
    parameters=9,
    macs=1000,
)


def paint(hw: tuple[int, int], *objects: tuple[str, Box]) -> np.ndarray:
    """Pixels (h, w, 3) uint8 of a grey photograph with rectangles."""
    pixels = np.full((*hw, 3), GREY, np.uint8)
    for label, box in objects:
        pixels[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)] = COLOURS[label]
    return pixels


def write_painted_model(path: Path) -> Path:
    """Write the model file that knows this world."""
    import tensorflow as tf

    class Painted(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((1, INPUT, INPUT, 3), tf.float32, name="image")])
        def localize(self, image):  # type: ignore[no-untyped-def]
            cells = tf.nn.avg_pool2d(image / 255, 4, 4, "VALID")
            red, green, blue = tf.split(cells, 3, axis=-1)
            features = tf.nn.relu(tf.concat([red - green, blue - green], axis=-1))
            logits = tf.reduce_mean(features, axis=(1, 2)) @ GAP_WEIGHTS + GAP_BIAS
            return {
                "scores": tf.nn.softmax(logits),
                "features": features,
                "gap_weights": tf.constant(GAP_WEIGHTS),
                "gap_bias": tf.constant(GAP_BIAS),
            }

    folder, module = path.parent / "saved", Painted()
    tf.saved_model.save(module, str(folder), signatures={"localize": module.localize})
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder), signature_keys=["localize"])
    path.write_bytes(seal(_with_card(converter.convert()), CARD))
    return path


def _with_card(flatbuffer: bytes) -> bytes:
    import flatbuffers
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(flatbuffer, 0))
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(embedded_card(CARD), np.uint8)
    entry.name, entry.buffer = b"LIGHTCAM_METADATA", len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def write_painted_photographs(folder: Path, rng: np.random.Generator, count: int = 6) -> Path:
    """Write `train/` and `test/` with one sub-folder a class, and the boxes as CSV."""
    for part in ("train", "test"):
        rows = ["filename,x0,y0,x1,y1,label"]
        for label in CARD.labels:
            (folder / part / label).mkdir(parents=True)
            for number in range(count):
                height, width = (int(n) for n in rng.integers(60, 120, 2))
                x0, y0 = int(rng.integers(0, width // 3)), int(rng.integers(0, height // 3))
                box = Box(x0, y0, x0 + int(width * 0.5), y0 + int(height * 0.45))
                objects = [(label, box)] if label in COLOURS else []
                name = f"{part}/{label}/{number}.png"
                Image.fromarray(paint((height, width), *objects)).save(folder / name)
                rows += [f"{name},{b.x0},{b.y0},{b.x1},{b.y1},{label}" for _, b in objects]
        (folder / f"{part}.csv").write_text("\n".join(rows) + "\n")
    return folder
