"""Clocks, heat and power: what holds the board back."""

from collections.abc import Iterator

from lightcam_edge.benchmarking.board import FIRMWARE_FLAGS, Board, State
from lightcam_edge.doctor.finding import Finding

HOT_C = 80.0  # where a Raspberry Pi 3 and 4 begin to slow down, and Jetsons soon will
CONSTANT_ZONE = "PMIC-Die"  # a Jetson Nano's says 100 whatever the heat
UNDER_VOLTAGE = FIRMWARE_FLAGS[0]
OVER_CURRENT = "over-current"
COOL = "give it a heat sink or a fan, and air, then see again: lightcam-edge doctor"
SUPPLIES = (
    ("Raspberry Pi 5", "a 5 V 5 A (27 W) supply"),
    ("Raspberry Pi 4", "a 5.1 V 3 A supply"),
    ("Raspberry Pi", "a 5.1 V 2.5 A supply"),
    ("", "the supply that its maker names"),
)


def check_clocks(board: Board, state: State) -> Iterator[Finding]:
    """Judge how the board does right now, and did since it booted."""
    yield _governor(board, state)
    yield _temperature(state)
    yield from _held_back(board, state)
    yield _load(board, state)
    if board.power_mode:
        yield _power_mode(board)


def _governor(board: Board, state: State) -> Finding:
    if not board.governors:
        return Finding("clocks", "governor", "info", "the kernel does not tell the clocks' governor")
    clocks = ", ".join(f"{name} {clock} MHz" for name, clock in state.clocks_mhz.items())
    most = f" of {board.max_clock_mhz} MHz" if board.max_clock_mhz else ""
    governors = ", ".join(board.governors)
    message = f"{clocks or 'clocks unknown'}{most}, governor {governors}"
    facts = {
        "governors": list(board.governors),
        "clocks_mhz": state.clocks_mhz,
        "max_mhz": board.max_clock_mhz,
    }
    if board.governors == ("performance",):
        return Finding("clocks", "governor", "ok", message, facts=facts)
    message += ": clocks follow the load; for the same speed all the time"
    fix = "echo performance | sudo tee /sys/devices/system/cpu/cpufreq/policy*/scaling_governor"
    return Finding("clocks", "governor", "info", message, fix, facts)


def _temperature(state: State) -> Finding:
    real = {zone: celsius for zone, celsius in state.temperatures_c.items() if zone != CONSTANT_ZONE}
    if not real:
        return Finding("clocks", "temperature", "info", "the kernel tells no temperature")
    zone, hottest = max(real.items(), key=lambda item: item[1])
    message = f"{hottest:.0f} degrees C ({zone})"
    if hottest < HOT_C:
        return Finding("clocks", "temperature", "ok", message, facts=state.temperatures_c)
    return Finding("clocks", "temperature", "warn", f"{message} is hot", COOL, state.temperatures_c)


def _held_back(board: Board, state: State) -> Iterator[Finding]:
    facts = {"now": list(state.throttled), "since_boot": list(state.throttled_before)}
    if state.throttled:
        message = f"held back now: {', '.join(state.throttled)}"
        yield Finding("clocks", "throttled", "fail", message, _mend(board, state.throttled), facts)
        return
    if state.throttled_before:
        message = f"held back since it booted: {', '.join(state.throttled_before)}"
        yield Finding("clocks", "throttled", "warn", message, _mend(board, state.throttled_before), facts)
        return
    yield Finding("clocks", "throttled", "ok", "nothing holds it back", facts=facts)


def _mend(board: Board, reasons: tuple[str, ...]) -> str:
    if UNDER_VOLTAGE in reasons:
        supply = next(supply for start, supply in SUPPLIES if board.model.startswith(start))
        return f"connect {supply} with a short cable, then see: vcgencmd get_throttled"
    if any(reason.startswith(OVER_CURRENT) for reason in reasons):
        return "choose a lower one of the power modes in /etc/nvpmodel.conf: sudo nvpmodel -m MODE"
    return COOL


def _load(board: Board, state: State) -> Finding:
    cores = max(1, board.core_count)
    message = f"load {state.load:.1f} on {cores} cores"
    if state.load <= cores:
        return Finding("clocks", "load", "ok", message, facts={"load": state.load})
    fix = "see what else runs, and stop it: top -o %CPU"
    message += ": other programs take turns"
    return Finding("clocks", "load", "warn", message, fix, {"load": state.load})


def _power_mode(board: Board) -> Finding:
    mode = board.power_mode.removeprefix("pmode:").lstrip("0") or "0"
    message = f"power mode {mode}, which sets cores and clocks"
    return Finding("clocks", "power-mode", "info", message, "sudo nvpmodel -q", {"power_mode": mode})
