"""Why packages do not load, by what they really say; and where picamera2 hides."""

import signal
import subprocess
import sys
import venv
from dataclasses import replace
from pathlib import Path

import made_boards
import pytest
from made_boards import write
from patients import PICAMERA2, PYTHON, examined

from lightcam_edge.doctor.diagnosis import diagnose
from lightcam_edge.doctor.opencv import see_system_packages, video_backends
from lightcam_edge.doctor.python import Package, Python, check_python, load, read_python, sees_system_packages

PIP = "/opt/lightcam-edge/bin/pip"
APT = "usr/lib/python3/dist-packages"
NUMPY_2 = replace(PYTHON, packages={"numpy": Package("numpy", "2.2.1", "/opt/numpy/__init__.py")})
NUMPY_1 = replace(PYTHON, packages={"numpy": Package("numpy", "1.24.2", "/opt/numpy/__init__.py")})


@pytest.mark.parametrize(
    ("name", "python", "error", "reason", "fix"),
    [
        (
            "tflite-runtime",
            NUMPY_2,
            "ImportError: numpy.core.multiarray failed to import\n\nA module that was compiled using "
            "NumPy 1.x cannot be run in\nNumPy 2.2.1 as it may crash.",
            "it was built for numpy 1, and numpy 2.2.1 is in its way",
            f"{PIP} install 'numpy<2' 'opencv-python-headless<4.12'",
        ),
        (
            "tflite-runtime",
            NUMPY_2,
            "AttributeError: _ARRAY_API not found",
            "it was built for numpy 1, and numpy 2.2.1 is in its way",
            f"{PIP} install 'numpy<2' 'opencv-python-headless<4.12'",
        ),
        (
            "opencv",
            NUMPY_1,
            "RuntimeError: module compiled against ABI version 0x2000009 but this version of numpy is "
            "0x1000009\nImportError: numpy.core.multiarray failed to import",
            "it was built for numpy 2, and there is numpy 1.24.2",
            f"{PIP} install 'opencv-python-headless<4.12'",
        ),
        (
            "picamera2",
            NUMPY_2,
            "ValueError: numpy.dtype size changed, may indicate binary incompatibility. Expected 96 from "
            "C header, got 88 from PyObject",
            "it was built for numpy 1, and numpy 2.2.1 is in its way",
            f"{PIP} install 'numpy<2' 'opencv-python-headless<4.12'",
        ),
        (
            "ai-edge-litert",
            NUMPY_1,
            "ValueError: numpy.dtype size changed, may indicate binary incompatibility. Expected 88 from "
            "C header, got 96 from PyObject",
            "it was built for numpy 2, and there is numpy 1.24.2",
            f"{PIP} install 'numpy>=2'",
        ),
        (
            "ai-edge-litert",
            PYTHON,
            "ImportError: /lib/libc.so.6: version `GLIBC_2.38' not found (required by x.so)",
            "it needs glibc 2.38, and here is 2.36",
            f"{PIP} install --only-binary :all: --upgrade ai-edge-litert, or install a newer release of the "
            "system",
        ),
        (
            "opencv",
            PYTHON,
            "ImportError: libGL.so.1: cannot open shared object file: No such file or directory",
            "it is the build for desktops, and libGL.so.1 is missing",
            f"{PIP} uninstall -y opencv-python opencv-contrib-python && "
            f"{PIP} install --force-reinstall opencv-python-headless",
        ),
        (
            "numpy",
            PYTHON,
            "ImportError: \n\nIMPORTANT: PLEASE READ THIS\nOriginal error was: libopenblas.so.0: cannot open "
            "shared object file: No such file or directory",
            "the library libopenblas.so.0 is missing",
            "sudo apt install libopenblas0",
        ),
        (
            "opencv",
            PYTHON,
            "ImportError: libfoo.so.3: cannot open shared object file: No such file or directory",
            "the library libfoo.so.3 is missing",
            "sudo apt install apt-file && apt-file find libfoo.so.3",
        ),
        (
            "opencv",
            PYTHON,
            "ImportError: /lib/libgomp.so.1: cannot allocate memory in static TLS block",
            "a library that comes late finds no room for its thread storage",
            "export LD_PRELOAD=/lib/libgomp.so.1",
        ),
        (
            "picamera2",
            PYTHON,
            "ModuleNotFoundError: No module named 'libcamera._libcamera'",
            "the system's libcamera is missing",
            "sudo apt install python3-libcamera",
        ),
        (
            "pillow",
            PYTHON,
            "ImportError: /opt/x.so: wrong ELF class: ELFCLASS32",
            "it was built for another kind of CPU",
            f"{PIP} install --force-reinstall pillow",
        ),
        (
            "pillow",
            PYTHON,
            "OSError: something new\nand more",
            "OSError: something new",
            f"{PIP} install --force-reinstall pillow",
        ),
    ],
)
def test_what_a_package_says_when_it_dies_is_taken_to_a_cause_and_a_command(
    name: str, python: Python, error: str, reason: str, fix: str
) -> None:
    assert diagnose(Package(name, error=error), python) == (reason, fix)


