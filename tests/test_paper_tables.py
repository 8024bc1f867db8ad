"""The script that measures the paper's tables: what it renders, what it does not do twice, and a tiny run."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks" / "paper"
MARK = "<!-- Below"


def call(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FOLDER / "experiments.py"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def share(percent: float, images: int = 40) -> dict[str, float]:
    return {"percent": percent, "low": percent - 2.5, "high": percent + 2.5, "images": images}


def measures(localized: float) -> dict[str, Any]:
    return {
        "overall": {
            "top1": share(90.0),
            "top1_localization": share(localized, 30),
            "gt_known": {"0.3": share(80.0), "0.5": share(60.0), "0.7": share(20.0)},
        }
    }


def trial(network: str) -> dict[str, Any]:
    model = {
        "name": network,
        "path": f"{network}.tflite",
        "sha256": "0" * 64,
        "parameters": 2_000_000,
        "macs": 1,
        "input_hw": [224, 224],
        "shipped": "br-avgcam",
        "threshold": 0.2,
        "component": "largest",
        "threshold_source": "chosen on the command line",
        "verdicts": {"cam": measures(40.0), "br-avgcam": measures(50.0)},
        "density": {"cam": 20.0, "br-avgcam": 25.0},
    }
    baselines = [
        {"name": "whole image", "overall": share(30.0)},
        {"name": "centred box, 70% of each side", "overall": share(62.0)},
    ]
    return {"photographs": {}, "baselines": baselines, "models": [model]}


def write_result(
    folder: Path, table: str, row: str, data: str, boxes: tuple[str, ...] = ("body",), **changes: Any
) -> Path:
    values = {
        "experiment": f"{table}-{row}",
        "tiny": False,
        "date": "2026-11-25",
        "machine": {
            "cores": {"Cortex-A76": 4},
            "features": {"asimddp": True, "i8mm": False},
            "memory_mb": 8000,
            "os": "Debian",
        },
        "versions": {"keras": "3.15.1"},
        "minutes": 61.5,
        "parts": [{"minutes": 60.0, "load": 0.1}, {"minutes": 1.5, "load": 1.2}],
        "training": {
            "architecture": row,
            "input_size": 224,
            "seed": 0,
            "precision": "float32",
            "recipe": {"epochs": 20, "training_size": 224, "learning_rate": 1e-3},
            "data": {"name": data, "images": 1234},
        },
        "quantization": {"scheme": "int8"},
        "parity": {"images": 100, "top1_agreement": 0.98},
        "evaluation": {kind: trial(row) for kind in boxes},
    } | changes
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{table}-{row}.json"
    path.write_text(json.dumps(values))
    return path


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of three results under a head written by hand."""
    folder = tmp_path_factory.mktemp("paper")
    write_result(folder / "results", "table2", "cat-dog", "cat-dog", ("body", "head"))
    write_result(folder / "results", "table3", "light-cam", "bird-dog")
    write_result(folder / "results", "table3", "vgg16", "bird-dog", training=other_budget())
    path = folder / "README.md"
    path.write_text(f"# By hand\n\n{mark_line()}\nold tables\n")
    done = call("tables", "--results", folder / "results", "--page", path)
    assert done.returncode == 0, done.stderr
    return path


def mark_line() -> str:
    return next(line for line in (FOLDER / "README.md").read_text().splitlines() if line.startswith(MARK))


def other_budget() -> dict[str, Any]:
    recipe = {"epochs": 2, "training_size": 160, "learning_rate": 3e-4}
    data = {"name": "bird-dog", "images": 4103}
    return {"recipe": recipe, "input_size": 224, "seed": 0, "precision": "float32", "data": data}


