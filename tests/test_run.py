import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from lightcam_edge.cli import group
from lightcam_edge.model_file import read_model
from lightcam_edge.progress import Progress
from lightcam_edge.video import VideoFile, read_video

BOX = {"x0": 36.0, "y0": 16.0, "x1": 72.0, "y1": 40.0}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(tiny_model: Path) -> Callable[..., Result]:
    def invoke(*arguments: str | Path, **options: object) -> Result:
        words = ["run", *map(str, arguments), "--model", str(tiny_model), "--threads", "1"]
        return CliRunner().invoke(group, words, **options)  # type: ignore[arg-type]

    return invoke


def scene(colour: tuple[int, int, int] | None = (255, 0, 0)) -> np.ndarray:
    """64 high and 144 wide, with a thing in BOX."""
    pixels = np.full((64, 144, 3), 128, np.uint8)
    if colour is not None:
        pixels[16:40, 36:72] = colour
    return pixels


def save(name: str, pixels: np.ndarray | None = None) -> str:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(scene() if pixels is None else pixels).save(name)
    return name


def read(name: str) -> np.ndarray:
    with Image.open(name) as image:
        return np.asarray(image)


def records(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def files(folder: str) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())


def test_one_image_is_one_line(run: Callable[..., Result]) -> None:
    result = run(save("photo.png"))

    assert result.exit_code == 0
    name, what, box, time = result.stdout.rstrip("\n").split("  ")
    assert (name, what[:4], box) == ("photo.png", "red ", "box 36,16..72,40")
    assert time.endswith(" ms")
    assert result.stderr == ""


def test_the_background_is_nothing(run: Callable[..., Result]) -> None:
    assert "grey.png  nothing (background 0.79)  " in run(save("grey.png", scene(None))).stdout


def test_several_boxes_and_low_scores_are_told(run: Callable[..., Result]) -> None:
    pixels = scene()
    pixels[16:32, 96:120] = (0, 0, 255)
    save("two.png", pixels)

    assert "  boxes 36,16..72,40 96,16..120,32  " in run("two.png", "--max-boxes", "0", "--no-split").stdout
    assert "nothing (red 0." in run("two.png", "--min-score", "0.999").stdout
    assert "is below 0.999)" in run("two.png", "--min-score", "0.999").stdout


def test_a_json_line_has_every_field_of_the_contract(run: Callable[..., Result], tiny_model: Path) -> None:
    result = run(save("photo.png"), "--json")

    (record,) = records(result)
    card = read_model(tiny_model).card
    assert card is not None
    assert list(record) == [
        *("source", "frame", "image_hw", "label", "class_index", "score", "scores", "boxes"),
        *("method", "score_by", "threshold", "model", "latency_ms", "error"),
    ]
    latency = record.pop("latency_ms")
    scores = record.pop("scores")
    score = record.pop("score")
    assert record == {
        "source": "photo.png",
        "frame": 0,
        "image_hw": [64, 144],
        "label": "red",
        "class_index": 0,
        "boxes": [{**BOX, "label": "red", "score": score}],
        "method": "br-avgcam",
        "score_by": "frame",
        "threshold": 0.5,
        "model": {"name": "tiny", "sha256": card.sha256},
        "error": None,
    }
    assert isinstance(scores, dict)
    assert list(scores) == ["red", "blue", "background"]
    assert scores["red"] == score
    assert sum(scores.values()) == pytest.approx(1, abs=1e-3)
    assert isinstance(latency, dict)
    assert list(latency) == ["decode", "preprocess", "inference", "cam", "box", "total"]


def test_each_region_is_listed_with_its_own_class(run: Callable[..., Result]) -> None:
    pixels = scene()
    pixels[16:32, 96:120] = (0, 0, 255)
    save("both.png", pixels)

    result = run("both.png", "--score", "region", "--max-boxes", "0")
    (record,) = records(run("both.png", "--score", "region", "--max-boxes", "0", "--json"))

    assert result.stdout.count("  box ") == 2
    assert [box["label"] for box in record["boxes"]] == ["red", "blue"]
    assert record["score_by"] == "region"


def test_the_backgrounds_json_line_has_no_box(run: Callable[..., Result]) -> None:
    (record,) = records(run(save("grey.png", scene(None)), "--json"))

    assert (record["label"], record["boxes"], record["error"]) == ("background", [], None)


