"""This Python: where it lives, what is installed in it, and what of that loads."""

import importlib.util
import json
import os
import platform
import struct
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from lightcam_edge.catalogue import bundled_models
from lightcam_edge.choices import BACKENDS
from lightcam_edge.doctor.finding import Finding

MODULES = {
    "numpy": "numpy",
    "opencv": "cv2",
    "pillow": "PIL.Image",
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
    "picamera2": "picamera2",
}
OPENCV_NAMES = (
    "opencv-python-headless",
    "opencv-python",
    "opencv-contrib-python-headless",
    "opencv-contrib-python",
)
LEAST_VERSION = (3, 10)
SMALLEST_MODEL = bundled_models().get("nano")
NEW_ENVIRONMENT = ".venv"
LOAD_TIMEOUT_S = 120  # on a Pi Zero, from a slow card
MOST_OF_AN_ERROR = 2000
# In a process of its own: a library that is built for another CPU or numpy may take its process down.
PROBE = """
import importlib, json, sys, traceback
sys.path[:] = json.loads(sys.argv[2])
try:
    module = importlib.import_module(sys.argv[1])
    if sys.argv[3]:
        interpreter = module.Interpreter(model_path=sys.argv[3])
        interpreter.allocate_tensors()
        interpreter.invoke()
    top = sys.modules[sys.argv[1].partition(".")[0]]
    found = {"path": getattr(top, "__file__", None) or "", "version": str(getattr(top, "__version__", ""))}
    found["build"] = module.getBuildInformation() if sys.argv[1] == "cv2" else ""
except BaseException as error:
    found = {"error": f"{type(error).__name__}: {error}\\n{traceback.format_exc()}"}
print("\\n" + json.dumps(found))
"""


@dataclass(frozen=True, slots=True)
class Package:
    """A package that the program loads, and whether it did.

    Args:
        name: as people say it.
        version: its own word for it; empty where it has none, or did not load.
        path: of its first file; empty where it did not load.
        error: why it did not load; empty where it did.
        signal: that took its process down, or 0.
        build: OpenCV's description of how it was built.
        tags: of the wheel it came in, for instance `cp311-cp311-manylinux_2_27_aarch64`.
    """

    name: str
    version: str = ""
    path: str = ""
    error: str = ""
    signal: int = 0
    build: str = ""
    tags: tuple[str, ...] = ()

    @property
    def loads(self) -> bool:
        """Whether it can be used."""
        return not self.error and not self.signal

    @property
    def origin(self) -> str:
        """Where it comes from: `apt` for what lies among the distribution's packages, else `pip`."""
        parts = Path(self.path).parts
        return "apt" if parts[:3] == ("/", "usr", "lib") and "dist-packages" in parts else "pip"


@dataclass(frozen=True, slots=True)
class Python:
    """The interpreter that runs this.

    Args:
        executable: its path.
        version: for instance (3, 11, 2).
        prefix: of its environment.
        in_venv: whether that is a virtual environment.
        sees_system_packages: whether the distribution's packages can be imported.
        has_pip: whether pip is in it.
        externally_managed: whether pip refuses to install into it (PEP 668).
        machine: the kernel's word for the instruction set.
        bits: 32 or 64, of the interpreter, which may be less than the kernel's.
        libc: name and version of the C library, such as ("glibc", "2.36").
        packages: those in `MODULES` that are installed.
        distributions: versions of OpenCV's distributions that are installed, by name.
    """

    executable: str
    version: tuple[int, int, int]
    prefix: str
    in_venv: bool
    sees_system_packages: bool
    has_pip: bool
    externally_managed: bool
    machine: str
    bits: int
    libc: tuple[str, str]
    packages: Mapping[str, Package] = field(default_factory=dict)
    distributions: Mapping[str, str] = field(default_factory=dict)

    @property
    def pip(self) -> str:
        """What to write before `install` so that it lands here, or where pip installs at all."""
        if self.externally_managed and not self.in_venv:
            return f"{NEW_ENVIRONMENT}/bin/pip"
        if not self.has_pip:
            return f"pip --python {self.executable}"
        return f"{self.prefix}/bin/pip" if self.in_venv else f"{self.executable} -m pip"

    def loads(self, name: str) -> bool:
        """Whether a package is installed and can be used."""
        return name in self.packages and self.packages[name].loads


