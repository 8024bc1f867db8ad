"""A virtual environment for each peer, made when it is first asked for."""

import json
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
STAMP = "requirements.json"
# An open requirement of torch takes a CUDA build of several GB.
TORCH = ("torch==2.13.0", "torchvision==0.28.0")
EXPORTS = ("onnx", "onnxslim", "onnxruntime", "litert-torch", "ai-edge-litert>=2.3", "ai-edge-quantizer")
REQUIREMENTS: dict[str, tuple[str, ...]] = {
    "host": (f"{REPOSITORY}[train,convert]", "onnx"),
    "lightcam-edge": (str(REPOSITORY),),
    "tflite-runtime": ("tflite-runtime==2.14.0", "numpy<2"),
    "onnxruntime": ("onnxruntime", "onnx"),
    "openvino": ("openvino", "nncf"),
    "ncnn": ("ncnn",),
    "grad-cam": (*TORCH, "grad-cam"),
    "torchcam": (*TORCH, "torchcam", "scipy"),
    "tf-keras-vis": ("tensorflow", "tf-keras-vis"),
    "mediapipe": ("mediapipe",),
    "ultralytics": (*TORCH, "ultralytics"),
    "ultralytics-exports": (*TORCH, "ultralytics", *EXPORTS),
}
ALONE = {"ncnn": ("pnnx",)}  # it asks for PyTorch, which its program runs without
TOLD = {
    "ai-edge-litert",
    "grad-cam",
    "keras",
    "mediapipe",
    "ncnn",
    "nncf",
    "numpy",
    "onnx",
    "onnxruntime",
    "opencv-python-headless",
    "openvino",
    "pnnx",
    "tensorflow",
    "tf-keras-vis",
    "tflite-runtime",
    "torch",
    "torchcam",
    "torchvision",
    "ultralytics",
}


def python_of(name: str, work: Path) -> Path:
    """The interpreter of an environment; it is made, or made anew where its requirements have changed.

    Raises:
        subprocess.CalledProcessError: if a requirement cannot be installed.
    """
    folder = work / name
    python, stamp = folder / "bin" / "python", folder / STAMP
    wanted = [*REQUIREMENTS[name], *ALONE.get(name, ())]
    if stamp.exists() and json.loads(stamp.read_text()) == wanted:
        return python
    print(f"installing {', '.join(wanted)}", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, *REQUIREMENTS[name]], check=True)
    if name in ALONE:
        subprocess.run([*install, "--no-deps", *ALONE[name]], check=True)
    stamp.write_text(json.dumps(wanted))
    return python


def renew_own(work: Path) -> None:
    """Put this repository's code as it is now into the environments that have it."""
    for name in ("host", "lightcam-edge"):
        python = python_of(name, work)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "--no-deps", "--force-reinstall", str(REPOSITORY)], check=True)


def installed_mb(name: str, work: Path) -> float:
    """Size of an environment on disk, in megabytes of 1,000,000 bytes."""
    told = subprocess.run(
        ["du", "--summarize", "--bytes", work / name], check=True, capture_output=True, text=True
    )
    return int(told.stdout.split()[0]) / 1e6


def versions(name: str, work: Path) -> dict[str, str]:
    """Versions of what matters in an environment."""
    listing = [python_of(name, work), "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"]
    told = subprocess.run(listing, check=True, capture_output=True, text=True)
    installed = {one["name"].lower(): one["version"] for one in json.loads(told.stdout)}
    return {package: installed[package] for package in sorted(TOLD & installed.keys())}
