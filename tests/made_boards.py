"""Boards made of files: what the kernels of Raspberry Pis and Jetsons show under a root."""

from collections.abc import Mapping
from pathlib import Path

A53 = "fp asimd evtstrm crc32 cpuid"
A57 = "fp asimd evtstrm aes pmull sha1 sha2 crc32"
A72 = "fp asimd evtstrm crc32 cpuid"
A76 = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
TREE = "sys/firmware/devicetree/base"
CPUFREQ = "sys/devices/system/cpu/cpufreq"
THERMAL = "sys/class/thermal"
PI_FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"
PI_5_FIRMWARE = "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled"
POWER = "sys/class/hwmon/hwmon1"
BOOKWORM = 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'
CARD = "/dev/mmcblk0p2 / ext4 rw,noatime 0 0\ntmpfs /tmp tmpfs rw,nosuid,nodev 0 0\n"


def write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return root


def cpuinfo(part: str, features: str, count: int) -> str:
    lines = f"BogoMIPS\t: 108.00\nFeatures\t: {features}\nCPU implementer\t: 0x41\nCPU part\t: {part}\n"
    cpus = (f"processor\t: {number}\n{lines}\n" for number in range(count))
    return "".join(cpus) + "Revision\t: c03115\nModel\t\t: a board\n"


def policy(number: int, governor: str, clock: int, most: int) -> dict[str, str]:
    values = {"scaling_governor": governor, "scaling_cur_freq": clock, "cpuinfo_max_freq": most}
    return {f"{CPUFREQ}/policy{number}/{name}": f"{value}\n" for name, value in values.items()}


def zones(**millidegrees: int) -> dict[str, str]:
    """Thermal zones by type; `_` stands for `-`."""
    files = {}
    for number, (name, value) in enumerate(millidegrees.items()):
        files[f"{THERMAL}/thermal_zone{number}/type"] = name.replace("_", "-") + "\n"
        files[f"{THERMAL}/thermal_zone{number}/temp"] = f"{value}\n"
    return files


def tree(model: str, *compatible: str) -> dict[str, str]:
    """The device tree, in both places where programs look for it."""
    return {
        f"{TREE}/model": f"{model}\0",
        "proc/device-tree/model": f"{model}\0",
        f"{TREE}/compatible": "".join(f"{name}\0" for name in compatible),
    }


def pi_3(root: Path) -> Path:
    """Raspberry Pi 3, in good order but slow to change clocks."""
    return write(
        root,
        {
            **tree("Raspberry Pi 3 Model B Rev 1.2", "raspberrypi,3-model-b", "brcm,bcm2837"),
            "proc/cpuinfo": cpuinfo("0xd03", A53, 4),
            "proc/meminfo": "MemTotal:         929528 kB\nMemFree:          100 kB\n",
            "proc/loadavg": "0.00 0.01 0.05 1/150 900\n",
            "proc/mounts": CARD,
            "proc/sys/kernel/arch": "aarch64\n",
            "proc/sys/kernel/osrelease": "6.6.31+rpt-rpi-v8\n",
            "etc/os-release": BOOKWORM,
            PI_FIRMWARE: "0\n",
            **zones(cpu_thermal=47236),
            **policy(0, "ondemand", 600000, 1200000),
        },
    )


def pi_4(root: Path) -> Path:
    """Raspberry Pi 4 that is hot, and on a weak supply."""
    return write(
        root,
        {
            **tree("Raspberry Pi 4 Model B Rev 1.5", "raspberrypi,4-model-b", "brcm,bcm2711"),
            "proc/cpuinfo": cpuinfo("0xd08", A72, 4),
            "proc/meminfo": "MemTotal:        3885396 kB\nMemFree:          100 kB\n",
            "proc/loadavg": "0.10 0.20 0.15 1/150 900\n",
            "proc/mounts": CARD,
            "proc/sys/kernel/arch": "aarch64\n",
            "proc/sys/kernel/osrelease": "6.6.31+rpt-rpi-v8\n",
            "etc/os-release": BOOKWORM,
            PI_FIRMWARE: "50005\n",
            **zones(cpu_thermal=82771),
            **policy(0, "ondemand", 600000, 1800000),
        },
    )


