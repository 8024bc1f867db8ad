"""Where the page may be served, and to whom."""

from pathlib import Path

import pytest

from lightcam_edge.errors import UsageError
from lightcam_edge.streaming.page.settings import PageSettings, parse_address, read_token

TOKEN = "0123456789abcdef"


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("8080", "127.0.0.1", 8080),
        (":8080", "127.0.0.1", 8080),
        ("0.0.0.0:80", "0.0.0.0", 80),
        ("camera.lan:8080", "camera.lan", 8080),
        ("[::1]:8080", "::1", 8080),
    ],
)
def test_an_address_is_a_port_with_or_without_a_host(text: str, host: str, port: int) -> None:
    assert parse_address(text) == (host, port)


@pytest.mark.parametrize("text", ["", "localhost", "host:", "::1:80x", "::1:8080", "-1", "80 80", "8²"])
def test_what_is_no_address_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match=r"is no .HOST:.PORT, such as 8080"):
        parse_address(text)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_this_machine_needs_no_token(host: str) -> None:
    assert PageSettings(host).loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "camera.lan"])
def test_a_page_for_the_network_needs_a_token(host: str) -> None:
    with pytest.raises(UsageError, match=f"the page on {host} would be open to the network: give a token"):
        PageSettings(host)

    assert not PageSettings(host, token=TOKEN).loopback


def test_a_token_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(UsageError, match="has 6 characters, not 16 or more"):
        PageSettings("0.0.0.0", token="secret")


def test_a_token_is_not_shown_with_the_settings() -> None:
    assert TOKEN not in repr(PageSettings("0.0.0.0", token=TOKEN))


def test_a_token_comes_from_a_files_first_line_or_from_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n# for the shed\n")

    assert read_token(path, {"LIGHTCAM_PAGE_TOKEN": "another"}) == TOKEN
    assert read_token(None, {"LIGHTCAM_PAGE_TOKEN": TOKEN}) == TOKEN
    assert read_token(None, {}) == ""


def test_a_token_file_that_is_missing_or_empty_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")

    with pytest.raises(UsageError, match=r"cannot read the page's token from .*missing"):
        read_token(tmp_path / "missing", {})
    with pytest.raises(UsageError, match="holds no token in its first line"):
        read_token(tmp_path / "empty", {})