def test_an_illegal_instruction_on_arm_is_openblas() -> None:
    arm = diagnose(Package("numpy", signal=signal.SIGILL), PYTHON)
    pc = diagnose(Package("numpy", signal=signal.SIGILL), replace(PYTHON, machine="x86_64"))
    crash = diagnose(Package("numpy", signal=signal.SIGSEGV), PYTHON)

    assert "OPENBLAS_CORETYPE=ARMV8" in arm[1]
    assert "--no-binary :all: numpy" in pc[1]
    assert crash == ("it takes its process down (SIGSEGV)", f"{PIP} install --force-reinstall numpy")


def test_a_module_is_loaded_apart_with_the_same_search_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"whole.py": "__version__ = '3.1'", "dies.py": "import os; os.abort()"})
    write(tmp_path, {"leaves.py": "import os; os._exit(7)", "fails.py": "import whole; whole.missing"})
    monkeypatch.syspath_prepend(tmp_path)

    assert load("whole", "whole") == Package("whole", "3.1", str(tmp_path / "whole.py"))
    assert load("dies", "dies").signal == signal.SIGABRT
    assert load("leaves", "leaves").error == "it ends Python with 7"
    assert load("fails", "fails").error.startswith(
        "AttributeError: module 'whole' has no attribute 'missing'"
    )
    assert "whole" not in sys.modules


def test_this_interpreter_is_described() -> None:
    python = read_python()

    assert python.version == sys.version_info[:3]
    assert python.loads("numpy")
    assert python.packages["opencv"].build
    assert python.packages["ai-edge-litert"].tags[0].startswith(f"cp{python.version[0]}{python.version[1]}-")


def test_a_virtual_environment_tells_whether_it_sees_the_systems_packages(tmp_path: Path) -> None:
    for seen in (True, False):
        venv.create(tmp_path / str(seen), system_site_packages=seen, symlinks=True)
        assert sees_system_packages(tmp_path / str(seen)) is seen
    assert not sees_system_packages(tmp_path)


def test_the_systems_own_python_is_no_place_for_packages() -> None:
    system = replace(PYTHON, in_venv=False, prefix="/usr", executable="/usr/bin/python3")

    levels = {finding.check: (finding.level, finding.fix) for finding in check_python(system)}

    assert levels["environment"] == ("warn", "/usr/bin/python3 -m venv .venv")
    assert system.pip == ".venv/bin/pip"
    assert replace(system, externally_managed=False).pip == "/usr/bin/python3 -m pip"
    assert replace(PYTHON, has_pip=False).pip == "pip --python /opt/lightcam-edge/bin/python"


def test_an_old_python_fails() -> None:
    (version, _) = check_python(replace(PYTHON, version=(3, 8, 10)))

    assert (version.level, version.message) == ("fail", "Python 3.8.10 is older than 3.10")


def runtime(python: Python, root: Path) -> tuple[str, str, str]:
    found = examined(root, python)["runtime interpreter"]
    return found.level, found.message, found.fix


def test_the_runtime_that_is_used_is_told_with_the_reason(tmp_path: Path) -> None:
    tflite = Package("tflite-runtime", "2.14.0", "/opt/tflite_runtime/__init__.py")
    both = {**PYTHON.packages, "tflite-runtime": tflite}
    only = {name: package for name, package in both.items() if name != "ai-edge-litert"}

    assert (
        runtime(replace(PYTHON, packages=both), tmp_path)[1] == "ai-edge-litert 2.3.0: the first that loads"
    )
    assert runtime(replace(PYTHON, packages=only, machine="armv7l", bits=32), tmp_path)[:2] == (
        "ok",
        "tflite-runtime 2.14.0, because ai-edge-litert is not installed, nor has wheels for this Python",
    )
    assert runtime(replace(PYTHON, packages=only), tmp_path) == (
        "warn",
        "tflite-runtime 2.14.0, because ai-edge-litert is not installed; its int8 is slower than "
        "ai-edge-litert's",
        f"{PIP} install ai-edge-litert",
    )


def test_without_a_runtime_the_one_that_has_wheels_is_to_be_installed(tmp_path: Path) -> None:
    none = {name: PYTHON.packages[name] for name in ("numpy", "opencv", "pillow")}
    broken = {
        **none,
        "ai-edge-litert": Package("ai-edge-litert", error="libgomp.so.1: cannot open shared object file"),
    }

    assert runtime(replace(PYTHON, packages=none, machine="armv7l", bits=32), tmp_path)[2] == (
        f"{PIP} install tflite-runtime"
    )
    assert runtime(replace(PYTHON, packages=broken), tmp_path) == (
        "fail",
        "no TFLite runtime: ai-edge-litert does not load: the library libgomp.so.1 is missing; "
        "tflite-runtime is not installed",
        "sudo apt install libgomp1",
    )


