"""One message holds what was found, the map and the picture."""

import json

import cv2
import numpy as np
import pytest

from lightcam_edge.box import Box
from lightcam_edge.geometry import Fit
from lightcam_edge.images import Photo
from lightcam_edge.localizer import Localization
from lightcam_edge.streaming.messages import CapturedFrame, StreamResult, Track
from lightcam_edge.streaming.page.encoding import encode_result, map_levels

CAM = np.array([[-1, 0, 1], [2, 3, 4]], np.float32)
TRACK = Track(7, 0, "bird", 0.91234, Box(10.04, 20, 110, 120), 1_700_000_000.5, 3)


def result(hw: tuple[int, int], fit: Fit, score: float = 0.9) -> StreamResult:
    pixels = np.zeros((*hw, 3), np.uint8)
    pixels[..., 0] = 200
    found = Localization(0, "bird", score, np.array([score, 0], np.float32), (), CAM, fit)
    frame = CapturedFrame("door", 41, Photo(pixels, hw), 1_700_000_001.25, 0)
    return StreamResult(frame, found, (TRACK,), 12.34)


def unpack(message: bytes) -> tuple[dict[str, object], list[int], np.ndarray]:
    length = int.from_bytes(message[:4], "big")
    header = json.loads(message[4 : 4 + length])
    rows, columns = header["map"]["hw"]
    end = 4 + length + rows * columns
    return header, list(message[4 + length : end]), cv2.imdecode(np.frombuffer(message[end:], np.uint8), 1)


def test_a_message_holds_objects_map_and_picture() -> None:
    settings = {"threshold": 0.3, "method": "cam"}
    message = encode_result(result((240, 320), Fit((240, 320), (224, 224))), settings, 960, 80)

    header, levels, picture = unpack(message)

    assert header == {
        "camera": "door",
        "frame": 41,
        "time": 1_700_000_001.25,
        "age_ms": 12.3,
        "image_hw": [240, 320],
        "label": "bird",
        "class_index": 0,
        "score": 0.9,
        "objects": [
            {
                "id": 7,
                "label": "bird",
                "class_index": 0,
                "score": 0.9123,
                "box": [10.0, 20, 110, 120],
                "since": 1_700_000_000.5,
            }
        ],
        "threshold": 0.3,
        "method": "cam",
        "kind": "full",
        "map": {"hw": [2, 3], "rect": [0, 0, 320, 240]},
    }
    assert levels == [0, 0, 64, 128, 191, 255]
    assert picture.shape == (240, 320, 3)
    assert picture[120, 160] == pytest.approx([0, 0, 200], abs=3)  # BGR: it was red


def test_a_large_picture_is_sent_smaller_and_its_boxes_stay_in_its_own_pixels() -> None:
    header, _, picture = unpack(
        encode_result(result((1080, 1920), Fit((1080, 1920), (224, 224))), {}, 960, 80)
    )

    assert picture.shape == (540, 960, 3)
    assert header["image_hw"] == [1080, 1920]


@pytest.mark.parametrize(
    ("resize", "rect"),
    [("letterbox", [0, -40, 320, 320]), ("crop", [40, 0, 240, 240]), ("squash", [0, 0, 320, 240])],
)
def test_the_map_says_which_part_of_the_picture_it_covers(resize: str, rect: list[float]) -> None:
    fit = Fit((240, 320), (224, 224), resize)  # type: ignore[arg-type]

    header, _, _ = unpack(encode_result(result((240, 320), fit), {}, 960, 80))

    assert header["map"]["rect"] == pytest.approx(rect)  # type: ignore[index]


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_a_map_without_a_peak_is_empty(value: float) -> None:
    assert not map_levels(np.full((2, 3), value, np.float32)).any()


def test_a_score_that_is_no_number_is_told_as_none() -> None:
    header, _, _ = unpack(encode_result(result((24, 32), Fit((24, 32), (8, 8)), np.nan), {}, 960, 80))

    assert header["score"] is None
