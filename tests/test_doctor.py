"""The doctor on made boards, and on this machine with packages that are really broken."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import made_boards
import pytest
from made_boards import write
from pages import Page, words
from patients import BUILD, CALL, PYTHON, examined, synchronized, with_picamera2

from lightcam_edge.doctor.examination import exit_code
from lightcam_edge.doctor.finding import Finding
from lightcam_edge.doctor.python import Package, Python
from lightcam_edge.doctor.report import to_dict, to_text


def troubles(root: Path, python: Python = PYTHON) -> dict[str, str]:
    """What warns or fails, with what mends it."""
    return {
        name: f"{finding.level}: {finding.fix}"
        for name, finding in examined(root, python).items()
        if finding.level in ("warn", "fail")
    }


def test_a_pi_5_in_good_order_has_no_trouble(tmp_path: Path) -> None:
    root = synchronized(made_boards.pi_5(tmp_path))

    assert troubles(root, with_picamera2()) == {}
    assert exit_code(list(examined(root).values())) == 0
    assert "asimddp" in examined(root)["cpu features"].message


def test_a_pi_4_on_a_weak_supply_is_told_which_one_it_needs(tmp_path: Path) -> None:
    root = synchronized(made_boards.pi_4(tmp_path))

    found = troubles(root, with_picamera2())

    assert set(found) == {"clocks temperature", "clocks throttled"}
    assert found["clocks throttled"] == (
        "fail: connect a 5.1 V 3 A supply with a short cable, then see: vcgencmd get_throttled"
    )
    assert examined(root)["clocks throttled"].message == "held back now: under-voltage, throttled"
    assert examined(root)["clocks temperature"].message == "83 degrees C (cpu-thermal) is hot"
    assert exit_code(list(examined(root).values())) == 1


def test_a_pi_3_is_told_that_int8_gains_little_and_how_to_see_what_is_fast_enough(tmp_path: Path) -> None:
    root = synchronized(made_boards.pi_3(tmp_path))

    features = examined(root)["cpu features"]

    assert troubles(root, with_picamera2()) == {}
    assert (features.level, features.fix) == ("info", "lightcam-edge benchmark lite tiny nano")
    assert features.message.startswith("4 x Cortex-A53: has asimd; lacks asimdhp asimddp")
    assert examined(root)["clocks governor"].fix.startswith("echo performance | sudo tee /sys/")


def test_a_jetson_nanos_constant_zone_is_no_heat(tmp_path: Path) -> None:
    found = examined(synchronized(made_boards.jetson_nano(tmp_path)))

    assert found["clocks temperature"].message == "44 degrees C (AO-therm)"
    assert found["clocks power-mode"].message == "power mode 1, which sets cores and clocks"
    assert "R32 (release), REVISION: 7.1" in found["system os"].message


def test_a_jetson_with_pips_opencv_is_told_how_to_get_gstreamer(tmp_path: Path) -> None:
    root = synchronized(made_boards.jetson_orin(tmp_path))
    alone = replace(PYTHON, sees_system_packages=False)

    assert troubles(root)["opencv video"] == (
        "warn: sudo apt install nvidia-opencv && "
        "/opt/lightcam-edge/bin/pip uninstall -y opencv-python-headless"
    )
    assert troubles(root, alone)["opencv video"].endswith("= true/' /opt/lightcam-edge/pyvenv.cfg")


def test_a_jetson_that_is_slowed_says_by_what(tmp_path: Path) -> None:
    root = synchronized(made_boards.jetson_orin(tmp_path))
    jetpacks = Package("opencv", "4.8.0", "/usr/lib/python3.10/dist-packages/cv2/__init__.py", build=BUILD)
    python = replace(
        PYTHON, packages={**PYTHON.packages, "opencv": replace(jetpacks, build=BUILD.format("YES"))}
    )

    assert set(troubles(root, python)) == {"clocks throttled"}
    assert examined(root)["clocks throttled"].message == "held back now: cooling by cpufreq-cpu0"
    write(root, {"sys/class/thermal/cooling_device0/cur_state": "0\n"})
    assert examined(root)["clocks throttled"].message == "held back since it booted: over-current oc3"
    assert troubles(root)["clocks throttled"].endswith("/etc/nvpmodel.conf: sudo nvpmodel -m MODE")


def test_a_board_that_tells_nothing_is_examined_all_the_same(tmp_path: Path) -> None:
    found = examined(tmp_path)

    assert found["system board"].message.startswith("unknown board")
    assert {finding.level for finding in found.values()} <= {"ok", "info"}


def test_whatever_warns_or_fails_says_what_mends_it() -> None:
    with pytest.raises(ValueError, match=r"clocks\.load tells of trouble"):
        Finding("clocks", "load", "warn", "too much")


def test_a_missing_runtime_exits_as_a_run_would() -> None:
    fine = Finding("cpu", "features", "ok", "good")
    weak = Finding("clocks", "throttled", "fail", "weak", "mend it")
    broken = Finding("runtime", "interpreter", "fail", "none", "install it")

    assert [exit_code(found) for found in ([fine], [fine, weak], [weak, broken])] == [0, 1, 3]


def test_text_groups_findings_and_ends_with_their_number() -> None:
    findings = [
        Finding("cpu", "features", "ok", "good"),
        Finding("clocks", "load", "warn", "busy", "wait"),
        Finding("clocks", "throttled", "fail", "weak", "mend it"),
    ]

    assert to_text(findings).splitlines() == [
        "cpu",
        "  ok    good",
        "clocks",
        "  warn  busy",
        "        -> wait",
        "  fail  weak",
        "        -> mend it",
        "",
        "1 fails, 1 warning",
    ]
    assert to_text(findings[:1]).endswith("\nall is well")


def test_the_documents_show_what_a_pi_4_gets(tmp_path: Path) -> None:
    (shown,) = (block["body"] for block in Page("docs/doctor.md").blocks if not block["language"])
    root = synchronized(made_boards.pi_4(tmp_path))

    assert words(to_text(list(examined(root).values()))) == words(shown)


def test_json_is_plain_data(tmp_path: Path) -> None:
    findings = list(examined(made_boards.jetson_orin(tmp_path)).values())

    values = json.loads(json.dumps(to_dict(findings)))

    assert (values["schema"], values["schema_version"], values["worst"]) == (
        "lightcam-edge/doctor",
        1,
        "fail",
    )
    assert {frozenset(finding) for finding in values["findings"]} == {
        frozenset(("area", "check", "level", "message", "fix", "facts"))
    }


def doctor(*arguments: str, packages: Mapping[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run it on this machine, with some packages replaced by others; see `packages` for their text."""
    write(folder, {f"{name}/__init__.py": text for name, text in packages.items()})
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run([*CALL, *arguments], env=environment, capture_output=True, text=True, check=False)