def test_packages_that_are_missing_or_too_old_fail(tmp_path: Path) -> None:
    old = {
        **PYTHON.packages,
        "numpy": Package("numpy", "1.19.5", "/usr/lib/python3/dist-packages/numpy/x.py"),
    }
    found = examined(tmp_path, replace(PYTHON, packages=old))
    bare = examined(tmp_path, replace(PYTHON, packages={}))

    assert found["runtime numpy"].message == "numpy 1.19.5 from apt is older than 1.24"
    assert bare["runtime pillow"].fix == f"{PIP} install pillow"
    assert bare["opencv version"].fix == f"{PIP} install opencv-python-headless"


def test_numpy_fits_where_everything_compiled_for_it_loads(tmp_path: Path) -> None:
    misfit = Package("tflite-runtime", error="AttributeError: _ARRAY_API not found")
    broken = replace(PYTHON, packages={**PYTHON.packages, "tflite-runtime": misfit})

    assert examined(tmp_path)["runtime numpy"].message.endswith("which fits what was compiled for it")
    assert examined(tmp_path, broken)["runtime numpy"].message == "numpy 1.26.4 from pip"


def test_an_opencv_without_ffmpeg_cannot_read_videos(tmp_path: Path) -> None:
    bare = Package("opencv", "4.6.0", "/usr/lib/python3/dist-packages/cv2.so", build="    v4l/v4l2:  YES\n")
    found = examined(tmp_path, replace(PYTHON, packages={**PYTHON.packages, "opencv": bare}))

    assert found["opencv version"].message.startswith("OpenCV 4.6.0 from apt")
    assert found["opencv video"].message == (
        "built with v4l2; without ffmpeg, gstreamer: no videos and rtsp:// streams"
    )
    assert video_backends("") == {"ffmpeg": False, "gstreamer": False, "v4l2": False}


def test_two_builds_of_opencv_are_in_each_others_way(tmp_path: Path) -> None:
    both = {"opencv-python-headless": "4.12.0", "opencv-python": "4.12.0"}

    several = examined(tmp_path, replace(PYTHON, distributions=both))["opencv several"]

    assert several.fix == (
        f"{PIP} uninstall -y opencv-python-headless opencv-python && {PIP} install opencv-python-headless"
    )


def picamera(python: Python, root: Path) -> tuple[str, str]:
    found = examined(root, python)["cameras picamera2"]
    return found.message, found.fix


def test_picamera2_is_visible_or_it_is_told_why_not(tmp_path: Path) -> None:
    root = made_boards.pi_5(tmp_path)
    alone = replace(PYTHON, sees_system_packages=False)

    assert picamera(PYTHON, root)[1] == "sudo apt install python3-picamera2"
    write(root, {f"{APT}/picamera2/__init__.py": ""})
    assert picamera(alone, root) == (
        "picamera2 is installed, and this virtual environment does not see the system's packages",
        "sed -i 's/^include-system-site-packages = .*/include-system-site-packages = true/' "
        "/opt/lightcam-edge/pyvenv.cfg",
    )
    write(root, {f"{APT}/libcamera/_libcamera.cpython-313-aarch64-linux-gnu.so": ""})
    assert picamera(PYTHON, root)[0] == ("picamera2 is for the system's Python 3.13, and this is another")
    seen = replace(PYTHON, packages={**PYTHON.packages, "picamera2": PICAMERA2})
    assert picamera(seen, root) == ("picamera2 0.3.19 from apt", "")


def test_the_command_that_lets_a_venv_see_the_systems_packages_works(tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", symlinks=True)

    subprocess.run(
        ["sh", "-c", see_system_packages(replace(PYTHON, prefix=str(tmp_path / "venv")))], check=True
    )

    assert sees_system_packages(tmp_path / "venv")


def test_pips_numpy_2_over_apts_numpy_1_is_found(tmp_path: Path) -> None:
    root = write(made_boards.pi_4(tmp_path), {f"{APT}/numpy-1.24.2.egg-info/PKG-INFO": ""})
    numpy = Package("numpy", "2.2.1", "/opt/lightcam-edge/lib/python3.11/site-packages/numpy/__init__.py")
    covered = replace(PYTHON, packages={**PYTHON.packages, "numpy": numpy})

    assert examined(root, covered)["cameras numpy"].fix == (
        f"{PIP} install 'numpy<2' 'opencv-python-headless<4.12'"
    )
    assert "cameras numpy" not in examined(root)
    assert "cameras numpy" not in examined(root, replace(covered, sees_system_packages=False))


def test_a_pc_is_not_asked_for_picamera2(tmp_path: Path) -> None:
    assert "cameras picamera2" not in examined(tmp_path)
