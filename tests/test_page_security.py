"""Who may see the page."""

import pytest

from lightcam_edge.streaming.page.security import ATTEMPTS, ATTEMPTS_SECONDS, Gate
from lightcam_edge.streaming.page.settings import PageSettings

TOKEN = "correct horse battery staple"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate(clock: Clock) -> Gate:
    return Gate(PageSettings("0.0.0.0", token=TOKEN), clock)


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1:9", "[::1]:8080", "LOCALHOST"])
def test_a_loopback_page_answers_to_its_own_names(host: str) -> None:
    assert Gate(PageSettings()).host_allowed(host)


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", ""])
def test_a_loopback_page_does_not_answer_to_a_name_that_was_pointed_to_it(host: str) -> None:
    assert not Gate(PageSettings()).host_allowed(host)


def test_a_page_with_a_token_answers_to_every_name(gate: Gate) -> None:
    assert gate.host_allowed("camera.lan:8080")


@pytest.mark.parametrize(
    ("origin", "site", "allowed"),
    [
        ("http://localhost:8080", None, True),
        ("http://localhost:8080", "same-origin", True),
        (None, None, True),  # curl
        (None, "cross-site", False),
        ("http://localhost:8081", None, False),
        ("https://localhost:8080", None, False),
        ("http://evil.example", None, False),
        ("null", None, False),
        ("http://localhost:8080", "same-site", False),
    ],
)
def test_only_our_own_page_may_change_something(origin: str | None, site: str | None, allowed: bool) -> None:
    assert Gate(PageSettings()).origin_allowed(origin, site, "http://localhost:8080") is allowed


def test_without_a_token_everyone_on_this_machine_is_known() -> None:
    gate = Gate(PageSettings())

    assert not gate.needs_token
    assert gate.knows_token("", "")


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN])
def test_a_visitor_without_the_token_is_not_known(gate: Gate, authorization: str) -> None:
    assert not gate.knows_token(authorization, "")


def test_the_token_lets_in_as_bearer_and_by_the_cookie_of_a_log_in(gate: Gate) -> None:
    cookie = gate.log_in(TOKEN, "10.0.0.1")

    assert gate.knows_token(f"Bearer {TOKEN}", "")
    assert cookie
    assert gate.knows_token("", cookie)
    assert TOKEN not in cookie


def test_a_cookie_outlives_a_restart_but_not_another_token(gate: Gate) -> None:
    cookie = gate.log_in(TOKEN, "10.0.0.1") or ""

    assert Gate(PageSettings("0.0.0.0", token=TOKEN)).knows_token("", cookie)
    assert not Gate(PageSettings("0.0.0.0", token=TOKEN[::-1])).knows_token("", cookie)


def test_a_cookie_that_was_changed_or_is_old_lets_nobody_in(gate: Gate) -> None:
    cookie = gate.log_in(TOKEN, "10.0.0.1") or ""
    until, _, seal = cookie.partition(".")

    for forged in (f"{int(until) + 1}.{seal}", f"{until}.{'0' * 64}", f"{until}.", seal, ".", "²." + seal):
        assert not gate.knows_token("", forged)
    assert not gate.knows_token("", gate._session(1_000_000_000))  # of 2001, truly sealed


def test_no_cookie_is_given_where_no_token_is_set() -> None:
    assert Gate(PageSettings()).log_in("", "127.0.0.1") is None


def test_who_guesses_too_often_has_to_wait_and_others_do_not(gate: Gate, clock: Clock) -> None:
    for _ in range(ATTEMPTS):
        assert gate.pause("10.0.0.1") == 0
        assert gate.log_in("wrong", "10.0.0.1") is None

    assert gate.pause("10.0.0.1") == ATTEMPTS_SECONDS
    assert gate.pause("10.0.0.2") == 0
    clock.now += ATTEMPTS_SECONDS + 1
    assert gate.pause("10.0.0.1") == 0


def test_a_whole_ipv6_network_counts_as_one_visitor(gate: Gate) -> None:
    for number in range(ATTEMPTS):
        gate.log_in("wrong", f"2001:db8::{number}")

    assert gate.pause("2001:db8::ffff") > 0
    assert gate.pause("2001:db8:0:1::1") == 0


def test_guesses_from_many_addresses_do_not_fill_the_memory(gate: Gate) -> None:
    for number in range(3000):
        gate.log_in("wrong", f"10.{number >> 16}.{(number >> 8) & 255}.{number & 255}")

    assert len(gate._attempts._failed) == 1024
