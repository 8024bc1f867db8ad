"""Why a package does not load, from what it said when it died."""

import re
import signal
from collections.abc import Callable
from re import Match

from lightcam_edge.doctor.python import Package, Python

# Libraries that wheels expect from the system, and Debian's packages that hold them.
LIBRARIES = {
    "libGL.so": "libgl1",
    "libEGL.so": "libegl1",
    "libglib-2.0.so": "libglib2.0-0",
    "libgthread-2.0.so": "libglib2.0-0",
    "libatlas.so": "libatlas3-base",
    "libcblas.so": "libatlas3-base",
    "libopenblas.so": "libopenblas0",
    "libgomp.so": "libgomp1",
    "libgfortran.so": "libgfortran5",
    "libopenjp2.so": "libopenjp2-7",
    "libtiff.so": "libtiff6",
    "libwebp.so": "libwebp7",
    "libstdc++.so": "libstdc++6",
}
FROM_APT_ONLY = {"libcamera": "python3-libcamera", "pykms": "python3-kms++"}
INSTALL_NAMES = {"opencv": "opencv-python-headless"}
Cause = tuple[str, str]  # what happened, and the command that mends it


def diagnose(package: Package, python: Python) -> Cause:
    """Say in one line why a package does not load, and what mends it.

    Args:
        package: one that does not.
        python: the interpreter it is installed in.
    """
    if package.signal:
        return _killed(package, python)
    for pattern, cause in CAUSES:
        if match := re.search(pattern, package.error):
            return cause(match, package, python)
    first = next((line.strip() for line in package.error.splitlines() if line.strip()), "it gives no reason")
    return first, _reinstall(package, python)


def _killed(package: Package, python: Python) -> Cause:
    name = signal.Signals(package.signal).name
    if package.signal == signal.SIGILL and python.machine == "aarch64":
        return (
            f"it takes its process down ({name}): its OpenBLAS mistakes this CPU for another",
            "echo 'OPENBLAS_CORETYPE=ARMV8' | sudo tee -a /etc/environment, then log in again",
        )
    if package.signal == signal.SIGILL:
        return (
            f"it takes its process down ({name}): it was built for a newer CPU",
            f"{python.pip} install --force-reinstall --no-binary :all: {_install_name(package)}",
        )
    return f"it takes its process down ({name})", _reinstall(package, python)


def _built_for_numpy_1(_: Match[str], package: Package, python: Python) -> Cause:
    numpy = python.packages.get("numpy")
    version = f" {numpy.version}" if numpy and numpy.version else ""
    extra = " 'opencv-python-headless<4.12'" if package.name != "opencv" else ""
    return (
        f"it was built for numpy 1, and numpy{version} is in its way",
        f"{python.pip} install 'numpy<2'{extra}",
    )


def _built_for_numpy_2(_: Match[str], package: Package, python: Python) -> Cause:
    numpy = python.packages.get("numpy")
    version = f" {numpy.version}" if numpy and numpy.version else " 1"
    if package.name == "opencv":
        return (
            f"it was built for numpy 2, and there is numpy{version}",
            f"{python.pip} install 'opencv-python-headless<4.12'",
        )
    return f"it was built for numpy 2, and there is numpy{version}", f"{python.pip} install 'numpy>=2'"


def _old_libc(match: Match[str], package: Package, python: Python) -> Cause:
    return (
        f"it needs glibc {match[1]}, and here is {python.libc[1] or 'another'}",
        f"{python.pip} install --only-binary :all: --upgrade {_install_name(package)}, "
        "or install a newer release of the system",
    )


def _old_libstdcxx(match: Match[str], package: Package, python: Python) -> Cause:
    return f"it needs a newer libstdc++ ({match[0]})", "sudo apt install libstdc++6"


def _library_missing(match: Match[str], package: Package, python: Python) -> Cause:
    library = match[1]
    if package.name == "opencv" and library.startswith(("libGL", "libEGL", "libgthread")):
        return (
            f"it is the build for desktops, and {library} is missing",
            f"{python.pip} uninstall -y opencv-python opencv-contrib-python && "
            f"{python.pip} install --force-reinstall opencv-python-headless",
        )
    debian = next((name for start, name in LIBRARIES.items() if library.startswith(start)), None)
    return (
        f"the library {library} is missing",
        f"sudo apt install {debian}" if debian else f"sudo apt install apt-file && apt-file find {library}",
    )


def _static_tls(match: Match[str], package: Package, python: Python) -> Cause:
    return (
        "a library that comes late finds no room for its thread storage",
        f"export LD_PRELOAD={match[1]}",
    )


def _other_machine(_: Match[str], package: Package, python: Python) -> Cause:
    return "it was built for another kind of CPU", _reinstall(package, python)


def _other_python(_: Match[str], package: Package, python: Python) -> Cause:
    version = ".".join(map(str, python.version[:2]))
    return f"its compiled part is not for Python {version}", _reinstall(package, python)


def _needs_package(match: Match[str], package: Package, python: Python) -> Cause:
    module = match[1].partition(".")[0]
    if debian := FROM_APT_ONLY.get(module):
        return f"the system's {module} is missing", f"sudo apt install {debian}"
    return f"it needs {module}, which is not installed", f"{python.pip} install {module}"


def _install_name(package: Package) -> str:
    return INSTALL_NAMES.get(package.name, package.name)


def _reinstall(package: Package, python: Python) -> str:
    if package.name == "picamera2":
        return "sudo apt install --reinstall python3-picamera2 python3-libcamera"
    return f"{python.pip} install --force-reinstall {_install_name(package)}"


CAUSES: tuple[tuple[str, Callable[[Match[str], Package, Python], Cause]], ...] = (
    (r"ABI version 0x2\d{6} but this version of numpy is 0x1", _built_for_numpy_2),
    (r"Expected 88 from C header, got 96 from PyObject", _built_for_numpy_2),
    (r"compiled using NumPy 1|_ARRAY_API not found|numpy\.dtype size changed", _built_for_numpy_1),
    (r"GLIBC_([\d.]+)' not found", _old_libc),
    (r"(?:GLIBCXX|CXXABI)_[\d.]+", _old_libstdcxx),
    (r"(/\S+): cannot allocate memory in static TLS block", _static_tls),
    (r"(lib[^\s:]+\.so[\d.]*): cannot open shared object file", _library_missing),
    (r"wrong ELF class|invalid ELF header|Exec format error", _other_machine),
    (r"_multiarray_umath|numpy\.core\.multiarray failed to import", _other_python),
    (r"No module named '([^']+)'", _needs_package),
)
