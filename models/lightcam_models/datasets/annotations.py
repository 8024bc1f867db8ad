"""Boxes that people drew: Pascal VOC, COCO and CSV files.

VOC and COCO boxes lie in the frame of the stored pixels, unless the size that
the annotation states is that of the upright image (older tools ignore a
photograph's EXIF orientation, newer ones heed it). CSV boxes lie in the upright
image, as those that `lightcam-edge run --json` prints.
"""

import csv
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

from lightcam_edge.box import Box
from lightcam_edge.errors import UsageError

CSV_COLUMNS = ("filename", "x0", "y0", "x1", "y1")


@dataclass(frozen=True, slots=True)
class Annotation:
    """The boxes of one image, in the frame they were drawn in.

    Args:
        objects: (name, box) of each object; the name is empty where the file gives none.
        stated_wh: width and height of the image as the annotation states them, or None.
        upright: whether the boxes certainly lie in the upright image.
    """

    objects: tuple[tuple[str, Box], ...]
    stated_wh: tuple[int, int] | None = None
    upright: bool = False

    def only(self, label: str) -> "Annotation":
        """Keep the objects of one name."""
        return replace(self, objects=tuple(one for one in self.objects if one[0] == label))

    def boxes(self, stored_wh: tuple[int, int], orientation: int) -> tuple[Box, ...]:
        """Carry the boxes to the upright image, clipped to it; empty ones are left out.

        Args:
            stored_wh: width and height of the pixels as stored.
            orientation: the EXIF orientation, 1 to 8.
        """
        swapped = orientation >= 5
        upright_wh = stored_wh[::-1] if swapped else stored_wh
        as_shown = self.upright or (swapped and self.stated_wh == upright_wh != stored_wh)
        turn = 1 if as_shown else orientation
        turned = (_clipped(_turned(box, turn, upright_wh), upright_wh) for _, box in self.objects)
        return tuple(box for box in turned if box.area > 0)


def _turned(box: Box, orientation: int, upright_wh: tuple[int, int]) -> Box:
    width, height = upright_wh
    x0, y0, x1, y1 = box.x0, box.y0, box.x1, box.y1
    if orientation >= 5:
        x0, y0, x1, y1 = y0, x0, y1, x1
    if orientation in (2, 3, 6, 7):
        x0, x1 = width - x1, width - x0
    if orientation in (3, 4, 7, 8):
        y0, y1 = height - y1, height - y0
    return Box(x0, y0, x1, y1)


def _clipped(box: Box, wh: tuple[int, int]) -> Box:
    width, height = wh
    return Box(max(box.x0, 0.0), max(box.y0, 0.0), min(box.x1, float(width)), min(box.y1, float(height)))


def read_voc(path: Path) -> Annotation:
    """Read a Pascal VOC file; minima and maxima are taken as the edges (tools differ by one pixel).

    Raises:
        ValueError: if it is no VOC annotation.
    """
    try:
        # The parser of Python's own expat limits entity expansion since 2.4.1.
        root = ElementTree.parse(path).getroot()  # noqa: S314
    except ElementTree.ParseError as error:
        raise ValueError(f"not well-formed XML ({error})") from error
    objects = tuple((item.findtext("name", "").strip(), _voc_box(item)) for item in root.iter("object"))
    size = tuple(root.findtext(f"size/{side}", "") for side in ("width", "height"))
    stated = (int(size[0]), int(size[1])) if size[0].isdigit() and size[1].isdigit() else None
    return Annotation(objects, stated)


def _voc_box(item: ElementTree.Element) -> Box:
    edges = [item.findtext(f"bndbox/{side}", "") for side in ("xmin", "ymin", "xmax", "ymax")]
    try:
        return Box(*(float(edge) for edge in edges))
    except ValueError:
        raise ValueError(f"an object's bndbox is {edges}, not four numbers") from None


def read_coco(path: Path) -> dict[str, Annotation]:
    """Read a COCO detection file: annotations by image file name; crowds are left out.

    Returns:
        Nothing if the file holds no COCO annotations.

    Raises:
        UsageError: if it does, but not in COCO's form.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not (isinstance(content, dict) and {"images", "annotations"} <= content.keys()):
            return {}
        names = {category["id"]: str(category["name"]) for category in content.get("categories", ())}
        objects: dict[int, list[tuple[str, Box]]] = defaultdict(list)
        for item in content["annotations"]:
            if not item.get("iscrowd"):
                x, y, width, height = map(float, item["bbox"])
                objects[item["image_id"]].append(
                    (names.get(item["category_id"], ""), Box(x, y, x + width, y + height))
                )
        return {
            image["file_name"]: Annotation(tuple(objects[image["id"]]), _stated(image))
            for image in content["images"]
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} is not COCO JSON ({error!r}): repair it, or move it away") from error


def _stated(image: Mapping[str, int]) -> tuple[int, int] | None:
    return (image["width"], image["height"]) if {"width", "height"} <= image.keys() else None


def read_csv(path: Path) -> dict[str, Annotation]:
    """Read boxes from a table `filename,x0,y0,x1,y1[,label]`, in pixels of the upright image.

    Returns:
        Annotations by file name; nothing if the table has other columns.

    Raises:
        UsageError: if a row's box is not four numbers.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file, skipinitialspace=True)
            if not set(CSV_COLUMNS) <= set(table.fieldnames or ()):
                return {}
            rows = list(table)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} is no CSV table in UTF-8 ({error}): repair it, or move it away") from error
    objects: dict[str, list[tuple[str, Box]]] = defaultdict(list)
    for number, row in enumerate(rows, 1):
        try:
            box = Box(*(float(row[edge]) for edge in CSV_COLUMNS[1:]))
        except (ValueError, TypeError):
            raise UsageError(f"{path}, row {number}: the box is not four numbers x0,y0,x1,y1") from None
        objects[row["filename"]].append((row.get("label") or "", box))
    return {name: Annotation(tuple(found), upright=True) for name, found in objects.items()}


def named_objects(annotations: Iterable[Annotation]) -> set[str]:
    """Every name that occurs in some annotations."""
    return {name for annotation in annotations for name, _ in annotation.objects}