def test_it_works_where_numpy_opencv_and_the_runtime_do_not(tmp_path: Path) -> None:
    broken = {
        "numpy": "raise ImportError('numpy.core.multiarray failed to import')",
        "cv2": "raise ImportError('libGL.so.1: cannot open shared object file: No such file or directory')",
        "ai_edge_litert": "import os, signal; os.kill(os.getpid(), signal.SIGILL)",
    }

    done = doctor("--json", packages=broken, folder=tmp_path)

    assert done.returncode == 3, done.stderr
    assert done.stderr == ""
    found = {f"{one['area']} {one['check']}": one for one in json.loads(done.stdout)["findings"]}
    assert found["runtime numpy"]["message"].startswith(
        "numpy does not load: its compiled part is not for Python"
    )
    assert "pip install --force-reinstall numpy" in found["runtime numpy"]["fix"]
    assert "libGL.so.1 is missing" in found["opencv version"]["message"]
    assert "opencv-python-headless" in found["opencv version"]["fix"]
    assert "it takes its process down (SIGILL)" in found["runtime interpreter"]["message"]
    assert found["models digest"]["message"] == "not verified, because numpy and opencv must load for it"


def test_a_runtime_that_imports_and_then_refuses_this_numpy_is_found(tmp_path: Path) -> None:
    code = """
class Interpreter:
    def __init__(self, model_path):
        try:
            raise AttributeError("_ARRAY_API not found")
        except AttributeError as error:
            raise SystemError("returned a result with an exception set") from error
"""
    write(tmp_path, {"ai_edge_litert/interpreter.py": code})

    done = doctor("--json", packages={"ai_edge_litert": ""}, folder=tmp_path)

    (found,) = (one for one in json.loads(done.stdout)["findings"] if one["check"] == "interpreter")
    assert done.returncode == 3
    assert "ai-edge-litert does not load: it was built for numpy 1, and numpy" in found["message"]
    assert "install 'numpy<2'" in found["fix"]


def test_it_finds_this_machines_packages_and_models() -> None:
    done = subprocess.run(CALL, capture_output=True, text=True, check=False)

    assert done.returncode in (0, 1), done.stdout
    assert "\n  ok    lite 1.05 MB, digest verified\n" in done.stdout
    assert "built with ffmpeg, v4l2" in done.stdout
    assert "the first that loads" in done.stdout


def test_a_damaged_model_is_told_of(tmp_path: Path) -> None:
    model = tmp_path / "mine.tflite"
    whole = Path("lightcam_edge/bundled/nano.tflite").resolve().read_bytes()
    model.write_bytes(whole[:1000] + bytes(100) + whole[1100:])

    done = subprocess.run([*CALL, str(model)], capture_output=True, text=True, check=False)

    assert done.returncode == 3
    assert f"fail  {model} is damaged" in done.stdout
    assert "-> copy the file again" in done.stdout


def test_another_root_is_another_board(tmp_path: Path) -> None:
    made_boards.pi_4(tmp_path)

    done = subprocess.run([*CALL, "--root", str(tmp_path)], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "Raspberry Pi 4 Model B Rev 1.5 (brcm,bcm2711), aarch64" in done.stdout
    assert "held back now: under-voltage, throttled" in done.stdout
