"""The TFLite runtime and NumPy: which of them the program uses, and why."""

from collections.abc import Iterator, Mapping

from lightcam_edge.choices import BACKENDS, Backend
from lightcam_edge.doctor.diagnosis import diagnose
from lightcam_edge.doctor.finding import Finding
from lightcam_edge.doctor.python import Package, Python

LIBRARIES = ("numpy", "pillow")
LEAST_NUMPY = (1, 24)


def check_runtime(python: Python) -> Iterator[Finding]:
    """Judge the TFLite runtime and the packages beside it."""
    yield _interpreter(python)
    for name in LIBRARIES:
        yield _library(python, name)


def best_runtime(python: Python) -> str:
    """The runtime that has wheels for this Python."""
    return "tflite-runtime" if python.machine.startswith("arm") or python.bits == 32 else BACKENDS[0]


def _interpreter(python: Python) -> Finding:
    best = best_runtime(python)
    chosen = next((name for name in BACKENDS if python.loads(name)), None)
    reasons = {name: _why_not(python, name) for name in BACKENDS if not python.loads(name)}
    facts = {"chosen": chosen, "not_chosen": reasons}
    if chosen is None:
        return _no_interpreter(python, best, reasons)
    package = python.packages[chosen]
    described = f"{chosen} {package.version}{_wheel(package)}"
    if chosen == BACKENDS[0]:
        return Finding("runtime", "interpreter", "ok", f"{described}: the first that loads", facts=facts)
    message = f"{described}, because {BACKENDS[0]} {reasons[BACKENDS[0]]}"
    if chosen == best:
        message += ", nor has wheels for this Python"
        return Finding("runtime", "interpreter", "ok", message, facts=facts)
    message += f"; its int8 is slower than {BACKENDS[0]}'s"
    return Finding("runtime", "interpreter", "warn", message, _mend(python, best), facts)


def _no_interpreter(python: Python, best: str, reasons: Mapping[Backend, str]) -> Finding:
    message = "no TFLite runtime: " + "; ".join(f"{name} {reason}" for name, reason in reasons.items())
    facts = {"chosen": None, "not_chosen": reasons}
    return Finding("runtime", "interpreter", "fail", message, _mend(python, best), facts)


def _why_not(python: Python, name: str) -> str:
    if name not in python.packages:
        return "is not installed"
    return f"does not load: {diagnose(python.packages[name], python)[0]}"


def _mend(python: Python, name: str) -> str:
    if name in python.packages:
        return diagnose(python.packages[name], python)[1]
    return f"{python.pip} install {name}"


def _wheel(package: Package) -> str:
    return f" ({package.tags[0]})" if package.tags else ""


def _library(python: Python, name: str) -> Finding:
    package = python.packages.get(name)
    if package is None:
        return Finding("runtime", name, "fail", f"{name} is not installed", f"{python.pip} install {name}")
    facts = {"version": package.version, "path": package.path, "origin": package.origin}
    if not package.loads:
        reason, fix = diagnose(package, python)
        return Finding("runtime", name, "fail", f"{name} does not load: {reason}", fix, facts)
    message = f"{name} {package.version} from {package.origin}"
    if name != "numpy":
        return Finding("runtime", name, "ok", message, facts=facts)
    return _numpy(python, package.version, message, facts)


def _numpy(python: Python, version: str, message: str, facts: dict[str, str]) -> Finding:
    if _figures(version) < LEAST_NUMPY:
        least = ".".join(map(str, LEAST_NUMPY))
        fix = f"{python.pip} install 'numpy>={least}'"
        return Finding("runtime", "numpy", "fail", f"{message} is older than {least}", fix, facts)
    if all(package.loads for package in python.packages.values()):
        message += ", which fits what was compiled for it"
    return Finding("runtime", "numpy", "ok", message, facts=facts)


def _figures(text: str) -> tuple[int, ...]:
    """The leading figures of a version; numpy's own are figures up to the third dot."""
    figures = []
    for part in text.split("."):
        if not part.isdigit():
            break
        figures.append(int(part))
    return tuple(figures)