def test_inputs_that_fail_have_their_lines_and_the_others_go_on(run: Callable[..., Result]) -> None:
    save("good.png")
    Path("empty.jpg").touch()
    Path("text.jpg").write_text("no image")
    Path("folder").mkdir()

    result = run("missing.jpg", "empty.jpg", "good.png", "text.jpg", "folder", "--json")

    assert result.exit_code == 1
    found = records(result)
    assert [record["source"] for record in found] == [
        "missing.jpg",
        "empty.jpg",
        "good.png",
        "text.jpg",
        "folder",
    ]
    assert [record["label"] for record in found] == [None, None, "red", None, None]
    failed = found[0]
    assert failed.pop("error") == "cannot read missing.jpg: No such file or directory"
    assert (failed.pop("source"), failed.pop("frame")) == ("missing.jpg", 0)
    assert set(failed.values()) == {None}
    assert found[2]["error"] is None
    lines = result.stderr.splitlines()
    assert lines[1] == "error: empty.jpg is empty: copy it again"
    assert [line.split()[0] for line in lines] == ["error:"] * 4 + ["5"]
    assert lines[-1].startswith("5 images, 4 failed, ")


def test_a_list_on_stdin_is_read(run: Callable[..., Result]) -> None:
    save("a.png")
    save("b.png", scene(None))

    result = run("-", input="a.png\n\nb.png\n")

    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["a.png", "b.png"]


def test_an_empty_list_is_an_error(run: Callable[..., Result]) -> None:
    for more in ((), ("--out", "out")):
        result = run("-", *more, input="")
        assert str(result.exception) == "there is no image: the list on stdin is empty"


def test_quiet_leaves_errors_and_json(run: Callable[..., Result]) -> None:
    save("a.png")

    text = run("a.png", "missing.png", "--quiet")
    lines = run("a.png", "missing.png", "--quiet", "--json")

    assert (text.stdout, text.stderr.count("\n")) == ("", 1)
    assert len(records(lines)) == 2


@pytest.mark.parametrize("encoding", [None, "utf-8:strict", "ascii:strict"])
def test_a_name_that_is_no_text_is_printed_all_the_same(tiny_model: Path, encoding: str | None) -> None:
    environment = os.environ | ({"PYTHONIOENCODING": encoding} if encoding else {})
    save("x.png")
    Path("x.png").rename(os.fsdecode(b"\xff.png"))
    command = [sys.executable, "-c", "from lightcam_edge.cli import main; main()", "run", ".", "missing.png"]

    for more in ([], ["--json"]):
        line = [*command, "--model", str(tiny_model), *more]
        done = subprocess.run(line, capture_output=True, check=False, env=environment)
        assert done.returncode == 1, done.stderr
        assert b"red" in done.stdout


def test_out_holds_a_picture_with_the_box(run: Callable[..., Result]) -> None:
    result = run(save("photo.png", np.repeat(np.repeat(scene(), 4, 0), 4, 1)), "--out", "out")

    assert result.exit_code == 0
    assert files("out") == ["photo.jpg"]
    picture = read("out/photo.jpg")
    assert picture.shape == (256, 576, 3)
    assert picture[112, 216].tolist() == pytest.approx([255, 0, 0], abs=12)
    assert picture[112, 144].tolist() == pytest.approx([0, 158, 115], abs=60)


@pytest.mark.parametrize(("overlay", "shape"), [("side-by-side", (128, 144, 3)), ("alone", (64, 144, 3))])
def test_the_heat_map_stands_beside_the_photograph_or_alone(
    run: Callable[..., Result], overlay: str, shape: tuple[int, ...]
) -> None:
    run(save("photo.png"), "--out", "out", "--overlay", overlay)

    assert read("out/photo.jpg").shape == shape


def test_crops_and_maps_are_written_when_asked_for(run: Callable[..., Result]) -> None:
    run(save("photo.png"), "--out", "out", "--crops", "--map")

    assert files("out") == ["photo.crop-1.jpg", "photo.jpg", "photo.npy"]
    assert read("out/photo.crop-1.jpg").shape == (24, 36, 3)
    cam = np.load("out/photo.npy")
    assert cam.shape == (8, 12)
    assert (cam[2:5, 3:6] > 24).all()
    assert np.count_nonzero(cam > 1) == 9


@pytest.mark.parametrize("option", [["--crops"], ["--map"], ["--overlay", "alone"]])
def test_pictures_need_a_folder(run: Callable[..., Result], option: list[str]) -> None:
    result = run(save("photo.png"), *option)

    assert "add --out DIR" in str(result.exception)


def test_results_of_one_name_do_not_overwrite_each_other(run: Callable[..., Result]) -> None:
    for name in ("a/x.png", "b/x.png", "b/x.webp", "c/sub/x.png"):
        save(name)

    run("a/x.png", "b/x.png", "b/x.webp", "c", "a/x.png", "--out", "out", "--map")

    assert files("out") == [
        *("sub/x.jpg", "sub/x.npy", "x-2.jpg", "x-2.npy", "x-3.jpg", "x-3.npy"),
        *("x-4.jpg", "x-4.npy", "x.jpg", "x.npy"),
    ]


