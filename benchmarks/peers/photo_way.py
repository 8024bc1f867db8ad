"""From the file of a photograph to a map and a box, as the user of a library would write it.

    python photo_way.py prepare WAY FOLDER
    python photo_way.py cold    WAY FOLDER PHOTO OUT
    python photo_way.py warm    WAY FOLDER PHOTO SECONDS

Runs in the environment of its library, which is imported when it is asked for. FOLDER is what rebuild.py
made of `light-cam`. `cold` writes an annotated picture and ends; `warm` prints a line of JSON.
"""

import json
import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

THRESHOLD = 0.2  # of the map's peak, the paper's
WARM_UP = 3
STUBS: list[Any] = []


@dataclass(frozen=True)
class Found:
    """What a library says of a photograph.

    Args:
        picture: draws it on the photograph, returns what can be saved; ours has a command for that.
        cam: (H, W) map, 0 where nothing speaks for the class; None where there is none.
        box: x0, y0, x1, y1 in the image, None where there is none.
    """

    picture: Callable[[], Any] | None = None
    cam: np.ndarray | None = None
    box: tuple[float, float, float, float] | None = None


Way = Callable[[str], Found]


def drawn(photo: str, box: tuple[float, float, float, float] | None, label: str) -> Any:
    from PIL import Image, ImageDraw

    picture = Image.open(photo).convert("RGB")
    pencil = ImageDraw.Draw(picture)
    if box:
        pencil.rectangle(box, outline="red", width=3)
    pencil.text((box[0], box[1]) if box else (0, 0), label, fill="red")
    return picture


def box_of(cam: np.ndarray, image_wh: tuple[int, int]) -> tuple[float, float, float, float] | None:
    """The paper's rule on a map over the network's input."""
    from scipy import ndimage

    parts, count = ndimage.label(cam > THRESHOLD * cam.max(), np.ones((3, 3)))
    if not count:
        return None
    largest = 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    rows, columns = ndimage.find_objects(parts)[largest - 1]
    x, y = image_wh[0] / cam.shape[1], image_wh[1] / cam.shape[0]
    return columns.start * x, rows.start * y, columns.stop * x, rows.stop * y


def scaled_up(cam: np.ndarray) -> np.ndarray:
    """A map over the network's input, without what speaks against the class."""
    from PIL import Image

    return np.asarray(Image.fromarray(np.maximum(cam, 0)).resize((224, 224), Image.Resampling.BILINEAR))


def ours(model: str, plain_cam: bool = False) -> Callable[[Path], Way]:
    def load(_: Path) -> Way:
        from lightcam_edge.localizer import Localizer, Options

        options = Options(method="cam", threshold=THRESHOLD, component="largest", score="frame")
        localizer = Localizer(model, options=options if plain_cam else None)

        def find(photo: str) -> Found:
            found = localizer(photo)
            boxes = [detection.box for detection in found.detections]
            box = (boxes[0].x0, boxes[0].y0, boxes[0].x1, boxes[0].y1) if boxes else None
            return Found(cam=np.maximum(found.cam, 0), box=box)

        return find

    return load


def our_command(model: str, photo: str, out: str) -> None:
    """What `lightcam-edge run` does, in a process that then tells its memory."""
    from lightcam_edge.cli import main as command

    sys.argv = ["lightcam-edge", "run", photo, "--model", model, "--out", out, "--quiet"]
    try:
        command()
    except SystemExit as done:
        if done.code:
            raise


def declare_nms() -> None:
    """Let torchvision be imported where its compiled part does not load.

    The package index has it built for CUDA only, which does not load beside a CPU build of PyTorch. Two
    operators must be known at its import; nothing here calls them, YOLO26 needs no NMS.
    """
    import torch

    if torch.version.cuda is None and "+cpu" not in version("torchvision") and not STUBS:
        STUBS.append(torch.library.Library("torchvision", "DEF"))
        for name in ("nms", "qnms"):
            STUBS[0].define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def torch_light_cam(folder: Path) -> Any:
    declare_nms()
    import torch
    from torch import nn

    class LightCam(nn.Module):
        def __init__(self, classes: int) -> None:
            super().__init__()
            filters = (3, 32, 64, 128, 256, 512)
            layers: list[nn.Module] = []
            for number in range(1, 6):
                layers += [nn.Conv2d(*filters[number - 1 : number + 1], 3, padding=1), nn.ReLU()]
                layers += [nn.MaxPool2d(2)] if number < 5 else []
            self.features = nn.Sequential(*layers)
            self.gap = nn.AdaptiveAvgPool2d(1)
            self.fc = nn.Linear(filters[-1], classes)

        def forward(self, image: Any) -> Any:
            return self.fc(self.gap(self.features(image)).flatten(1))

    weights = {name: torch.from_numpy(value) for name, value in np.load(folder / "weights.npz").items()}
    model = LightCam(len(weights["fc.bias"]))
    convolutions = [layer for layer in model.features if isinstance(layer, nn.Conv2d)]
    for number, layer in enumerate(convolutions, start=1):
        layer.load_state_dict({part: weights[f"conv{number}.{part}"] for part in ("weight", "bias")})
    model.fc.load_state_dict({part: weights[f"fc.{part}"] for part in ("weight", "bias")})
    return model.eval()


