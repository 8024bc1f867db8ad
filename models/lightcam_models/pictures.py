"""Pictures of a training: what the teacher marked, and how it went."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lightcam_edge.model_file import write_atomically

UInt8 = npt.NDArray[np.uint8]
COLUMNS, TILE = 10, 128
OUTSIDE_BRIGHTNESS = 0.25


def contact_sheet(pixels: UInt8, masks: UInt8, path: Path) -> None:
    """Write photographs in rows, darkened where the mask has no foreground.

    Args:
        pixels: (N, side, side, 3) uint8 RGB.
        masks: (N, m, m) uint8, 0..255.
        path: PNG to write.
    """
    tiles = np.zeros((-(-len(pixels) // COLUMNS) * COLUMNS, TILE, TILE, 3), np.uint8)
    for tile, photo, mask in zip(tiles, pixels, masks, strict=False):
        light = (
            cv2.resize(mask, (TILE, TILE))[..., None] / 255 * (1 - OUTSIDE_BRIGHTNESS) + OUTSIDE_BRIGHTNESS
        )
        tile[:] = cv2.resize(photo, (TILE, TILE), interpolation=cv2.INTER_AREA) * light
    rows = tiles.reshape(-1, COLUMNS, TILE, TILE, 3).swapaxes(1, 2).reshape(-1, COLUMNS * TILE, 3)
    if not len(rows):
        return
    _, png = cv2.imencode(".png", rows[..., ::-1])
    write_atomically(path, png.tobytes())


def training_curves(history: Sequence[dict[str, float]], path: Path) -> None:
    """Write the losses and the accuracy by epoch, training and validation.

    Args:
        history: one dictionary an epoch, with `epoch`, the metrics and their `val_` twins.
        path: PNG to write.
    """
    names = [name for name in ("class_loss", "map_loss", "accuracy") if name in history[0]]
    figure = Figure(figsize=(4 * len(names), 3), layout="constrained")
    FigureCanvasAgg(figure)
    epochs = [epoch["epoch"] for epoch in history]
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for key, label in ((name, "training"), (f"val_{name}", "validation")):
            if key in history[0]:
                axes.plot(epochs, [epoch[key] for epoch in history], marker=".", label=label)
        axes.set(title=name.replace("_", " "), xlabel="epoch")
        axes.grid(alpha=0.3)
    axes.legend()
    temporary = path.with_name(f".{path.name}")
    figure.savefig(temporary, format="png", dpi=120)
    temporary.replace(path)
