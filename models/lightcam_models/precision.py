"""Which arithmetic to train in on this machine."""

import os
from pathlib import Path

import keras

BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}
SHOWN_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "asimddp", "bf16", "i8mm")


def cpu_flags() -> set[str]:
    """Features of this machine's CPU as Linux names them; empty where it does not tell."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return {flag for line in lines if line.startswith(("flags", "Features")) for flag in line.split()[2:]}


def cpu_description() -> str:
    """Cores and the CPU features that matter to speed."""
    flags = cpu_flags()
    return f"{len(os.sched_getaffinity(0))} cores, {' '.join(flag for flag in SHOWN_FLAGS if flag in flags)}"


def choose_policy(precision: str, network: keras.Model) -> str:
    """The Keras dtype policy to train in.

    bfloat16 pays on CPUs that multiply it, and costs 12 times the time on those
    that do not. Even there depthwise convolutions lose: with TensorFlow on 2 cores with
    AVX-512 BF16, Light-CAM went from 66 to 84 images/s, EfficientNet-Lite0 cut
    after 11 blocks from 49 to 31 (benchmarks/README.md).

    Args:
        precision: a policy, or `auto`.
        network: what is to be trained.
    """
    if precision != "auto":
        return precision
    depthwise = any(isinstance(layer, keras.layers.DepthwiseConv2D) for layer in network.layers)
    return "mixed_bfloat16" if cpu_flags() & BFLOAT16_FLAGS and not depthwise else "float32"
