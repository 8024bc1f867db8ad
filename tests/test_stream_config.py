from pathlib import Path

import pytest

from lightcam_edge.commands.stream_options import OF_CAMERA, OF_STREAM, by_key, checks
from lightcam_edge.streaming.config import SOURCES, Config, ConfigError, expand, lines_of, read_config

OF_ONE = by_key(OF_CAMERA)
CHECKS = checks(OF_ONE | by_key(OF_STREAM))


def read(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> Config:
    path = tmp_path / "stream.toml"
    path.write_text(text)
    return read_config(path, CHECKS, (*OF_ONE, *SOURCES), environment or {})


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    return [problem.removeprefix(f"{tmp_path}/") for problem in caught.value.problems]


def test_a_file_may_say_everything_that_the_command_line_can(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        """
        model = "nano"
        threshold = 0.3
        max-boxes = 0
        json = true
        video-segment = "10m"
        log-size = "1M"

        [cameras.door]
        source = "rtsp://host/live"
        rotate = 90
        split = false
        class = "bird"

        [cameras.yard]
        source = 0
        """,
    )

    assert config.options == {
        "model": "nano",
        "threshold": 0.3,
        "max-boxes": 0,
        "json": True,
        "video-segment": 600.0,
        "log-size": 1_000_000,
    }
    assert config.cameras == {
        "door": {"source": "rtsp://host/live", "rotate": "90", "split": False, "class": "bird"},
        "yard": {"source": "0"},
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\ntreshold = 0.3", "stream.toml:2: treshold: is no setting: did you mean threshold?"),
        ("max_boxes = 0", "stream.toml:1: max_boxes: is no setting: did you mean max-boxes?"),
        (
            '[camera.door]\nsource = "0"',
            "stream.toml:1: camera: is no setting: a camera stands under [cameras.NAME]",
        ),
        ("xyzzy = 1", "stream.toml:1: xyzzy: is no setting: see `lightcam-edge stream --help`"),
        ("threshold = 1.5", "stream.toml:1: threshold: 1.5 is not in the range 0<=x<1"),
        ("quiet = 1", "stream.toml:1: quiet: 1 is no value for it: give true or false"),
        ("log = true", "stream.toml:1: log: True is no value for it: give a text or number"),
        ('method = ["cam"]', "stream.toml:1: method: ['cam'] is no value for it: give a text or number"),
        ('method = "gradcam"', "stream.toml:1: method: 'gradcam' is not one of 'cam', 'br-avgcam'"),
        ('source = "0"', "stream.toml:1: source: belongs to a camera: write it under [cameras.NAME]"),
        (
            "cameras = 1",
            "stream.toml:1: cameras: is no table: write [cameras.NAME] above each camera's settings",
        ),
        (
            "[cameras]\ndoor = 1",
            "stream.toml:2: cameras.door: is no table: write [cameras.door] above the camera's settings",
        ),
        (
            "[cameras.door]\nfps = 5",
            'stream.toml:1: cameras.door: has no source: write source = "rtsp://..." or another',
        ),
        (
            '# two\n[cameras."a b"]\nsource = "0"',
            "stream.toml:2: cameras.a b: has a name that files and topics cannot bear: take letters, "
            "digits, - and _",
        ),
        (
            '[cameras.door]\nsource = "0"\nlog = "x"',
            "stream.toml:3: cameras.door.log: is for all cameras: write it above the first [table]",
        ),
        (
            '[cameras.door]\nsource = "rtsp://u:${PW}@h/"',
            "stream.toml:2: cameras.door.source: the variable PW is not set: export it, or give the "
            "unit an EnvironmentFile",
        ),
        (
            "cameras.door.source = true",
            'stream.toml:1: cameras.door.source: True is no source: write "rtsp://...", "0" or '
            "another in quotes",
        ),
        ("fps = ", "stream.toml:1: invalid value: see toml.io"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_the_fix(tmp_path: Path, text: str, expected: str) -> None:
    assert problems(tmp_path, text) == [expected]


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = "treshold = 0.3\nthreshold = 2\n[cameras.door]\nsorce = 0\n"

    assert [problem.split(": ")[0] for problem in problems(tmp_path, text)] == [
        f"stream.toml:{line}" for line in (1, 2, 3, 4)
    ]
    with pytest.raises(ConfigError, match=r"threshold\? \(and 3 more: --check-config\)"):
        read(tmp_path, text)


def test_a_password_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "yard").write_text("rtsp://user:hidden@yard/live\n")
    text = f"""
        [cameras.door]
        source = "rtsp://user:${{DOOR}}@door/live"
        [cameras.yard]
        source-file = "{tmp_path}/yard"
        """

    config = read(tmp_path, text, {"DOOR": "secret"})

    assert config.cameras["door"]["source"] == "rtsp://user:secret@door/live"
    assert config.cameras["yard"]["source-file"] == "rtsp://user:hidden@yard/live"


def test_two_dollar_signs_are_one() -> None:
    assert expand("pa$$word $5 ${A}", {"A": "a"}) == "pa$word $5 a"


def test_a_file_that_is_not_there_or_no_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*gone\.toml: No such file"):
        read_config(tmp_path / "gone.toml", CHECKS, OF_ONE, {})
    (tmp_path / "latin.toml").write_bytes(b'model = "\xe9"')
    with pytest.raises(ConfigError, match=r"latin\.toml is no UTF-8 text"):
        read_config(tmp_path / "latin.toml", CHECKS, OF_ONE, {})


def test_lines_are_found_in_every_way_to_write_a_table() -> None:
    text = """# title
model = "nano"
[cameras . door]   # the door
source = '''
many = lines'''
"max-boxes" = 0
[cameras."yard"]
source = "0"
cameras.a.source = 1
"""

    lines = lines_of(text)

    assert lines["model",] == 2
    assert lines["cameras", "door"] == 3
    assert lines["cameras", "door", "max-boxes"] == 6
    assert lines["cameras", "yard", "source"] == 8
