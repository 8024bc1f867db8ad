import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from lightcam_edge import box, cam, cli, geometry, interpreter
from lightcam_edge.choices import BACKENDS, COMPONENTS, METHODS, RESIZES
from lightcam_edge.cli import COMMANDS, group
from lightcam_edge.errors import UsageError
from lightcam_edge.native_log import native_log_hushed

CALL = [sys.executable, "-c", "from lightcam_edge.cli import main; main()"]


def call(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CALL, *map(str, arguments)], capture_output=True, text=True, check=False, **options
    )  # type: ignore[call-overload,no-any-return]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    pixels = np.full((64, 144, 3), 128, np.uint8)
    pixels[16:40, 36:72] = (255, 0, 0)
    Image.fromarray(pixels).save(tmp_path / "photo.jpg", quality=95, subsampling=0)
    return tmp_path / "photo.jpg"


def test_every_command_has_help(subtests: pytest.Subtests) -> None:
    for name, summary in COMMANDS.items():
        with subtests.test(name):
            result = CliRunner().invoke(group, [name, "--help"])
            assert result.exit_code == 0, result.output
            assert "--verbose" in result.output
            assert summary in CliRunner().invoke(group, ["--help"]).output


@pytest.mark.parametrize("arguments", ["--help", "--version", "run --help"])
def test_help_loads_nothing_heavy(arguments: str) -> None:
    code = (
        "import atexit, sys; from lightcam_edge.cli import main\n"
        "atexit.register(lambda: print({'numpy', 'cv2', 'PIL'} & set(sys.modules)))\n"
        f"sys.argv[1:] = {arguments.split()}; main()"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.endswith("set()\n")


def test_the_version_is_the_packages() -> None:
    assert CliRunner().invoke(group, ["--version"]).output == "lightcam-edge, version 0.1.0\n"


@pytest.mark.parametrize(
    "arguments", [[], ["run"], ["walk"], ["run", "x", "--method", "gradcam"], ["--loud"]]
)
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    done = call(*arguments)

    assert done.returncode == 2
    assert "Usage: lightcam-edge" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_error_is_one_line_and_its_code(photo: Path) -> None:
    done = call("run", photo, "--model", "missing.tflite")

    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith("error: no model file missing.tflite: give a .tflite file")
    assert done.stderr.count("\n") == 1


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble() -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(cli, "group", click.Command("stumble", callback=stumble))
    monkeypatch.setattr(sys, "argv", ["lightcam-edge"])

    with pytest.raises(ZeroDivisionError, match="a bug"):
        cli.main()


@pytest.mark.parametrize(("error", "code"), [(UsageError("no"), 2), (KeyboardInterrupt(), 130)])
def test_errors_and_interruptions_have_their_codes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int
) -> None:
    def stop() -> None:
        raise error

    monkeypatch.setattr(cli, "group", click.Command("stop", callback=stop))
    monkeypatch.setattr(sys, "argv", ["lightcam-edge"])

    with pytest.raises(SystemExit) as stopped:
        cli.main()

    assert stopped.value.code == code
    assert "Traceback" not in capsys.readouterr().err


def test_an_interrupt_while_waiting_for_stdin_ends_the_run(tiny_model: Path, photo: Path) -> None:
    with subprocess.Popen(
        [*CALL, "run", "-", "--model", str(tiny_model)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{photo}\n")
        process.stdin.flush()
        assert "red" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)

    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "Fatal" not in errors


def test_a_reader_that_leaves_ends_the_run_quietly(tiny_model: Path, photo: Path) -> None:
    with subprocess.Popen(
        [*CALL, "run", "-", "--json", "--quiet", "--model", str(tiny_model)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{photo}\n")
        process.stdin.flush()
        process.stdout.readline()
        process.stdout.close()
        process.stdin.write(f"{photo}\n" * 3)
        process.stdin.close()
        assert process.stderr is not None
        errors = process.stderr.read()
        process.wait(20)

    assert errors == ""


def test_native_noise_reaches_the_user_only_when_asked_for(tiny_model: Path, photo: Path) -> None:
    content = photo.read_bytes()
    scan = content.index(b"\xff\xda") + 20
    photo.write_bytes(content[:scan] + content[scan + 40 :])  # libjpeg tells of this on stderr

    silent = call("run", photo, "--model", tiny_model)
    loud = call("run", photo, "--model", tiny_model, "--verbose")

    assert (silent.returncode, silent.stderr) == (0, "")
    assert "Corrupt JPEG data" in loud.stderr
    assert "XNNPACK" in loud.stderr


def test_hushing_leaves_pythons_own_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    with native_log_hushed():
        os.write(2, b"native noise\n")
    os.write(2, b"heard again\n")

    assert capfd.readouterr().err == "heard again\n"


def test_a_warning_is_one_line(bare_tiny_model: Path, photo: Path) -> None:
    done = call("run", photo, "--model", bare_tiny_model)

    assert done.returncode == 0
    assert done.stderr.startswith("warning: ")
    assert done.stderr.count("\n") == 1


def test_one_image_starts_quickly(tiny_model: Path, photo: Path) -> None:
    started = time.monotonic()

    call("run", photo, "--model", tiny_model)

    assert time.monotonic() - started < 5  # 0.2 s on an idle machine


def test_the_choices_are_those_of_the_library() -> None:
    assert cam.METHODS == METHODS
    assert box.COMPONENTS == COMPONENTS
    assert geometry.RESIZES == RESIZES
    assert interpreter.BACKENDS == BACKENDS


@pytest.mark.parametrize(
    ("redirection", "code", "error"),
    [
        (">/dev/full", 1, "error: cannot print results: No space left on device\n"),
        ("2>&-", 0, ""),
        (">&-", 0, ""),
    ],
)
def test_a_full_disk_and_closed_streams_are_borne(
    tiny_model: Path, photo: Path, redirection: str, code: int, error: str
) -> None:
    command = shlex.join([*CALL, "run", str(photo), "--model", str(tiny_model)])

    done = subprocess.run(
        ["sh", "-c", f"{command} {redirection}"], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (code, error)


def test_a_list_from_a_closed_stdin_is_empty(tiny_model: Path) -> None:
    command = shlex.join([*CALL, "run", "-", "--model", str(tiny_model)])

    done = subprocess.run(["sh", "-c", f"{command} <&-"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (1, "error: there is no image: the list on stdin is empty\n")
