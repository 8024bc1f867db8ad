"""A result as one binary message: what was found, the map, and the picture, so that they stay together.

The browser draws boxes and map over the picture itself. So one JPEG serves every viewer, whatever
each of them wants to see of the boxes and the map.
"""

import json
import struct
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from lightcam_edge.geometry import Fit
from lightcam_edge.streaming.messages import StreamResult, Track

Float32 = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]
Kind = Literal["full", "tile"]
TILE_SIDE = 480  # longer side of a picture among others, in pixels


def encode_result(
    result: StreamResult, settings: dict[str, Any], side: int, quality: int, kind: Kind = "full"
) -> bytes:
    """Put a result into one message.

    Args:
        result: picture, map and tracks.
        settings: threshold and method in use.
        side: longer side of the picture, in pixels; smaller pictures stay as they are.
        quality: of the JPEG, 1 to 100.
        kind: what the message is for.

    Returns:
        Big-endian 32-bit length of a JSON object, the object, h*w bytes of the map, the JPEG.
    """
    levels = map_levels(result.found.cam)
    header = {**describe(result), **settings, "kind": kind, "map": _map(levels, result.found.fit)}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    return b"".join(
        (
            struct.pack(">I", len(text)),
            text,
            levels.tobytes(),
            _jpeg(result.frame.photo.pixels, side, quality),
        )
    )


def describe(result: StreamResult) -> dict[str, Any]:
    """What was found, as JSON."""
    found = result.found
    return {
        "camera": result.frame.camera,
        "frame": result.frame.index,
        "time": round(result.frame.captured_at, 3),
        "age_ms": round(result.age_ms, 1),
        "image_hw": list(found.fit.image_hw),
        "label": found.label,
        "class_index": found.class_index,
        "score": round(float(found.score), 4) if np.isfinite(found.score) else None,
        "objects": [_object(track) for track in result.tracks],
    }


def _object(track: Track) -> dict[str, Any]:
    box = track.box
    return {
        "id": track.id,
        "label": track.label,
        "class_index": track.class_index,
        "score": round(float(track.score), 4),
        "box": [round(at, 1) for at in (box.x0, box.y0, box.x1, box.y1)],
        "since": round(track.started_at, 3),
    }


def map_levels(cam: Float32) -> UInt8:
    """A map as shares of its peak, 0 to 255; all 0 where nothing in it is positive."""
    peak = float(cam.max()) if cam.size else 0.0
    if not (np.isfinite(peak) and peak > 0):
        return np.zeros(cam.shape, np.uint8)
    return np.asarray(np.rint(np.clip(cam / peak, 0, 1) * 255), np.uint8)


def _map(levels: UInt8, fit: Fit) -> dict[str, Any]:
    """Size of the map, and the rectangle of the image that it covers, in image pixels."""
    (sx, sy), (ox, oy) = fit.scale_xy, fit.offset_xy
    height, width = fit.input_hw
    return {"hw": list(levels.shape), "rect": [-ox / sx, -oy / sy, width / sx, height / sy]}


def _jpeg(pixels: UInt8, side: int, quality: int) -> bytes:
    height, width = pixels.shape[:2]
    shrink = side / max(height, width)
    if shrink < 1:
        size_wh = max(1, round(width * shrink)), max(1, round(height * shrink))
        pixels = np.asarray(cv2.resize(pixels, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    _, content = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return content.tobytes()
