"""Fixtures that several modules' tests take."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest

pytest_plugins = ["model_fixture", "small_network"]


def pytest_configure() -> None:
    """Heed the signals that a start in the background has ignored: the tests' processes inherit them."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public data sets: $LIGHTCAM_SHARED, or shared/datasets beside the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "datasets"
    folder = Path(os.environ.get("LIGHTCAM_SHARED", beside))
    if not (folder / "CUB_200_2011").is_dir():
        pytest.skip(f"the public data sets are not in {folder} (LIGHTCAM_SHARED)")
    return folder