def test_a_measured_row_stands_beside_the_papers(page: Path) -> None:
    text = page.read_text()

    assert text.startswith(f"# By hand\n\n{mark_line()}\n")
    assert "old tables" not in text
    assert (
        "| cat-dog | head, 30 | br-avgcam | 90.0 (87.5..92.5) | 50.0 (47.5..52.5) "
        "| about 8, method not at hand | 60.0 (57.5..62.5) | 62.0, centred box, 70% of each side | as above |"
    ) in text
    assert (
        "| light-cam | 2,000,000 | 1,574,083 | cam | 90.0 (87.5..92.5) | 40.0 (37.5..42.5) | 38.58 "
        "| 60.0 (57.5..62.5) | 20.00 | 24.51 | 1,234 photographs to train on, 40 of the 200 species of "
        "birds, 96 of the 120 breeds of dogs; 20 epochs at 224 px; random initial weights |"
    ) in text
    assert (
        "| table2-cat-dog | 2026-11-25 | 61.5 | 0.1, 1.2 | 20 | 224 | 224 | 0.001 | 0 | float32 | 1,234 "
        "| int8 | 98% of 100 | 4 x Cortex-A76; asimddp; 8 GB; Debian | keras 3.15.1 |"
    ) in text


def test_a_row_that_is_missing_says_so_and_how_to_fill_it(page: Path) -> None:
    assert (
        "| bird-dog | body | cam |  | not trained here | 38.58 |  |  "
        "| `python benchmarks/paper/experiments.py table2 bird-dog --data-root ../shared/datasets` |"
    ) in page.read_text()
    assert (
        "| resnet50 |  | 23,593,859 | br-avgcam |  | not trained here | not at hand |  |  | not at hand "
        "| as above |"
    ) in page.read_text()


def test_rows_of_other_budgets_are_told(page: Path) -> None:
    assert page.read_text().count("not all trained with the same budget") == 1


def test_the_chart_is_a_picture_beside_the_page(page: Path) -> None:
    assert page.with_name("density.png").read_bytes().startswith(b"\x89PNG")


def test_the_committed_page_shows_the_committed_results(tmp_path: Path) -> None:
    call("tables", "--results", FOLDER / "results", "--page", tmp_path / "page.md")

    committed = (FOLDER / "README.md").read_text().partition(MARK)
    assert (tmp_path / "page.md").read_text().partition(MARK)[2] == committed[2]


def test_tiny_runs_get_into_no_table(tmp_path: Path) -> None:
    write_result(tmp_path, "table3", "vgg16", "bird-dog", tiny=True)

    done = call("tables", "--results", tmp_path, "--page", tmp_path / "page.md")

    assert done.returncode == 1
    assert f"{tmp_path}/table3-vgg16.json is of a tiny run" in done.stderr
    assert not (tmp_path / "page.md").exists()


def test_a_finished_row_is_not_measured_again(tmp_path: Path) -> None:
    result = write_result(tmp_path, "table2", "bird-dog", "bird-dog")
    before = result.read_bytes()
    row = ("table2", "bird-dog", "--data-root", tmp_path / "nowhere", "--results", tmp_path)

    again, otherwise = call(*row), call(*row, "--epochs", "3")

    assert (again.returncode, again.stdout) == (0, f"{result}\n")
    assert "is there already" in again.stderr
    assert otherwise.returncode == 1
    assert "was trained with epochs 20: ask for that, or remove it" in otherwise.stderr
    assert result.read_bytes() == before


def test_a_training_in_two_parts_took_both_their_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(FOLDER)
    clock = importlib.import_module("running").Clock(tmp_path)
    clock.start()
    started = clock.parts[0]["started"]
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "epochs.json").touch()
    saved = (tmp_path / "state" / "epochs.json").stat().st_mtime

    clock.start()
    clock.stop()

    assert clock.parts[0]["started"] == started
    assert clock.parts[0]["seconds"] == pytest.approx(max(0.0, saved - started), abs=1e-3)
    assert 0 <= clock.parts[1]["seconds"] < 60


def test_a_tiny_run_trains_converts_and_counts_both_kinds_of_boxes(shared_data: Path, tmp_path: Path) -> None:
    done = call("table2", "cat-dog", "--tiny", "--data-root", shared_data, "--work", tmp_path)

    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "results" / "table2-cat-dog.json").read_text())
    assert result["tiny"] is True
    assert list(result["evaluation"]) == ["body", "head"]
    assert (result["training"]["recipe"]["epochs"], result["training"]["data"]["images"]) == (1, 64)
    (model,) = result["evaluation"]["body"]["models"]
    assert (model["parameters"], model["threshold"], model["component"]) == (1_574_083, 0.2, "largest")
    assert set(model["verdicts"]) == {"cam", "br-avgcam"}
    assert str(shared_data) not in json.dumps(result)
