from dataclasses import replace
from pathlib import Path

from stream_messages import event

from lightcam_edge.streaming.snapshots import Kept, SnapshotFolder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_an_event_with_a_picture_is_a_file_that_tells_camera_time_and_label(tmp_path: Path) -> None:
    sink = SnapshotFolder(tmp_path / "seen", Kept())
    sink.event(replace(event(1, snapshot=b"a picture"), time=1_764_000_000.25))
    sink.event(event(2))
    sink.close()

    (name,) = names(tmp_path / "seen")
    assert name.startswith("porch-2025112")
    assert name.endswith(".250-bird-1-new.jpg")
    assert (tmp_path / "seen" / name).read_bytes() == b"a picture"


def test_only_so_many_files_are_kept_over_restarts(tmp_path: Path) -> None:
    for run in range(2):
        sink = SnapshotFolder(tmp_path, Kept(files=3))
        for number in range(3):
            sink.event(replace(event(number, snapshot=b"x"), time=1_764_000_000.0 + 10 * run + number))
        sink.close()

    assert [name[-10:] for name in names(tmp_path)] == ["-0-new.jpg", "-1-new.jpg", "-2-new.jpg"]
    assert all(".000-" in name for name in names(tmp_path))


def test_only_so_many_bytes_are_kept(tmp_path: Path) -> None:
    sink = SnapshotFolder(tmp_path, Kept(size_bytes=250))
    for number in range(5):
        sink.event(replace(event(number, snapshot=bytes(100)), time=1_764_000_000.0 + number))
    sink.close()

    assert len(names(tmp_path)) == 2


def test_what_others_put_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(bytes(1000))
    sink = SnapshotFolder(tmp_path, Kept(files=1))
    for number in range(3):
        sink.event(replace(event(number, snapshot=b"x"), time=1_764_000_000.0 + number))
    sink.close()

    assert "holiday.jpg" in names(tmp_path)
    assert len(names(tmp_path)) == 2


def test_a_label_that_is_no_file_name_makes_one_all_the_same(tmp_path: Path) -> None:
    sink = SnapshotFolder(tmp_path, Kept())
    one = event(1, snapshot=b"x")
    sink.event(replace(one, track=replace(one.track, label="../etc/pass wd")))
    sink.close()

    (name,) = names(tmp_path)
    assert "___etc_pass_wd" in name
