"""What kind of board this is, and how it feels: clocks, temperatures, throttling, power."""

import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path("/")
# MIDR part numbers by implementer (Arm, NVIDIA), as the kernel's arch/arm64/include/asm/cputype.h has them.
CORES = {
    ("0x41", "0xc07"): "Cortex-A7",
    ("0x41", "0xd03"): "Cortex-A53",
    ("0x41", "0xd04"): "Cortex-A35",
    ("0x41", "0xd05"): "Cortex-A55",
    ("0x41", "0xd07"): "Cortex-A57",
    ("0x41", "0xd08"): "Cortex-A72",
    ("0x41", "0xd09"): "Cortex-A73",
    ("0x41", "0xd0a"): "Cortex-A75",
    ("0x41", "0xd0b"): "Cortex-A76",
    ("0x41", "0xd0c"): "Neoverse-N1",
    ("0x41", "0xd0d"): "Cortex-A77",
    ("0x41", "0xd40"): "Neoverse-V1",
    ("0x41", "0xd41"): "Cortex-A78",
    ("0x41", "0xd42"): "Cortex-A78AE",
    ("0x41", "0xd44"): "Cortex-X1",
    ("0x41", "0xd49"): "Neoverse-N2",
    ("0x41", "0xd4f"): "Neoverse-V2",
    ("0x4e", "0x004"): "Carmel",
}
# What makes int8 and half floats fast, by the kernel's names: asimddp is dotprod, asimdhp half floats.
ARM_FEATURES = ("asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve")
X86_FEATURES = (
    "avx2",
    "fma",
    "avx_vnni",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_int8",
)
# Bits of the Raspberry Pi firmware's answer; 16 higher stands what has happened since boot.
FIRMWARE_FLAGS = {
    0: "under-voltage",
    1: "clock capped",
    2: "throttled",
    3: "soft temperature limit",
}
SINCE_BOOT = 16
VCGENCMD_TIMEOUT_S = 5


@dataclass(frozen=True, slots=True)
class Board:
    """What does not change while it measures.

    Args:
        model: as the device tree or the firmware has it; empty where neither tells.
        soc: the device tree's last `compatible`, for instance `brcm,bcm2712`.
        machine: the kernel's word for the instruction set.
        cores: how many of each kind, for instance {"Cortex-A76": 4}.
        features: CPU features that matter here, by the kernel's names, and whether all cores have them.
        governors: of the clocks, without repetition.
        max_clock_mhz: of the fastest core; 0 where the kernel does not tell.
        memory_mb: RAM the kernel has.
        power_mode: nvpmodel's, on a Jetson.
        os: name and version of the distribution.
        kernel: release of the kernel.
        board_support: NVIDIA's release, on a Jetson.
    """

    model: str
    soc: str
    machine: str
    cores: dict[str, int]
    features: dict[str, bool]
    governors: tuple[str, ...]
    max_clock_mhz: int
    memory_mb: int
    power_mode: str
    os: str
    kernel: str
    board_support: str

    @property
    def core_count(self) -> int:
        """All of them."""
        return sum(self.cores.values())


@dataclass(frozen=True, slots=True)
class State:
    """What changes while it measures.

    Args:
        load: the kernel's load average over the last minute.
        temperatures_c: by thermal zone.
        clocks_mhz: by group of cores, and `arm` as the Raspberry Pi firmware measures it.
        throttled: what holds the board back now, in words.
        throttled_before: what has held it back since it booted.
        overcurrents: count of over-current events since boot, by alarm, on a Jetson.
        power_mw: by rail of an INA3221.
    """

    load: float = 0.0
    temperatures_c: dict[str, float] = field(default_factory=dict)
    clocks_mhz: dict[str, int] = field(default_factory=dict)
    throttled: tuple[str, ...] = ()
    throttled_before: tuple[str, ...] = ()
    overcurrents: dict[str, int] = field(default_factory=dict)
    power_mw: dict[str, float] = field(default_factory=dict)