def torch_input(photo: str) -> tuple[Any, Any]:
    from PIL import Image
    from torchvision import transforms

    image = Image.open(photo).convert("RGB")
    fit = transforms.Compose([transforms.Resize((224, 224)), transforms.ToTensor()])
    return image, fit(image)[None]


def pytorch_grad_cam(folder: Path) -> Way:
    """With GAP and one dense layer, Grad-CAM's weights are the dense layer's: the map is the CAM."""
    declare_nms()
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.image import show_cam_on_image

    model = torch_light_cam(folder)
    extractor = GradCAM(model=model, target_layers=[model.features[-1]])

    def find(photo: str) -> Found:
        image, pixels = torch_input(photo)
        cam = extractor(input_tensor=pixels, targets=None)[0]
        box = box_of(cam, image.size)

        def picture() -> Any:
            from PIL import Image, ImageDraw

            canvas = np.asarray(image.resize((224, 224)), np.float32) / 255
            heat = Image.fromarray(show_cam_on_image(canvas, cam, use_rgb=True)).resize(image.size)
            ImageDraw.Draw(heat).rectangle(box, outline="red", width=3)
            return heat

        return Found(picture, cam, box)

    return find


def torchcam(folder: Path) -> Way:
    import torch
    from torchcam.methods import CAM
    from torchcam.utils import overlay_mask

    model = torch_light_cam(folder)
    extractor = CAM(model, model.features[-1], model.fc)

    def find(photo: str) -> Found:
        image, pixels = torch_input(photo)
        with torch.inference_mode():
            scores = model(pixels)
        signed = extractor(class_idx=int(scores.argmax()), normalized=False)[0].squeeze().numpy()
        cam = scaled_up(signed)  # it normalizes between the ends, below zero too
        box = box_of(cam, image.size)

        def picture() -> Any:
            from PIL import Image, ImageDraw

            heat = overlay_mask(image, Image.fromarray(cam / cam.max()), alpha=0.5)
            ImageDraw.Draw(heat).rectangle(box, outline="red", width=3)
            return heat

        return Found(picture, cam, box)

    return find


def tf_keras_vis(folder: Path) -> Way:
    import keras
    from PIL import Image
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.utils.model_modifiers import ReplaceToLinear
    from tf_keras_vis.utils.scores import CategoricalScore

    model = keras.models.load_model(folder / "model.keras", compile=False)
    extractor = Gradcam(model, model_modifier=ReplaceToLinear(), clone=True)

    def find(photo: str) -> Found:
        image = Image.open(photo).convert("RGB")
        pixels = np.asarray(image.resize((224, 224), Image.Resampling.BILINEAR), np.float32)
        scores = np.asarray(model(pixels[None]))[0]
        score = CategoricalScore(int(scores.argmax()))
        # Its own scaling puts the map's corner cells into the image's corners, half a cell further out.
        layer = {"penultimate_layer": "relu5", "seek_penultimate_conv_layer": False}  # else before its ReLU
        cam = scaled_up(np.asarray(extractor(score, pixels[None], expand_cam=False, **layer)[0]))
        box = box_of(cam, image.size)
        return Found(lambda: drawn(photo, box, str(scores.argmax())), cam, box)

    return find


def yolo(folder: Path, file: str = "yolo26n.pt", size: int = 640) -> Way:
    declare_nms()
    from ultralytics import YOLO

    model = YOLO(folder / file, task="detect")

    def find(photo: str) -> Found:
        result = model.predict(photo, imgsz=size, verbose=False)[0]

        def picture() -> Any:
            from PIL import Image

            return Image.fromarray(result.plot()[..., ::-1])

        boxes = result.boxes.xyxy.tolist()
        return Found(picture, box=tuple(boxes[0]) if boxes else None)

    return find


