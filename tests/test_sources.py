import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lightcam_edge import sources
from lightcam_edge.sources import Frame, Source, find_sources, read_frames, work_ahead


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """b.JPG and a/c.png and a/d.mp4 are wanted, the others are not."""
    monkeypatch.chdir(tmp_path)
    for name in ("b.JPG", "notes.txt", "a/c.png", "a/d.mp4", "a/.hidden.jpg", ".cache/e.jpg", "f.jpg/g.txt"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "photos"


def paths(found: Iterator[Source]) -> list[str]:
    return [str(source.path) for source in found]


def same(frame: Frame) -> Frame:
    return frame


def image_source(path: Path, colour: tuple[int, int, int] = (9, 9, 9)) -> Source:
    Image.new("RGB", (6, 4), colour).save(path)
    return Source(path, Path(path.name))


def test_a_folder_is_searched_through_in_order(folder: Path) -> None:
    found = list(find_sources(["photos"], []))

    assert [str(source.path) for source in found] == ["photos/a/c.png", "photos/a/d.mp4", "photos/b.JPG"]
    assert [str(source.inside) for source in found] == ["a/c.png", "a/d.mp4", "b.JPG"]
    assert [source.is_video for source in found] == [False, True, False]


def test_the_folder_of_results_is_left_out(folder: Path) -> None:
    assert paths(find_sources(["photos"], [], leave_out=folder / "a")) == ["photos/b.JPG"]


def test_files_patterns_and_a_list_come_in_the_order_named(folder: Path) -> None:
    stdin = ["photos/b.JPG\n", "\n", "photos/a/*.png\r\n", "no newline"]

    found = paths(find_sources(["missing.jpg", "photos/**/*.png", "-"], stdin))

    assert found == ["missing.jpg", "photos/a/c.png", "photos/b.JPG", "photos/a/c.png", "no newline"]


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(folder: Path) -> None:
    (folder / "x[1].jpg").touch()

    assert paths(find_sources(["photos/x[1].jpg"], [])) == ["photos/x[1].jpg"]


def test_a_folder_without_images_and_a_pattern_without_files_say_so(folder: Path) -> None:
    empty, nothing = find_sources(["photos/f.jpg", "photos/*.webp"], [])

    assert empty.error == "photos/f.jpg holds no image or video: give a folder that does"
    assert nothing.error == "photos/*.webp matches no file"
    assert [frame.error for frame in read_frames(empty, None)] == [empty.error]


def test_an_image_is_one_frame_and_a_bad_one_says_why(tmp_path: Path) -> None:
    good = image_source(tmp_path / "good.png")

    (frame,) = read_frames(good, None)
    (failed,) = read_frames(Source(tmp_path / "missing.png", Path("missing.png")), None)

    assert frame.photo is not None
    assert frame.photo.image_hw == (4, 6)
    assert frame.decode_ms > 0
    assert failed.photo is None
    assert "missing.png: No such file" in failed.error


def test_reading_ahead_keeps_the_order_and_goes_on_after_an_error(tmp_path: Path) -> None:
    named = [image_source(tmp_path / f"{shade}.png", (shade, 0, 0)) for shade in range(40)]
    named[7].path.write_bytes(b"")

    with work_ahead(named, None, same, workers=3) as frames:
        shades = [None if frame.photo is None else int(frame.photo.pixels[0, 0, 0]) for frame in frames]

    assert shades == [*range(7), None, *range(8, 40)]


def test_reading_ahead_reads_only_a_few_ahead(tmp_path: Path) -> None:
    named = [image_source(tmp_path / "one.png")] * 100
    taken = []

    def counted() -> Iterator[Source]:
        for source in named:
            taken.append(source)
            yield source

    with work_ahead(counted(), None, same, workers=2) as frames:
        next(frames)

    assert len(taken) <= 2 + sources.LOOK_AHEAD + 2


def test_a_frame_comes_though_the_next_source_is_not_known_yet(tmp_path: Path) -> None:
    known = threading.Event()

    def endless() -> Iterator[Source]:
        yield image_source(tmp_path / "one.png")
        known.wait(30)

    with work_ahead(endless(), None, same, workers=2) as frames:
        assert next(frames).photo is not None
        known.set()
        assert list(frames) == []


def test_as_many_are_worked_on_at_a_time_as_there_are_workers(tmp_path: Path) -> None:
    together = threading.Barrier(3, timeout=30)

    def meet(frame: Frame) -> int:
        return together.wait()

    with work_ahead([image_source(tmp_path / "one.png")] * 6, None, meet, workers=3) as met:
        assert sorted(met) == [0, 0, 1, 1, 2, 2]


def test_a_bug_while_working_ahead_comes_out(tmp_path: Path) -> None:
    def fails(frame: Frame) -> Frame:
        raise ZeroDivisionError

    named = [image_source(tmp_path / "one.png")]
    with work_ahead(named, None, fails, workers=2) as frames, pytest.raises(ZeroDivisionError):
        next(frames)


def test_a_bug_while_reading_ahead_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Iterator[Source]:
        yield Source(Path("missing.jpg"), Path("missing.jpg"))
        raise ZeroDivisionError

    with work_ahead(broken(), None, same, workers=2) as frames:
        assert "missing.jpg" in next(frames).error
        with pytest.raises(ZeroDivisionError):
            next(frames)


def test_a_large_jpeg_is_reduced_when_less_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    Image.fromarray(np.zeros((400, 600, 3), np.uint8)).save(path)

    (frame,) = read_frames(Source(path, Path("large.jpg")), (100, 150))

    assert frame.photo is not None
    assert frame.photo.pixels.shape == (100, 150, 3)
    assert frame.photo.image_hw == (400, 600)