def read_board(root: Path = ROOT) -> Board:
    """Read what the kernel tells of the board.

    Args:
        root: the folder under which `sys`, `proc`, `etc` and `var` lie.
    """
    tree = root / "sys/firmware/devicetree/base"
    cpus = list(_cpus(root))
    policies = _policies(root)
    megahertz = [_number(policy / "cpuinfo_max_freq") // 1000 for policy in policies]
    meminfo = re.search(r"MemTotal:\s+(\d+) kB", _text(root / "proc/meminfo"))
    system = re.search(r'^PRETTY_NAME="?([^"\n]*)', _text(root / "etc/os-release"), re.MULTILINE)
    return Board(
        model=_text(tree / "model") or _machine_of_a_pc(root),
        soc=_text(tree / "compatible").split("\0")[-1],
        machine=_text(root / "proc/sys/kernel/arch") or os.uname().machine,
        cores=dict(Counter(_core_name(cpu) for cpu in cpus)),
        features=_features(cpus),
        governors=tuple(dict.fromkeys(filter(None, (_text(p / "scaling_governor") for p in policies)))),
        max_clock_mhz=max(megahertz, default=0),
        memory_mb=int(meminfo[1]) // 1024 if meminfo else 0,
        power_mode=_text(root / "var/lib/nvpmodel/status"),
        os=system[1] if system else "",
        kernel=_text(root / "proc/sys/kernel/osrelease"),
        board_support=_text(root / "etc/nv_tegra_release").partition("\n")[0].strip("# "),
    )


def read_state(root: Path = ROOT) -> State:
    """Read how the board does right now; see `read_board`."""
    flags = _firmware_flags(root)
    overcurrents = _overcurrents(root)
    clocks = {policy.name: _number(policy / "scaling_cur_freq") // 1000 for policy in _policies(root)}
    if arm := re.search(r"=(\d+)", _vcgencmd(root, "measure_clock", "arm")):
        clocks["arm"] = int(arm[1]) // 1_000_000  # scaling_cur_freq misses what the firmware takes away
    return State(
        load=float((_text(root / "proc/loadavg").split() or ["0"])[0]),
        temperatures_c=_temperatures(root),
        clocks_mhz={name: clock for name, clock in clocks.items() if clock},
        throttled=(*_named(flags), *_cooling(root)),
        throttled_before=(*_named(flags >> SINCE_BOOT), *(name for name, n in overcurrents.items() if n)),
        overcurrents=overcurrents,
        power_mw=read_power(root),
    )


def read_power(root: Path = ROOT) -> dict[str, float]:
    """Power of each rail of the INA3221 sensors, in milliwatts; see `read_board`."""
    rails = {}
    for sensor in _hwmon(root, "ina3221"):
        for label in sorted(sensor.glob("in[0-9]*_label")):
            channel = label.name.removeprefix("in").removesuffix("_label")
            volts, current = sensor / f"in{channel}_input", sensor / f"curr{channel}_input"
            if volts.exists() and current.exists():
                rails[_text(label)] = _number(volts) * _number(current) / 1000
    return rails


def board_warnings(board: Board, before: State, after: State | None = None) -> list[str]:
    """Why figures from this board may not be trusted, or repeated.

    Args:
        board: the board.
        before: its state before the first measurement.
        after: its state after the last one.
    """
    warnings = []
    if slow := [governor for governor in board.governors if governor != "performance"]:
        warnings.append(
            f"the governor is {', '.join(slow)}, not performance, so clocks change while it measures: "
            "sudo cpupower frequency-set -g performance"
        )
    if before.load > max(1, board.core_count) / 2:
        warnings.append(
            f"the load is {before.load:.1f} on {board.core_count} cores before it measures: "
            "stop other programs"
        )
    now = {*before.throttled, *(after.throttled if after else ())}
    if now:
        warnings.append(f"the board is held back ({', '.join(sorted(now))}): see to its cooling and power")
    if past := sorted({*before.throttled_before} - now):
        warnings.append(f"the board has been held back since it booted ({', '.join(past)})")
    for alarm, count in after.overcurrents.items() if after else ():
        if count > before.overcurrents.get(alarm, 0):
            warnings.append(f"{alarm} slowed the board while it measured: choose a lower power mode")
    return warnings


def _text(path: Path) -> str:
    """A file's text, or nothing: what a kernel does not have, or does not give right now, is not an error."""
    try:
        return path.read_bytes().decode(errors="replace").strip("\0\n ")
    except OSError:
        return ""


def _number(path: Path) -> int:
    text = _text(path)
    return int(text) if text.lstrip("-").isdigit() else 0


def _cpus(root: Path) -> Iterator[dict[str, str]]:
    for paragraph in _text(root / "proc/cpuinfo").split("\n\n"):
        pairs = (line.partition(":") for line in paragraph.splitlines())
        cpu = {name.strip(): value.strip() for name, _, value in pairs}
        if "processor" in cpu:
            yield cpu


def _core_name(cpu: dict[str, str]) -> str:
    part = cpu.get("CPU implementer", ""), cpu.get("CPU part", "")
    return CORES.get(part) or cpu.get("model name") or " ".join(filter(None, part)) or "unknown"


def _features(cpus: list[dict[str, str]]) -> dict[str, bool]:
    if not cpus:
        return {}
    each = [set((cpu.get("Features") or cpu.get("flags") or "").split()) for cpu in cpus]
    common = set.intersection(*each)
    if "neon" in common:  # what a 32-bit kernel calls it
        common.add("asimd")
    return {name: name in common for name in (ARM_FEATURES if "Features" in cpus[0] else X86_FEATURES)}


def _machine_of_a_pc(root: Path) -> str:
    identity = root / "sys/class/dmi/id"
    return " ".join(filter(None, (_text(identity / name) for name in ("sys_vendor", "product_name"))))


def _policies(root: Path) -> list[Path]:
    return sorted((root / "sys/devices/system/cpu/cpufreq").glob("policy*"))


def _temperatures(root: Path) -> dict[str, float]:
    temperatures = {}
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        if _text(zone / "temp"):  # a Jetson's zone of a sleeping part gives none
            temperatures[_text(zone / "type") or zone.name] = _number(zone / "temp") / 1000
    return temperatures


def _cooling(root: Path) -> Iterator[str]:
    """Means by which the kernel slows the CPU to cool it; a fan is none of them."""
    for device in sorted((root / "sys/class/thermal").glob("cooling_device*")):
        kind = _text(device / "type")
        if ("cpu" in kind.lower() or kind == "Processor") and _number(device / "cur_state") > 0:
            yield f"cooling by {kind}"


def _firmware_flags(root: Path) -> int:
    """The Raspberry Pi firmware's flags, or 0 where there is none."""
    platform = root / "sys/devices/platform"
    found = [*platform.glob("*firmware*/get_throttled"), *platform.glob("*/*firmware*/get_throttled")]
    text = _text(found[0]) if found else _vcgencmd(root, "get_throttled").partition("=")[2]
    try:
        return int(text, 16)
    except ValueError:
        return 0


def _named(flags: int) -> Iterator[str]:
    return (name for bit, name in FIRMWARE_FLAGS.items() if flags >> bit & 1)


def _vcgencmd(root: Path, *arguments: str) -> str:
    """What the Raspberry Pi's own command says; it knows this board only, and no made one."""
    program = shutil.which("vcgencmd") if root == ROOT else None
    if program is None:
        return ""
    command = [program, *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=VCGENCMD_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def _overcurrents(root: Path) -> dict[str, int]:
    counts = {}
    for alarms in _hwmon(root, "soctherm_oc"):
        for count in sorted(alarms.glob("oc*_event_cnt")):
            counts[f"over-current {count.name.removesuffix('_event_cnt')}"] = _number(count)
    return counts


def _hwmon(root: Path, name: str) -> Iterable[Path]:
    sensors = sorted((root / "sys/class/hwmon").glob("hwmon*"))
    return (sensor for sensor in sensors if _text(sensor / "name") == name)
