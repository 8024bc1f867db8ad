import json
import re
from pathlib import Path

import painted
import pytest
from click.testing import CliRunner

from lightcam_edge.commands.evaluate import command
from lightcam_edge.errors import UsageError
from lightcam_models.evaluation.running import run


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return painted.write_photographs(tmp_path_factory.mktemp("painted"), count=3)


def write(tiny_model: Path, photographs: Path, path: Path, **options: object) -> str:
    run([str(tiny_model)], str(photographs), background="background", report=path, quiet=True, **options)  # type: ignore[arg-type]
    return path.read_text()


def test_the_report_is_one_file_that_loads_nothing(
    tiny_model: Path, photographs: Path, tmp_path: Path
) -> None:
    page = write(tiny_model, photographs, tmp_path / "report.html")

    places = re.findall(r'(?:src|srcset|href)="([^"]{0,30})', page)
    assert places
    assert all(place.startswith("data:image/") for place in places)
    assert "<script" not in page
    assert "url(" not in page
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_every_chart_comes_for_light_and_for_dark_pages(
    tiny_model: Path, photographs: Path, tmp_path: Path
) -> None:
    page = write(tiny_model, photographs, tmp_path / "report.html")

    charts = re.findall(
        r'<source media="\(prefers-color-scheme: dark\)" srcset="(.*?)"><img alt="(.*?)" src="(.*?)">', page
    )
    assert [alt for _, alt, _ in charts] == [
        "localization over thresholds",
        "histogram of IoU",
        "information density of each model",
    ]
    assert all(dark != light for dark, _, light in charts)


def test_photographs_are_shown_with_the_truth_and_the_box_found(
    tiny_model: Path, photographs: Path, tmp_path: Path
) -> None:
    page = write(tiny_model, photographs, tmp_path / "report.html")

    assert (
        page.count("<figure>") == 3 * 6 + 2 * 2
    )  # best, median, worst of six; two classes under two methods
    assert page.count('class="truth"') == page.count('class="found"') == page.count("<figure>")


def test_names_are_escaped(tiny_model: Path, photographs: Path, tmp_path: Path) -> None:
    odd = tmp_path / "a<b>&c"
    photographs.joinpath("test").rename(odd)
    try:
        page = write(tiny_model, odd, tmp_path / "report.html")
    finally:
        odd.rename(photographs / "test")

    assert "a&lt;b&gt;&amp;c" in page
    assert "a<b>" not in page


def test_placed_objects_have_their_own_part(tiny_model: Path, photographs: Path, tmp_path: Path) -> None:
    scenes = tmp_path / "scenes"
    painted.save(scenes / "0.png", painted.paint((60, 60)))

    page = write(
        tiny_model, photographs, tmp_path / "r.html", placed=str(photographs), scenes=scenes, limit=4
    )

    assert "Objects placed on scenes" in page


def test_composed_scenes_have_their_own_part_with_every_box(
    tiny_model: Path, photographs: Path, tmp_path: Path
) -> None:
    cut_outs, scenes = painted.write_cut_outs(tmp_path / "cut"), painted.write_scenes(tmp_path / "scenes")

    page = write(tiny_model, photographs, tmp_path / "r.html", composed=str(cut_outs), scenes=scenes, limit=8)

    part = page[page.index("Several objects on a scene") : page.index("Information density")]
    assert '<img alt="precision over recall"' in part
    assert "8 images" in part
    figures = part.split("<figure>")[1:]
    assert len(figures) == 3 * 6  # best, median, worst of eight
    for figure in figures:
        truths = figure.count('class="truth"')
        assert f">{truths} objects on " in figure
        assert figure.count("<text") == figure.count('class="found"')


def test_data_without_boxes_makes_a_report_of_classes(
    tiny_model: Path, photographs: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    for label in painted.LABELS:
        painted.save(bare / label / "0.png", painted.paint((50, 50)))

    page = write(tiny_model, bare, tmp_path / "report.html")

    assert "top-1 class" in page
    assert "<figure>" not in page


def test_the_command_prints_a_table_or_json_and_progress_beside(tiny_model: Path, photographs: Path) -> None:
    arguments = [str(tiny_model), str(photographs), "--background", "background"]

    table = CliRunner().invoke(command, arguments)
    values = CliRunner().invoke(command, [*arguments, "--json"])

    assert table.exit_code == values.exit_code == 0
    assert "tiny br-avgcam *" in table.stdout
    assert "images/s" in table.stderr
    assert set(json.loads(values.stdout)) == {"photographs"}


def test_placed_and_composed_scenes_may_be_had_in_one_call(
    tiny_model: Path, photographs: Path, tmp_path: Path
) -> None:
    cut_outs, scenes = painted.write_cut_outs(tmp_path / "cut"), painted.write_scenes(tmp_path / "scenes")
    arguments = [str(tiny_model), str(photographs), "--background", "background", "--limit", "3"]
    arguments += ["--placed", str(cut_outs), "--composed", str(cut_outs), "--scenes", str(scenes)]

    table = CliRunner().invoke(command, arguments)
    values = CliRunner().invoke(command, [*arguments, "--json"])

    assert table.exit_code == values.exit_code == 0
    assert "3 placements of 2 cut-outs" in table.stdout
    assert "tiny br-avgcam, centre-in-box" in table.stdout
    assert set(json.loads(values.stdout)) == {"photographs", "placed", "composed"}


@pytest.mark.parametrize("option", ["placed", "composed"])
def test_placing_without_scenes_is_refused(tiny_model: Path, photographs: Path, option: str) -> None:
    with pytest.raises(UsageError, match=f"--{option} needs --scenes"):
        run([str(tiny_model)], str(photographs), background="background", quiet=True, **{option: "any"})


def test_a_keras_model_has_no_card_to_write_to(small_keras: Path, photographs: Path) -> None:
    note = small_keras.with_name("training.json")
    note.write_text(json.dumps({"labels": ["red", "blue", "background"], "background": "background"}))
    try:
        with pytest.raises(UsageError, match="has no model card to write to"):
            run([str(small_keras)], str(photographs), background="background", write_card=True, quiet=True)
    finally:
        note.unlink()