def pi_5(root: Path) -> Path:
    """Raspberry Pi 5 in good order."""
    return write(
        root,
        {
            **tree("Raspberry Pi 5 Model B Rev 1.0", "raspberrypi,5-model-b", "brcm,bcm2712"),
            "proc/cpuinfo": cpuinfo("0xd0b", A76, 4),
            "proc/loadavg": "0.00 0.00 0.00 1/150 900\n",
            "proc/mounts": CARD,
            "proc/sys/kernel/arch": "aarch64\n",
            "proc/sys/kernel/osrelease": "6.12.47+rpt-rpi-2712\n",
            "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n',
            f"{THERMAL}/cooling_device0/type": "pwm-fan\n",
            f"{THERMAL}/cooling_device0/cur_state": "3\n",
            PI_5_FIRMWARE: "0\n",
            **zones(cpu_thermal=51600),
            **policy(0, "performance", 2400000, 2400000),
        },
    )


def jetson_nano(root: Path) -> Path:
    """Jetson Nano with JetPack 4; its PMIC-Die says 100 degrees whatever the heat."""
    release = "# R32 (release), REVISION: 7.1, GCID: 29818004, BOARD: t210ref, EABI: aarch64\n"
    return write(
        root,
        {
            **tree(
                "NVIDIA Jetson Nano Developer Kit",
                "nvidia,p3450-0000+p3448-0000",
                "nvidia,jetson-nano",
                "nvidia,tegra210",
            ),
            "proc/cpuinfo": cpuinfo("0xd07", A57, 4),
            "proc/meminfo": "MemTotal:        4059216 kB\n",
            "proc/loadavg": "0.30 0.20 0.15 1/250 900\n",
            "proc/mounts": CARD,
            "proc/sys/kernel/arch": "aarch64\n",
            "proc/sys/kernel/osrelease": "4.9.253-tegra\n",
            "etc/os-release": 'PRETTY_NAME="Ubuntu 18.04.6 LTS"\n',
            "etc/nv_tegra_release": release,
            "var/lib/nvpmodel/status": "pmode:0001",
            **zones(AO_therm=44000, CPU_therm=36500, GPU_therm=34500, PLL_therm=34000, PMIC_Die=100000),
            **policy(0, "schedutil", 1479000, 1479000),
        },
    )


def jetson_orin(root: Path) -> Path:
    """Jetson Orin Nano that its cooling and its power limits slow down."""
    model = "NVIDIA Jetson Orin Nano Developer Kit"
    return write(
        root,
        {
            **tree(model, "nvidia,p3768-0000+p3767-0005", "nvidia,p3767-0005", "nvidia,tegra234"),
            "proc/cpuinfo": cpuinfo("0xd42", A76, 6),
            "proc/loadavg": "0.50 0.20 0.15 1/150 900\n",
            "proc/mounts": "/dev/nvme0n1p1 / ext4 rw,relatime 0 0\n",
            "proc/sys/kernel/osrelease": "5.15.148-tegra\n",
            "etc/os-release": 'PRETTY_NAME="Ubuntu 22.04.5 LTS"\n',
            "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 1, BOARD: generic\nmore\n",
            "var/lib/nvpmodel/status": "pmode:0000",
            f"{THERMAL}/thermal_zone0/type": "cpu-thermal\n",
            f"{THERMAL}/thermal_zone0/temp": "48500\n",
            f"{THERMAL}/thermal_zone1/type": "cv0-thermal\n",
            f"{THERMAL}/thermal_zone1/temp": "",  # asleep
            f"{THERMAL}/cooling_device0/type": "cpufreq-cpu0\n",
            f"{THERMAL}/cooling_device0/cur_state": "2\n",
            "sys/class/hwmon/hwmon0/name": "soctherm_oc\n",
            "sys/class/hwmon/hwmon0/oc1_event_cnt": "0\n",
            "sys/class/hwmon/hwmon0/oc3_event_cnt": "4\n",
            f"{POWER}/name": "ina3221\n",
            f"{POWER}/in1_label": "VDD_IN\n",
            f"{POWER}/in1_input": "5000\n",
            f"{POWER}/curr1_input": "1200\n",
            f"{POWER}/in2_label": "VDD_CPU_GPU_CV\n",
            f"{POWER}/in2_input": "4992\n",
            f"{POWER}/curr2_input": "250\n",
            f"{POWER}/in7_label": "sum of shunt voltages\n",
            f"{POWER}/in7_input": "2\n",
            **policy(0, "schedutil", 1510400, 1510400),
            **policy(4, "schedutil", 729600, 1510400),
        },
    )
