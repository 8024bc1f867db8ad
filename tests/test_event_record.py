import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from stream_messages import track

from lightcam_edge.streaming.event_record import event_json, event_record
from lightcam_edge.streaming.messages import Event

EVENT = Event("new", "3f9c52d1a7be-12", "porch", 1_764_000_001.2341, track(), 0.97123, (480, 640))
SEQUENCE = 1764000001234


@pytest.fixture(scope="module")
def documentation() -> str:
    return (Path(__file__).parents[1] / "docs" / "events.md").read_text(encoding="utf-8")


def test_the_documented_event_is_what_is_sent(documentation: str) -> None:
    example = re.search(r"```json\n(.*?)```", documentation, re.DOTALL)
    assert example is not None

    assert json.loads(example[1]) == json.loads(event_json(EVENT, SEQUENCE))
    assert list(json.loads(example[1])) == list(event_record(EVENT, SEQUENCE))


def test_every_key_is_documented(documentation: str) -> None:
    for key in event_record(EVENT, SEQUENCE, with_snapshot=True):
        assert re.search(rf"^\|[^|]*`{key}`[^|]*\|", documentation, re.MULTILINE), key


def test_the_documented_check_accepts_our_signature(documentation: str) -> None:
    code = re.search(r"```python\n(.*?)```", documentation, re.DOTALL)
    assert code is not None
    names: dict[str, object] = {}
    exec(code[1], names)
    is_genuine = names["is_genuine"]
    assert callable(is_genuine)

    # HMAC-SHA256 of this message under this key is well known.
    digest = "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
    message = b"The quick brown fox jumps over the lazy dog"
    assert is_genuine(message, f"sha256={digest}", b"key")
    assert not is_genuine(message + b".", f"sha256={digest}", b"key")


def test_an_event_is_one_line_whatever_its_names() -> None:
    line = event_json(replace(EVENT, camera='Tür "2"\n'), SEQUENCE)

    assert b"\n" not in line
    assert json.loads(line)["camera"] == 'Tür "2"\n'


def test_a_score_that_is_no_number_is_null() -> None:
    event = replace(EVENT, best_score=math.nan)

    assert json.loads(event_json(event, SEQUENCE))["best_score"] is None


def test_a_snapshot_goes_along_only_where_it_is_wanted() -> None:
    event = replace(EVENT, snapshot=b"\xff\xd8")

    assert "snapshot" not in event_record(event, SEQUENCE)
    assert event_record(event, SEQUENCE, with_snapshot=True)["snapshot"] == "/9g="
    assert event_record(EVENT, SEQUENCE, with_snapshot=True)["snapshot"] is None
