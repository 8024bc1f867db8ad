"""What a round looks at: image files, frames in memory, or a camera."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lightcam_edge.errors import InputError
from lightcam_edge.images import Photo, read_image
from lightcam_edge.localizer import Localization, Localizer, Stopwatch

MOST_IN_MEMORY = 32  # decoded images; one of 12 megapixels takes 36 MB


@dataclass(frozen=True, slots=True)
class View:
    """Images by number.

    Args:
        look: localizes in one, stage by stage.
        photo: gives one decoded in full, to draw on.
    """

    look: Callable[[int], Localization]
    photo: Callable[[int], Photo]


@contextmanager
def open_view(
    localizer: Localizer, images: tuple[str, ...], in_memory: bool, camera: str | None
) -> Iterator[View]:
    """Look at images, or through a camera.

    Args:
        localizer: finds what is in them.
        images: paths, taken in turn.
        in_memory: decode beforehand, as a camera's frames are.
        camera: a source as `lightcam-edge stream` takes it, instead of images.

    Raises:
        LightcamError: if an image cannot be read, or the camera is not to be had.
    """
    if camera is not None:
        with _camera_view(localizer, camera) as view:
            yield view
        return
    paths = [Path(path) for path in images]
    photos = [read_image(path) for path in paths[:MOST_IN_MEMORY]] if in_memory else []

    def look(number: int) -> Localization:
        if photos:
            return localizer.localize(photos[number % len(photos)])
        return localizer(paths[number % len(paths)])

    yield View(look, lambda number: read_image(paths[number % len(paths)]))


@contextmanager
def _camera_view(localizer: Localizer, text: str) -> Iterator[View]:
    """Frames as they come: decoding counts where the camera's library tells it, waiting does not."""
    from lightcam_edge.streaming.sources.grammar import CaptureOptions, parse_source
    from lightcam_edge.streaming.sources.opening import check_readable, make_camera
    from lightcam_edge.streaming.sources.patience import Patience
    from lightcam_edge.streaming.sources.reading import Picture

    source = parse_source(text)
    check_readable(source)
    camera = make_camera(source, CaptureOptions(loop=True, every_frame=True), Patience())

    def read() -> Picture:
        picture = camera.read()
        if picture is None:
            raise InputError(f"{source} ended: give a camera that goes on")
        return picture

    def look(_: int) -> Localization:
        picture = read()
        return localizer.localize(picture.photo, Stopwatch({"decode": picture.decode_ms}))

    try:
        camera.open()
        yield View(look, lambda _: read().photo)
    finally:
        camera.close()
