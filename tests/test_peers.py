"""The comparison with peers: what its tables make of measurements, and that the page is what was measured."""

import importlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks" / "peers"
RESULTS = pytest.mark.parametrize(
    "results", sorted((FOLDER / "results").iterdir()), ids=lambda folder: folder.name
)


@pytest.fixture(scope="module", autouse=True)
def scripts() -> Iterator[None]:
    """Put the scripts' folder first, and forget what was imported from it."""
    sys.path.insert(0, str(FOLDER))
    yield
    sys.path.remove(str(FOLDER))
    for path in FOLDER.glob("*.py"):
        sys.modules.pop(path.stem, None)


@pytest.fixture
def tables() -> ModuleType:
    return importlib.import_module("tables")


def timed(way: str, *p50_ms: float) -> dict[str, Any]:
    return {"way": way, "error": None, "p50_ms": p50_ms, "map_correlation": 0.999, "score_difference": 0.01}


def test_a_network_stands_beside_ours_of_its_own_type(tables: ModuleType) -> None:
    one = [
        timed("lightcam-edge int8", 5, 5, 5),
        timed("lightcam-edge float32", 20, 20, 20),
        timed("other int8", 10, 10, 10),
        timed("other float32", 10, 10, 10),
    ]

    _, int8, float32, other_int8, other_float32 = tables.network_rows([one, one])

    assert (int8[3:5], float32[3:5]) == (["5.00", "1"], ["20.00", "1"])
    assert other_int8[3:] == ["10.00", "2.00 (2.00-2.00)"] * 2
    assert other_float32[3:] == ["10.00", "0.50 (0.50-0.50)"] * 2


def test_a_peer_that_fails_says_why_in_its_row(tables: ModuleType) -> None:
    ours = timed("lightcam-edge int8", 5, 5, 5)
    failed = {"way": "other int8", "error": "it has no quantizer"}
    cold = {"way": "other", "error": "it is not installed"}
    photo = {"way": "ours", "error": None, "cold_s": [1.0], "images_per_s": [10.0]}

    assert tables.network_rows([[ours, failed]] * 2)[-1][:2] == ["other int8", "it has no quantizer"]
    rows = tables.photo_rows([photo | {"peak_mb": 50.0, "installed_mb": 300.0}, cold])
    assert rows[-1][:2] == ["other", "it is not installed"]


def test_a_photographs_row_tells_how_many_times_better_ours_is(tables: ModuleType) -> None:
    ours = {
        "way": "ours",
        "error": None,
        "cold_s": [0.2, 0.3, 0.2],
        "peak_mb": 80.0,
        "images_per_s": [300.0],
        "installed_mb": 350.0,
    }
    theirs = ours | {"way": "other", "cold_s": [3.0], "peak_mb": 400.0, "images_per_s": [10.0]}

    _, _, row = tables.photo_rows([ours, theirs])

    assert row == ["other", "3.00", "15.0x", "400", "5.0x", "10.0", "30.0x", "350"]


@RESULTS
def test_a_page_holds_the_tables_of_its_results(tables: ModuleType, results: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(results, tmp_path / "results")

    tables.write_tables(copy)

    assert (copy / "README.md").read_text() == (results / "README.md").read_text()


@RESULTS
def test_every_way_has_an_environment_and_a_measurement(results: Path) -> None:
    compare, network, photo = map(importlib.import_module, ("compare", "network_way", "photo_way"))
    environments = importlib.import_module("environments")

    assert {compare.network_environment(way) for way in network.WAYS} <= environments.REQUIREMENTS.keys()
    assert set(compare.PHOTO_ENVIRONMENTS) == set(photo.WAYS)
    for group, names in {
        **dict.fromkeys(compare.NETWORK_GROUPS, network.WAYS),
        **compare.PHOTO_GROUPS,
    }.items():
        rows = json.loads((results / f"{group}.json").read_text())["rows"]
        assert [row["way"] for row in rows] == list(names)


def test_their_box_is_that_of_the_largest_part_above_a_fifth_of_the_peak() -> None:
    pytest.importorskip("scipy", reason="SciPy is not installed")
    photo_way = importlib.import_module("photo_way")
    cam = np.zeros((10, 20), np.float32)
    cam[2:5, 4:8] = 1
    cam[8, 15] = 0.9
    cam[6:10, 0:3] = 0.15

    assert photo_way.box_of(cam, (200, 100)) == (40, 20, 80, 50)
    assert photo_way.box_of(np.zeros((4, 4), np.float32), (8, 8)) is None


def test_odd_padding_goes_behind_as_tensorflow_has_it() -> None:
    pytest.importorskip("onnx", reason="onnx is not installed")
    onnx_graph = importlib.import_module("onnx_graph")
    same = onnx_graph.schema.Padding.SAME

    assert onnx_graph.padding(same, [224, 224], (3, 3), [2, 2]) == [0, 0, 1, 1]
    assert onnx_graph.padding(same, [14, 14], (5, 5), [1, 1]) == [2, 2, 2, 2]
    assert onnx_graph.padding(onnx_graph.schema.Padding.VALID, [14, 14], (2, 2), [2, 2]) == [0, 0, 0, 0]
