"""System, storage and clock, on made roots."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import made_boards
import pytest
from made_boards import write
from patients import NOW, PYTHON, examined

from lightcam_edge.benchmarking.board import Board, State, read_board
from lightcam_edge.doctor.clocks import check_clocks
from lightcam_edge.doctor.finding import Finding
from lightcam_edge.doctor.storage import Place, check_storage, read_place
from lightcam_edge.doctor.system import check_system
from lightcam_edge.doctor.time_sync import check_time


def by_check(findings: Iterator[Finding]) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings}


def test_a_32_bit_system_under_a_64_bit_kernel_is_found(tmp_path: Path) -> None:
    board = read_board(made_boards.pi_3(tmp_path))

    bits = by_check(check_system(board, replace(PYTHON, bits=32)))["bits"]

    assert bits.level == "warn"
    assert "arm_64bit=0" in bits.fix
    assert "bits" not in by_check(check_system(board, PYTHON))
    assert "bits" not in by_check(check_system(replace(board, machine="armv7l"), replace(PYTHON, bits=32)))


@pytest.mark.parametrize(
    ("libc", "level"),
    [(("glibc", "2.36"), "ok"), (("glibc", "2.24"), "fail"), (("", ""), "fail"), (("musl", "1.2"), "fail")],
)
def test_a_c_library_without_wheels_fails(tmp_path: Path, libc: tuple[str, str], level: str) -> None:
    board = read_board(made_boards.pi_5(tmp_path))

    assert by_check(check_system(board, replace(PYTHON, libc=libc)))["libc"].level == level


def test_little_memory_is_told(tmp_path: Path) -> None:
    board = replace(read_board(made_boards.pi_3(tmp_path)), memory_mb=364)

    assert by_check(check_system(board, PYTHON))["memory"].fix == "lightcam-edge benchmark nano"


def test_under_voltage_since_boot_is_a_warning_with_this_boards_supply(tmp_path: Path) -> None:
    root = write(made_boards.pi_5(tmp_path), {made_boards.PI_5_FIRMWARE: "10000\n"})

    throttled = examined(root)["clocks throttled"]

    assert (throttled.level, throttled.message) == ("warn", "held back since it booted: under-voltage")
    assert throttled.fix.startswith("connect a 5 V 5 A (27 W) supply")


def test_a_board_of_no_known_maker_needs_its_own_supply() -> None:
    nameless = Board("Maker X", "", "aarch64", {}, {}, (), 0, 0, "", "", "", "")

    throttled = by_check(check_clocks(nameless, State(throttled=("under-voltage",))))["throttled"]

    assert throttled.fix.startswith("connect the supply that its maker names")


def test_other_programs_at_work_are_a_warning(tmp_path: Path) -> None:
    root = write(made_boards.pi_5(tmp_path), {"proc/loadavg": "5.10 1.00 1.00 3/150 900\n"})

    assert examined(root)["clocks load"].message == "load 5.1 on 4 cores: other programs take turns"


def place(free: int = 10**10, read_only: bool = False, kind: str = "ext4") -> Place:
    return Place(Path("/home/pi"), Path("/"), kind, read_only, free)


@pytest.mark.parametrize(("free", "level"), [(10**10, "ok"), (499_000_000, "warn"), (49_000_000, "fail")])
def test_little_free_space_warns_and_next_to_none_fails(free: int, level: str) -> None:
    (found,) = check_storage([place(free)])

    assert found.level == level


def test_a_read_only_file_system_is_to_be_mounted_again() -> None:
    (found,) = check_storage([place(read_only=True)])

    assert found.message == "/home/pi cannot be written: / is mounted read-only"
    assert found.fix.startswith("sudo mount -o remount,rw /; ")


def test_an_overlay_forgets_what_is_written() -> None:
    _, overlay = check_storage([place(kind="overlay")])

    assert overlay.fix == "sudo raspi-config nonint disable_overlayfs"


def test_a_place_is_on_the_file_system_mounted_closest(tmp_path: Path) -> None:
    mounts = "/dev/mmcblk0p2 / ext4 ro,noatime 0 0\n/dev/sda1 /media/my\\040disk vfat rw 0 0\n"
    root = write(tmp_path, {"proc/mounts": mounts, "home/pi/file": ""})

    home, disk = read_place(root, Path("/home/pi/new/deep")), read_place(root, Path("/media/my disk/photos"))

    assert (home.mounted_on, home.kind, home.read_only) == (Path("/"), "ext4", True)
    assert (disk.mounted_on, disk.kind, disk.read_only) == (Path("/media/my disk"), "vfat", False)
    assert home.free > 0


def test_one_file_system_is_judged_once() -> None:
    assert len(list(check_storage([place(), replace(place(), path=Path("/var/lib"))]))) == 1


def clock(root: Path, now: datetime = NOW) -> dict[str, Finding]:
    return by_check(check_time(root, now))


def test_a_clock_in_the_past_fails(tmp_path: Path) -> None:
    found = clock(tmp_path, datetime(1970, 1, 1, tzinfo=timezone.utc))["clock"]

    assert (found.level, found.message.partition(":")[0]) == ("fail", "the clock says 1970-01-01")
    assert found.fix.startswith("sudo apt install systemd-timesyncd && sudo timedatectl set-ntp true")


def test_who_keeps_the_clock_is_told(tmp_path: Path) -> None:
    in_container = clock(tmp_path)["synchronized"]
    nobody = clock(write(tmp_path, {"run/systemd/system/.keep": ""}))["synchronized"]
    write(tmp_path, {"usr/lib/systemd/systemd-timesyncd": ""})
    switched_off = clock(tmp_path)["synchronized"]
    waiting = clock(write(tmp_path, {"run/systemd/timesync/.keep": ""}))["synchronized"]
    done = clock(write(tmp_path, {"run/systemd/timesync/synchronized": ""}))["synchronized"]

    assert [one.level for one in (in_container, nobody, switched_off, waiting, done)] == [
        "info",
        "warn",
        "warn",
        "warn",
        "ok",
    ]
    assert nobody.fix == "sudo apt install systemd-timesyncd && sudo timedatectl set-ntp true"
    assert switched_off.fix == "sudo timedatectl set-ntp true"


def test_chrony_keeps_the_clock_as_well(tmp_path: Path) -> None:
    found = clock(write(tmp_path, {"run/chrony/chronyd.pid": "1\n"}))["synchronized"]

    assert (found.level, found.message) == ("ok", "chronyd keeps the clock; how well tells: chronyc tracking")
