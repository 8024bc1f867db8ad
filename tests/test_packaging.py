"""What the wheel holds, what it needs, and that the device code stands on its own."""

import email
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import lightcam_edge

ROOT = Path(__file__).resolve().parents[1]
HOST_ONLY = ("tensorflow", "keras", "lightcam_converters", "lightcam_models")
RUNTIME_REQUIREMENTS = {
    "ai-edge-litert",
    "tflite-runtime",
    "numpy",
    "opencv-python-headless",
    "pillow",
    "click",
}
WHEEL_BYTES = (
    8 << 20
)  # int8 models of 1 to 2 MB each, and no ImageNet weights, which alone are 7 MB in float16
IMPORT_EVERYTHING = """
import importlib, pkgutil, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"blocked: {name}", name=name)

BLOCKED = set(sys.argv[1:])
sys.meta_path.insert(0, Blocker())
import lightcam_edge
for module in pkgutil.walk_packages(lightcam_edge.__path__, "lightcam_edge."):
    importlib.import_module(module.name)
    print(module.name)
for name in lightcam_edge.__all__:
    getattr(lightcam_edge, name)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


def test_every_runtime_module_imports_without_the_host_packages() -> None:
    command = [sys.executable, "-W", "error", "-c", IMPORT_EVERYTHING, *HOST_ONLY]

    done = subprocess.run(command, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    files = (ROOT / "lightcam_edge").rglob("*.py")
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files}
    modules = {name.removesuffix(".__init__") for name in modules} - {"lightcam_edge"}
    assert set(done.stdout.split()) == modules


def test_the_wheel_puts_only_our_three_packages_into_site_packages(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}

    assert tops == {
        "lightcam_edge",
        "lightcam_converters",
        "lightcam_models",
        f"lightcam_edge-{lightcam_edge.__version__}.dist-info",
    }


@pytest.mark.parametrize(
    "package", ["lightcam_edge", "converters/lightcam_converters", "models/lightcam_models"]
)
def test_the_wheel_holds_every_file_of_the_package(wheel: zipfile.ZipFile, package: str) -> None:
    folder = ROOT / package
    paths = (path for path in folder.rglob("*") if path.is_file() and path.parent.name != "__pycache__")

    files = {path.relative_to(folder.parent).as_posix() for path in paths}

    assert files - set(wheel.namelist()) == set()
    assert f"{folder.name}/py.typed" in files


def test_the_wheel_stays_small_enough_for_a_board(wheel: zipfile.ZipFile) -> None:
    assert sum(entry.compress_size for entry in wheel.infolist()) < WHEEL_BYTES


def test_the_wheel_carries_licences_and_sample_photographs(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    licences = f"lightcam_edge-{lightcam_edge.__version__}.dist-info/licenses"

    assert {f"{licences}/LICENSE", f"{licences}/NOTICE"} <= names
    for sample in ("bird.jpg", "dog.jpg", "landscape.jpg"):
        assert f"lightcam_edge/samples/{sample}" in names
        assert f"`{sample}`" in wheel.read("lightcam_edge/samples/LICENSES.md").decode()


def test_the_bare_wheel_needs_no_host_package(wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    requirements = email.message_from_bytes(wheel.read(name)).get_all("Requires-Dist", [])

    bare = {line.partition(";")[0] for line in requirements if "extra ==" not in line}

    assert {line.split("<")[0].split(">")[0].split("=")[0].strip() for line in bare} == RUNTIME_REQUIREMENTS


def test_the_changelog_tells_of_this_version() -> None:
    assert f"## {lightcam_edge.__version__}" in (ROOT / "CHANGELOG.md").read_text()