def read_python() -> Python:
    """Look at this interpreter, and try to load each package in a process of its own."""
    prefix = Path(sys.prefix)
    return Python(
        executable=sys.executable,
        version=sys.version_info[:3],
        prefix=sys.prefix,
        in_venv=sys.prefix != sys.base_prefix,
        sees_system_packages=sys.prefix == sys.base_prefix or sees_system_packages(prefix),
        has_pip=importlib.util.find_spec("pip") is not None,
        externally_managed=Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").exists(),
        machine=os.uname().machine,
        bits=8 * struct.calcsize("P"),
        libc=platform.libc_ver(),
        packages={package.name: package for package in _packages()},
        distributions={name: version for name in OPENCV_NAMES if (version := _version_of(name))},
    )


def sees_system_packages(prefix: Path) -> bool:
    """Whether a virtual environment lets the distribution's packages through."""
    try:
        lines = (prefix / "pyvenv.cfg").read_text().lower().splitlines()
    except OSError:
        return False
    return any(line.replace(" ", "") == "include-system-site-packages=true" for line in lines)


def _packages() -> Iterator[Package]:
    for name, module in MODULES.items():
        if importlib.util.find_spec(module.partition(".")[0]):
            yield load(name, module, SMALLEST_MODEL if name in BACKENDS else None)


def load(name: str, module: str, model: Path | None = None) -> Package:
    """Import a module in another process, with this one's search path.

    Args:
        name: of its package, as people say it.
        module: what to import.
        model: to run once where it is a TFLite runtime; some die only then.
    """
    command = [sys.executable, "-c", PROBE, module, json.dumps(sys.path), str(model or "")]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, timeout=LOAD_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return Package(name, error=f"it does not load within {LOAD_TIMEOUT_S} s")
    if done.returncode < 0:
        return Package(name, signal=-done.returncode)
    try:
        found = json.loads(done.stdout.rstrip().rpartition("\n")[2])
    except json.JSONDecodeError:
        return Package(name, error=f"it ends Python with {done.returncode}")
    if "error" in found:
        return Package(name, error=f"{found['error']}\n{done.stderr}"[:MOST_OF_AN_ERROR].strip())
    version = found["version"] or _version_of(name)
    return Package(name, version, found["path"], build=found["build"], tags=_tags(name))


def _version_of(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _tags(name: str) -> tuple[str, ...]:
    try:
        wheel = metadata.distribution(name).read_text("WHEEL") or ""
    except metadata.PackageNotFoundError:
        return ()
    return tuple(line.partition(":")[2].strip() for line in wheel.splitlines() if line.startswith("Tag:"))


def check_python(python: Python) -> Iterator[Finding]:
    """Judge the interpreter itself."""
    yield _version(python)
    yield _environment(python)


def _version(python: Python) -> Finding:
    text = ".".join(map(str, python.version))
    facts = {"version": text, "executable": python.executable}
    if python.version[:2] < LEAST_VERSION:
        least = ".".join(map(str, LEAST_VERSION))
        fix = f"install Python {least} or newer, with a newer release of the system: cat /etc/os-release"
        return Finding("python", "version", "fail", f"Python {text} is older than {least}", fix, facts)
    return Finding("python", "version", "ok", f"Python {text}, {python.executable}", facts=facts)


def _environment(python: Python) -> Finding:
    facts = {
        "prefix": python.prefix,
        "virtual_environment": python.in_venv,
        "sees_system_packages": python.sees_system_packages,
        "externally_managed": python.externally_managed,
    }
    if python.in_venv:
        seen = "sees" if python.sees_system_packages else "does not see"
        message = f"a virtual environment in {python.prefix}, which {seen} the system's packages"
        return Finding("python", "environment", "ok", message, facts=facts)
    if python.externally_managed:
        message = "the system's own Python, where pip refuses to install (PEP 668)"
        fix = f"{python.executable} -m venv {NEW_ENVIRONMENT}"
        return Finding("python", "environment", "warn", message, fix, facts)
    return Finding("python", "environment", "ok", f"Python's own packages in {python.prefix}", facts=facts)
