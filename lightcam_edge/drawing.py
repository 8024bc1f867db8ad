"""Pictures of what was found: boxes with labels, heat maps, crops."""

import cv2
import numpy as np
import numpy.typing as npt

from lightcam_edge.box import Box
from lightcam_edge.geometry import cam_over_image
from lightcam_edge.lettering import ink, text_mask
from lightcam_edge.localizer import Localization

UInt8 = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

# RGB, told apart by people who are colour-blind too (Okabe and Ito 2008).
COLOURS: tuple[Colour, ...] = (
    (0, 158, 115),
    (230, 159, 0),
    (86, 180, 233),
    (213, 94, 0),
    (240, 228, 66),
    (204, 121, 167),
    (0, 114, 178),
)
GREY: Colour = (70, 70, 70)
BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)
LINE_SHARE = 0.042  # of the longer side of the image
LINE_HEIGHT = 18  # at least, in pixels
HEAT_SHARE = 0.6
HEAT_SIDE = 1024  # the map is smooth: sampled finer than this it looks the same


def draw_boxes(pixels: UInt8, found: Localization) -> UInt8:
    """Draw the boxes with label and score, or say in the corner that there is none.

    Args:
        pixels: (h, w, 3) uint8 RGB, the upright image at any scale.
        found: what was found in it.

    Returns:
        A new image of the same size.
    """
    picture = pixels.copy()
    to_picture = pixels.shape[1] / found.fit.image_hw[1], pixels.shape[0] / found.fit.image_hw[0]
    for detection in reversed(found.detections):  # the best last, on top
        colour = COLOURS[detection.class_index % len(COLOURS)]
        corners = _corners(detection.box, to_picture, picture)
        _draw_frame(picture, corners, colour)
        _draw_label(picture, f"{detection.label} {detection.score:.2f}", corners[0], colour)
    if not found.detections:
        _draw_label(picture, f"no box ({found.label} {found.score:.2f})", (0, 0), GREY)
    return picture


def _thickness(picture: UInt8) -> int:
    side: int = max(picture.shape)
    return max(2, round(side / 240))


def _corners(
    box: Box, scale_xy: tuple[float, float], picture: UInt8
) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last pixel of a box, far enough inside for its line to be seen whole."""
    height, width = picture.shape[:2]
    inset = _thickness(picture) // 2
    x0, x1 = round(box.x0 * scale_xy[0]), round(box.x1 * scale_xy[0]) - 1
    y0, y1 = round(box.y0 * scale_xy[1]), round(box.y1 * scale_xy[1]) - 1
    return (max(x0, inset), max(y0, inset)), (min(x1, width - 1 - inset), min(y1, height - 1 - inset))


def _draw_frame(picture: UInt8, corners: tuple[tuple[int, int], tuple[int, int]], colour: Colour) -> None:
    thickness = _thickness(picture)
    cv2.rectangle(picture, *corners, BLACK, thickness + 2)
    cv2.rectangle(picture, *corners, colour, thickness)


def _draw_label(picture: UInt8, text: str, corner: tuple[int, int], colour: Colour) -> None:
    """Write on a plate above a corner, or inside it where there is no room above."""
    height, width = picture.shape[:2]
    line_height = max(LINE_HEIGHT, round(max(height, width) * LINE_SHARE))
    mask = text_mask(text, line_height, max(1, round(0.94 * width)))
    above, beside = max(1, mask.shape[0] // 10), max(1, mask.shape[0] // 5)
    mask = np.pad(mask, ((above, above), (beside, beside)))[:height, :width]
    plate_height, plate_width = mask.shape
    x = max(0, min(corner[0] - _thickness(picture) // 2, width - plate_width))
    y = corner[1] - plate_height if corner[1] >= plate_height else min(corner[1], height - plate_height)
    luminance = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
    plate = picture[y : y + plate_height, x : x + plate_width]
    plate[:] = colour
    ink(plate, mask, BLACK if luminance > 120 else WHITE)


def draw_heat(pixels: UInt8, found: Localization) -> UInt8:
    """Lay the activation map over the image: the nearer to its maximum, the redder and the less seen through.

    Args:
        pixels: (h, w, 3) uint8 RGB, the upright image at any scale.
        found: what was found in it.

    Returns:
        A new image of the same size; the image itself where the map is zero or below.
    """
    height, width = pixels.shape[:2]
    shrink = max(1.0, max(height, width) / HEAT_SIDE)
    cam = cam_over_image(
        found.cam, found.fit, (max(1, round(height / shrink)), max(1, round(width / shrink)))
    )
    peak = float(found.cam.max())
    if not (np.isfinite(peak) and peak > 0):
        return pixels.copy()
    share = cv2.resize(np.clip(cam / peak, 0, 1), (width, height), interpolation=cv2.INTER_LINEAR)
    heat = cv2.applyColorMap((share * 255).astype(np.uint8), cv2.COLORMAP_TURBO)
    seen = HEAT_SHARE * np.sqrt(share)
    return np.asarray(
        cv2.blendLinear(pixels, cv2.cvtColor(heat, cv2.COLOR_BGR2RGB), 1 - seen, seen), np.uint8
    )


def side_by_side(left: UInt8, right: UInt8) -> UInt8:
    """Put two images of one size beside each other, along the shorter side."""
    return np.concatenate([left, right], axis=1 if left.shape[0] >= left.shape[1] / 2 else 0)


def crop(pixels: UInt8, box: Box) -> UInt8:
    """Cut out every pixel that a box of the image frame touches."""
    y0, x0 = int(box.y0), int(box.x0)
    y1, x1 = int(np.ceil(box.y1)), int(np.ceil(box.x1))
    return pixels[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]


def to_jpeg(pixels: UInt8) -> bytes:
    """Encode an RGB image."""
    _, content = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92])
    return content.tobytes()
