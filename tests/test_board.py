"""Boards are made of files: what the kernels of a Raspberry Pi 4, a Pi 5 and a Jetson Orin Nano show."""

import stat
from dataclasses import replace
from pathlib import Path

import made_boards
import pytest
from made_boards import A72, A76, cpuinfo, write

from lightcam_edge.benchmarking import board as board_module
from lightcam_edge.benchmarking.board import State, board_warnings, read_board, read_power, read_state
from lightcam_edge.benchmarking.memory import read_resident


@pytest.fixture
def pi4(tmp_path: Path) -> Path:
    return made_boards.pi_4(tmp_path / "pi4")


@pytest.fixture
def pi5(tmp_path: Path) -> Path:
    return made_boards.pi_5(tmp_path / "pi5")


@pytest.fixture
def orin(tmp_path: Path) -> Path:
    return made_boards.jetson_orin(tmp_path / "orin")


def test_pi_4_lacks_what_makes_int8_fast(pi4: Path) -> None:
    board = read_board(pi4)

    assert (board.model, board.soc) == ("Raspberry Pi 4 Model B Rev 1.5", "brcm,bcm2711")
    assert board.cores == {"Cortex-A72": 4}
    assert board.features == {
        "asimd": True,
        "asimdhp": False,
        "asimddp": False,
        "i8mm": False,
        "bf16": False,
        "sve": False,
    }
    assert (board.machine, board.kernel) == ("aarch64", "6.6.31+rpt-rpi-v8")
    assert (board.governors, board.max_clock_mhz, board.memory_mb) == (("ondemand",), 1800, 3794)
    assert board.os == "Debian GNU/Linux 12 (bookworm)"


def test_pi_4_on_a_weak_supply_says_so(pi4: Path) -> None:
    state = read_state(pi4)

    assert state.throttled == ("under-voltage", "throttled")
    assert state.throttled_before == ("under-voltage", "throttled")
    assert state.temperatures_c == {"cpu-thermal": 82.771}
    assert state.clocks_mhz == {"policy0": 600}
    assert board_warnings(read_board(pi4), state) == [
        "the governor is ondemand, not performance, so clocks change while it measures: "
        "sudo cpupower frequency-set -g performance",
        "the board is held back (throttled, under-voltage): see to its cooling and power",
    ]


def test_pi_5_in_good_order_warns_of_nothing(pi5: Path) -> None:
    board, state = read_board(pi5), read_state(pi5)

    assert board.cores == {"Cortex-A76": 4}
    assert [name for name, has in board.features.items() if has] == ["asimd", "asimdhp", "asimddp"]
    assert (state.throttled, state.throttled_before) == ((), ())
    assert board_warnings(board, state, state) == []


def test_firmware_flags_of_the_past_are_told_apart(pi5: Path) -> None:
    write(pi5, {made_boards.PI_5_FIRMWARE: "80000\n"})

    state = read_state(pi5)

    assert (state.throttled, state.throttled_before) == ((), ("soft temperature limit",))
    assert board_warnings(read_board(pi5), state) == [
        "the board has been held back since it booted (soft temperature limit)"
    ]


def test_orin_shows_rails_clocks_and_what_slows_it(orin: Path) -> None:
    board, state = read_board(orin), read_state(orin)

    assert (board.soc, board.cores, board.power_mode) == (
        "nvidia,tegra234",
        {"Cortex-A78AE": 6},
        "pmode:0000",
    )
    assert board.board_support == "R36 (release), REVISION: 4.3, GCID: 1, BOARD: generic"
    assert board.governors == ("schedutil",)
    assert state.clocks_mhz == {"policy0": 1510, "policy4": 729}
    assert state.power_mw == read_power(orin) == {"VDD_IN": 6000.0, "VDD_CPU_GPU_CV": 1248.0}
    assert state.temperatures_c == {"cpu-thermal": 48.5}
    assert state.throttled == ("cooling by cpufreq-cpu0",)
    assert state.throttled_before == ("over-current oc3",)


def test_over_currents_while_measuring_are_a_warning_of_their_own(orin: Path) -> None:
    board, before = read_board(orin), read_state(orin)

    same = board_warnings(board, before, before)
    more = board_warnings(board, before, replace(before, overcurrents={"over-current oc3": 5}))

    assert [line for line in more if line not in same] == [
        "over-current oc3 slowed the board while it measured: choose a lower power mode"
    ]


def test_throttling_that_begins_while_measuring_is_seen(pi5: Path) -> None:
    before = read_state(pi5)

    warnings = board_warnings(read_board(pi5), before, replace(before, throttled=("throttled",)))

    assert warnings == ["the board is held back (throttled): see to its cooling and power"]


def test_other_programs_at_work_are_a_warning(pi5: Path) -> None:
    write(pi5, {"proc/loadavg": "2.10 1.00 1.00 3/150 900\n"})

    (warning,) = board_warnings(read_board(pi5), read_state(pi5))

    assert warning == "the load is 2.1 on 4 cores before it measures: stop other programs"


def test_cores_of_two_kinds_have_the_features_that_both_have(tmp_path: Path) -> None:
    small, large = (cpuinfo(*core, 2).partition("Revision")[0] for core in (("0xd05", A72), ("0xd0b", A76)))
    board = read_board(write(tmp_path, {"proc/cpuinfo": small + large}))

    assert board.cores == {"Cortex-A55": 2, "Cortex-A76": 2}
    assert board.features["asimd"]
    assert not board.features["asimddp"]


def test_a_32_bit_kernels_neon_is_asimd(tmp_path: Path) -> None:
    features = "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm crc32"
    board = read_board(write(tmp_path, {"proc/cpuinfo": cpuinfo("0xd08", features, 4)}))

    assert [name for name, has in board.features.items() if has] == ["asimd"]


def test_a_pc_is_known_by_its_firmware_and_flags(tmp_path: Path) -> None:
    cpu = "processor\t: 0\nmodel name\t: Some Xeon\nflags\t\t: fpu avx2 fma avx512_vnni\n\n"
    identity = "sys/class/dmi/id"
    files = {f"{identity}/sys_vendor": "Maker\n", f"{identity}/product_name": "Box 1\n", "proc/cpuinfo": cpu}

    board = read_board(write(tmp_path, files))

    assert (board.model, board.cores) == ("Maker Box 1", {"Some Xeon": 1})
    assert [name for name, has in board.features.items() if has] == ["avx2", "fma", "avx512_vnni"]


def test_a_board_that_tells_nothing_is_no_error(tmp_path: Path) -> None:
    board = read_board(tmp_path)

    assert (board.model, board.cores, board.features, board.governors) == ("", {}, {}, ())
    assert read_state(tmp_path) == State()
    assert board_warnings(board, State()) == []
    assert read_resident(tmp_path).peak == 0


def test_the_raspberry_pis_own_command_is_asked_on_the_board_itself(
    pi5: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "vcgencmd"
    answers = "get_throttled) echo throttled=0x20002;; measure_clock) echo 'frequency(0)=1500398464';;"
    write(tmp_path, {"bin/vcgencmd": f"#!/bin/sh\ncase $1 in {answers} esac\n"})
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (pi5 / made_boards.PI_5_FIRMWARE).unlink()
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setattr(board_module, "ROOT", pi5)

    state = read_state(pi5)

    assert state.throttled == state.throttled_before == ("clock capped",)
    assert state.clocks_mhz == {"policy0": 2400, "arm": 1500}


def test_the_peak_is_never_below_what_is_resident_now() -> None:
    resident = read_resident()

    assert 0 < resident.now <= resident.peak