def test_results_do_not_overwrite_an_input(run: Callable[..., Result]) -> None:
    save("x.png")
    save("y.jpg", scene(None))
    save("z/y.jpg")
    before = Path("y.jpg").read_bytes()

    run("x.png", "z/y.jpg", "y.jpg", "--out", ".")

    assert Path("y.jpg").read_bytes() == before
    assert files(".") == ["x.jpg", "x.png", "y-2.jpg", "y-3.jpg", "y.jpg", "z/y.jpg"]


def test_a_second_run_over_the_folder_leaves_the_results_out(run: Callable[..., Result]) -> None:
    save("photos/x.png")

    for _ in range(2):
        assert run("photos", "--out", "photos/out").exit_code == 0

    assert files("photos") == ["out/x.jpg", "x.png"]


def test_a_folder_that_cannot_be_written_is_told(run: Callable[..., Result]) -> None:
    save("x.png")
    Path("file").touch()

    result = run("x.png", "--out", "file/out")

    assert str(result.exception) == "cannot write to file/out: Not a directory"


def test_an_image_in_full_and_reduced_gives_the_same_box(run: Callable[..., Result]) -> None:
    save("large.jpg", np.repeat(np.repeat(scene(), 9, 0), 9, 1))

    (reduced,) = records(run("large.jpg", "--json"))
    (full,) = records(run("large.jpg", "--json", "--out", "out"))

    (one,), (other,) = reduced["boxes"], full["boxes"]  # type: ignore[misc]
    assert [one[corner] for corner in BOX] == [other[corner] for corner in BOX]  # type: ignore[has-type]
    assert reduced["image_hw"] == [576, 1296]


def test_boxes_lie_in_the_upright_image(run: Callable[..., Result]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(scene()).transpose(Image.Transpose.ROTATE_90).save("turned.png", exif=exif)

    (record,) = records(run("turned.png", "--json"))

    assert record["image_hw"] == [64, 144]
    (box,) = record["boxes"]  # type: ignore[misc]
    assert {name: box[name] for name in BOX} == BOX  # type: ignore[has-type]


def test_a_video_has_a_line_a_frame_and_an_annotated_copy(run: Callable[..., Result]) -> None:
    video = VideoFile(Path("clip.mp4"), 10, (64, 144))
    for colour in ((255, 0, 0), None, (0, 0, 255)):
        video.write(scene(colour))
    video.close()

    result = run("clip.mp4", "--json", "--out", "out", "--map")

    found = records(result)
    assert [(record["frame"], record["label"]) for record in found] == [
        (0, "red"),
        (1, "background"),
        (2, "blue"),
    ]
    assert files("out") == ["clip.000000.npy", "clip.000001.npy", "clip.000002.npy", "clip.mp4"]
    assert len(list(read_video(Path("out/clip.mp4")))) == 3
    assert "clip.mp4#2  blue" in run("clip.mp4").stdout


def test_a_run_that_stops_midway_leaves_no_half_video(run: Callable[..., Result]) -> None:
    video = VideoFile(Path("clip.mp4"), 10, (64, 144))
    for _ in range(3):
        video.write(scene())
    video.close()
    Path("out").mkdir()
    Path("out/clip.000001.npy").mkdir()  # the second frame's map has no place

    result = run("clip.mp4", "--out", "out", "--map")

    assert "cannot write to" in str(result.exception)
    assert files("out") == ["clip.000000.npy"]


def test_memory_stays_flat_over_many_images(tiny_model: Path) -> None:
    coarse = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    save("photo.jpg", cv2.resize(coarse, (1600, 1200)))
    command = [sys.executable, "-c", "from lightcam_edge.cli import main; main()", "run", "-", "--quiet"]

    def peak_mb(images: int) -> float:
        done = subprocess.run(
            [sys.executable, "-c", _PEAK, *command, "--model", str(tiny_model)],
            input="photo.jpg\n" * images,
            capture_output=True,
            text=True,
            check=True,
        )
        return int(done.stdout) / 1024

    few, many = peak_mb(20), peak_mb(420)

    assert many < few + 40, f"{few:.0f} MB for 20 images, {many:.0f} MB for 420"


_PEAK = (
    "import resource, subprocess, sys\n"
    "subprocess.run(sys.argv[1:], check=True)\n"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)


def test_progress_tells_count_rate_and_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    progress = Progress(200, shown=True)

    progress.count(failed=False)
    progress.clear()

    line, cleared = capsys.readouterr().err.split("\r\x1b[K")[1:]
    assert line.startswith("1/200  ")
    assert "images/s  " in line
    assert line.endswith(" s left")
    assert cleared == ""
    assert progress.summary().startswith("1 image, ")


def test_progress_is_silent_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(2, shown=True)

    progress.count(failed=True)
    progress.clear()

    assert capsys.readouterr().err == ""
    assert progress.summary().startswith("1 image, 1 failed, ")