def make_yolo(folder: Path) -> None:
    """Random weights take the same time as trained ones, which would have to be downloaded."""
    declare_nms()
    from ultralytics import YOLO

    YOLO("yolo26n.yaml").save(folder / "yolo26n.pt")


def export_yolo(kind: str, size: int) -> Callable[[Path], None]:
    def export(folder: Path) -> None:
        declare_nms()
        from ultralytics import YOLO

        made = Path(YOLO(folder / "yolo26n.pt").export(format=kind, imgsz=size))
        made.rename(folder / yolo_file(kind, size))

    return export


def yolo_file(kind: str, size: int) -> str:
    return f"yolo26n-{size}.{'tflite' if kind == 'litert' else kind}"


def exported_yolo(kind: str, size: int) -> Callable[[Path], Way]:
    return lambda folder: yolo(folder, yolo_file(kind, size), size)


def mediapipe(file: str) -> Callable[[Path], Way]:
    return lambda folder: classifier_of_mediapipe(folder.parent / "lite" / file)


def classifier_of_mediapipe(model: Path) -> Way:
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions, vision

    # Else it sorts 100,352 features as if they were classes, which takes 160 ms.
    options = {"base_options": BaseOptions(model_asset_path=str(model)), "max_results": 1}
    classifier = vision.ImageClassifier.create_from_options(vision.ImageClassifierOptions(**options))

    def find(photo: str) -> Found:
        answer = classifier.classify(mp.Image.create_from_file(photo))
        best = max(answer.classifications[0].categories, key=lambda category: category.score)
        return Found(lambda: drawn(photo, None, f"{best.category_name} {best.score:.2f}"))

    return find


def nothing(_: Path) -> None:
    pass


# What finds, and what makes the files that it takes.
WAYS: dict[str, tuple[Callable[[Path], Way], Callable[[Path], None]]] = {
    "lightcam-edge, light-cam": (ours("light-cam", plain_cam=True), nothing),
    "lightcam-edge, lite": (ours("lite"), nothing),
    "pytorch-grad-cam": (pytorch_grad_cam, nothing),
    "torchcam": (torchcam, nothing),
    "tf-keras-vis": (tf_keras_vis, nothing),
    "YOLO26n, PyTorch, 640": (yolo, make_yolo),
    "YOLO26n, ONNX, 640": (exported_yolo("onnx", 640), export_yolo("onnx", 640)),
    "YOLO26n, LiteRT, 640": (exported_yolo("litert", 640), export_yolo("litert", 640)),
    "YOLO26n, LiteRT, 224": (exported_yolo("litert", 224), export_yolo("litert", 224)),
    "MediaPipe ImageClassifier, lite int8": (mediapipe("int8.tflite"), nothing),
    "MediaPipe ImageClassifier, lite float32": (mediapipe("float32.tflite"), nothing),
}


def cold(way: str, folder: Path, photo: str, out: str) -> dict[str, Any]:
    if way.startswith("lightcam-edge"):
        our_command(way.partition(", ")[2], photo, out)
    else:
        Path(out).mkdir(parents=True, exist_ok=True)
        WAYS[way][0](folder)(photo).picture().save(Path(out) / "found.jpg")
    return {"peak_bytes": peak_bytes()}


def peak_bytes() -> int:
    """Most memory that this program had; what `wait4` tells holds its parent's as well."""
    return 1024 * int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])


def warm(way: str, folder: Path, photo: str, seconds: str) -> dict[str, Any]:
    find = WAYS[way][0](folder)
    found = find(photo)
    for _ in range(WARM_UP):
        find(photo)
    count, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < float(seconds):
        find(photo)
        count += 1
    cam = None if found.cam is None else np.asarray(found.cam, float).round(5).tolist()
    return {"images_per_s": count / elapsed, "map": cam, "box": found.box}


def main(action: str, way: str, folder: str, *rest: str) -> None:
    answers = os.fdopen(os.dup(1), "w")  # a library may write to stdout as well
    os.dup2(2, 1)
    try:
        if action == "prepare":
            WAYS[way][1](Path(folder))
            said: dict[str, Any] = {}
        else:
            said = (cold if action == "cold" else warm)(way, Path(folder), *rest)
    except Exception as error:
        said = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
    answers.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
