"""What a model finds in pictures of several objects, through the path that ships."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from lightcam_edge.errors import InputError
from lightcam_edge.images import Photo
from lightcam_edge.localizer import Detection, Localizer
from lightcam_models.evaluation.detection_metrics import TrueObject
from lightcam_models.progress import Progress


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of several objects, not drawn yet.

    Args:
        name: what it is called in messages and reports.
        truths: the objects in it.
        open: draws it for a model.
    """

    name: str
    truths: tuple[TrueObject, ...]
    open: Callable[[Localizer], Photo]


@dataclass(frozen=True, slots=True)
class PictureSet:
    """What models are to find objects in.

    Args:
        name: of the set.
        digest: SHA-256 of what the pictures are made of.
        pictures: the pictures.
        skipped: what was left out, and why.
    """

    name: str
    digest: str
    pictures: tuple[Picture, ...]
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a model finds in one picture: every box, with class and score."""

    picture: Picture
    image_hw: tuple[int, int]
    detections: tuple[Detection, ...]


@dataclass(frozen=True, slots=True)
class Sightings:
    """What a model finds in many pictures, and which it could not be shown."""

    seen: tuple[Sighting, ...]
    skipped: tuple[str, ...] = ()


def detect(localizer: Localizer, pictures: Sequence[Picture], progress: Progress, step: str) -> Sightings:
    """Show a model pictures, and take every box that it draws.

    Args:
        localizer: the model, with the options that count; `max_boxes` does not.
        pictures: the pictures.
        progress: told how far it is.
        step: what to call it there.
    """
    options = localizer.options
    seen, skipped = [], []
    localizer.set_options(replace(options, max_boxes=0))
    try:
        for number, picture in enumerate(pictures, start=1):
            try:
                found = localizer.localize(picture.open(localizer))
                seen.append(Sighting(picture, found.fit.image_hw, found.detections))
            except InputError as error:
                skipped.append(str(error))
            progress(step, number, len(pictures))
    finally:
        localizer.set_options(options)
    return Sightings(tuple(seen), tuple(skipped))
