"""The service's unit and its example configuration."""

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from lightcam_edge.cli import group

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
EXPOSURE = 25  # of 100 at most; systemd calls it OK up to 40


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit as it is verified: with a program and a user that are there."""
    text = (DEPLOY / "lightcam-edge.service").read_text()
    path = tmp_path / "lightcam-edge.service"
    path.write_text(
        text.replace("/usr/local/bin/lightcam-edge", "/bin/true").replace(
            "User=lightcam-edge\nGroup=lightcam-edge", "User=daemon\nGroup=daemon"
        )
    )
    return path


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("there is no systemd-analyze: sudo apt install systemd")
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_systemd_finds_no_fault_with_the_unit(unit: Path) -> None:
    done = analyze("verify", unit)

    assert (done.returncode, done.stderr) == (0, "")


def test_the_unit_exposes_little(unit: Path) -> None:
    done = analyze("security", "--offline=true", f"--threshold={EXPOSURE}", unit)

    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze looks at running services only")
    assert done.returncode == 0, done.stdout


def test_the_unit_starts_the_command_with_the_configuration_that_is_installed() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / "lightcam-edge.service")

    assert unit["Service"]["ExecStart"].endswith("stream --config /etc/lightcam-edge/stream.toml")
    assert unit["Service"]["Type"] == "notify"
    assert "WatchdogSec" in unit["Service"]


def test_the_example_configuration_makes_sense() -> None:
    done = CliRunner().invoke(group, ["stream", "--config", str(DEPLOY / "stream.toml"), "--check-config"])

    assert done.exit_code == 0, done.output
    assert done.output.startswith("camera: v4l2:///dev/video0  lite")


def test_every_line_that_the_example_leaves_to_the_user_makes_sense_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOOR_PASSWORD", "hidden")
    lines = (DEPLOY / "stream.toml").read_text().splitlines()
    settings = [
        line.removeprefix("# ") if "=" in line or line.startswith("# [") else line
        for line in lines
        if "token-file" not in line and "secrets.env" not in line
    ]
    (tmp_path / "all.toml").write_text("\n".join(settings))

    done = CliRunner().invoke(group, ["stream", "--config", str(tmp_path / "all.toml"), "--check-config"])

    assert done.exit_code == 0, done.output
    assert "door: rtsp://***@192.168.1.20/stream1" in done.output
