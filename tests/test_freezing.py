import numpy as np

from lightcam_edge.images import Photo
from lightcam_edge.streaming.sources.freezing import FreezeWatch


def test_a_still_picture_is_told_from_one_with_a_little_noise(rng: np.random.Generator) -> None:
    watch = FreezeWatch()
    picture = rng.integers(0, 200, (480, 640, 3), np.uint8)
    watch.see(Photo(picture, (480, 640)))
    first = watch.still_seconds()
    watch.see(Photo(picture.copy(), (480, 640)))
    assert watch.still_seconds() > first

    still = watch.still_seconds()
    noisy = picture + (rng.random((480, 640, 1)) < 0.01).astype(np.uint8)  # one pixel in a hundred
    watch.see(Photo(noisy, (480, 640)))
    assert watch.still_seconds() < still
