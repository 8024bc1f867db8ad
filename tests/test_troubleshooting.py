"""Every message that docs/troubleshooting.md explains is one that is printed."""

import ast
import re
from functools import cache
from itertools import takewhile

import pytest
from pages import ROOT

from lightcam_edge.doctor.diagnosis import CAUSES

PAGE = (ROOT / "docs/troubleshooting.md").read_text()
ROW = re.compile(r"^\| (?:``(?P<double>.+?)``|`(?P<single>[^`]+)`) \|", re.MULTILINE)
OTHERS_HEADING = "| message | cause |"
VARYING = "…"


def messages(part: str) -> list[str]:
    return [(match["double"] or match["single"]).rstrip() for match in ROW.finditer(part)]


def of_others() -> list[str]:
    lines = PAGE.partition(OTHERS_HEADING)[2].strip("\n").splitlines()
    return messages("\n".join(takewhile(lambda line: line.startswith("|"), lines)))


OURS = [message for message in messages(PAGE) if message not in of_others()]


def template(node: ast.AST) -> str | None:
    """A string of the code, with … for what is put in when it is printed."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else VARYING for part in node.values)
    return None


@cache
def templates() -> str:
    """All strings of the code, one a line."""
    paths = [
        path for folder in ("lightcam_edge", "converters", "models") for path in (ROOT / folder).rglob("*.py")
    ]
    nodes = (node for path in paths for node in ast.walk(ast.parse(path.read_text())))
    return "\n".join(filter(None, map(template, nodes)))


@pytest.mark.parametrize("message", OURS)
def test_a_message_that_is_explained_is_one_of_the_codes(message: str) -> None:
    assert message in templates()


@pytest.mark.parametrize("message", of_others())
def test_what_python_says_is_understood_by_the_doctor(message: str) -> None:
    assert any(re.search(pattern, message) for pattern, _ in CAUSES)


def test_the_page_explains_what_there_is_to_explain() -> None:
    assert len(OURS) > 30
    assert len(of_others()) > 5
