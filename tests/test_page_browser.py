"""The live page in Chromium, on a real stream: what a visitor sees and can do."""

import base64
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from live_page import TOKEN, LivePage, live_page, write_video
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium")
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 740}
T = TypeVar("T")
TIMEOUT_MS = 30_000

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt install chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # CI runs as root, where Chromium has no sandbox.
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("video") / "bird.avi")


@pytest.fixture(scope="module")
def live(video: Path) -> Iterator[LivePage]:
    with live_page(video) as started:
        yield started


class Visit:
    """A page that is open in the browser, and all that it asked for and complained of.

    Args:
        context: of the browser, with its size and theme.
        live: the stream that it shows.
    """

    def __init__(self, context: BrowserContext, live: LivePage) -> None:
        self.live, self.page = live, context.new_page()
        self.page.set_default_timeout(TIMEOUT_MS)
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("websocket", lambda opened: self.asked.append(opened.url))

    def open(self) -> Page:
        """Open the page and wait for its first picture."""
        self.page.goto(self.live.page.address)
        self.page.wait_for_selector("canvas[data-frame]")
        return self.page

    def boxes(self) -> list[list[float]]:
        """Boxes on the picture that is shown, in its pixels."""
        boxes: list[list[float]] = json.loads(self.page.get_attribute("canvas", "data-boxes") or "[]")
        return boxes

    def pixels(self) -> np.ndarray:
        """What is drawn, (h, w, 3) uint8 BGR."""
        url = self.page.evaluate("document.querySelector('canvas').toDataURL()")
        png = base64.b64decode(url.partition(",")[2])
        return np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR))

    def hide(self) -> None:
        """Be what the browser calls hidden, as a page in the background is."""
        self.page.evaluate(
            "Object.defineProperty(document, 'hidden', { get: () => true, configurable: true });"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )
        self.page.wait_for_timeout(300)  # until what was under way is drawn

    def until(self, true: Callable[[], T]) -> T:
        deadline = time.monotonic() + TIMEOUT_MS / 1000
        while not (answer := true()):
            assert time.monotonic() < deadline
            self.page.wait_for_timeout(50)
        return answer


Visiting = Callable[..., Visit]


@pytest.fixture
def visiting(browser: Browser) -> Iterator[Visiting]:
    """Makes visits; what a page complains of on the console fails the test."""
    visits: list[Visit] = []

    def visit(live: LivePage, **options: Any) -> Visit:
        context = browser.new_context(**{"viewport": DESK, "color_scheme": "light", **options})
        visits.append(Visit(context, live))
        return visits[-1]

    yield visit
    for one in visits:
        one.page.context.close()
        # A page may outlive its server here, and Chromium tells of that.
        assert [told for told in one.complaints if "ERR_CONNECTION_REFUSED" not in told] == []


def background(page: Page) -> str:
    colour: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return colour


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_the_page_shows_what_is_seen_at_a_glance_and_asks_nobody_else(
    visiting: Visiting, live: LivePage, viewport: dict[str, int]
) -> None:
    visit = visiting(live, viewport=viewport)
    page = visit.open()

    expect(page.locator("#label")).to_have_text("bird")
    expect(page.locator("#score")).to_have_text(re.compile(r"\d+%"))
    expect(page.locator("#state")).to_contain_text("live")
    for seen in ("canvas", "#label", "#score", "#state"):
        box = page.locator(seen).bounding_box()
        assert box is not None
        assert 0 <= box["x"] <= box["x"] + box["width"] <= viewport["width"]
        assert 0 <= box["y"] <= box["y"] + box["height"] <= viewport["height"]
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    own = f"127.0.0.1:{live.port}/"
    assert all(url.startswith((f"http://{own}", f"ws://{own}", "blob:")) for url in visit.asked)


def test_the_box_moves_with_the_bird(visiting: Visiting, live: LivePage) -> None:
    visit = visiting(live)
    visit.open()
    lefts: list[float] = []

    def crossed() -> bool:
        lefts.extend(box[0] for box in visit.boxes())
        return bool(lefts) and max(lefts) - min(lefts) > 80

    visit.until(crossed)


def test_the_box_is_drawn_where_the_thing_is_in_the_same_picture(visiting: Visiting, live: LivePage) -> None:
    visit = visiting(live)
    page = visit.open()
    page.get_by_text("Heat map", exact=True).click()
    visit.until(visit.boxes)
    visit.hide()
    drawn = visit.pixels()

    page.get_by_text("Boxes", exact=True).click()
    picture = visit.pixels()

    rows, columns = np.nonzero(np.abs(drawn.astype(int) - picture).max(axis=2) > 30)
    to_picture = 320 / drawn.shape[1]
    left, _, right, bottom = visit.boxes()[0]
    assert [columns.min() * to_picture, columns.max() * to_picture, rows.max() * to_picture] == pytest.approx(
        [left, right, bottom], abs=3
    )


def test_the_threshold_reaches_the_stream_and_changes_the_box(visiting: Visiting, live: LivePage) -> None:
    visit = visiting(live)
    page = visit.open()
    visit.until(visit.boxes)

    def width(threshold: float) -> float:
        page.locator("#threshold").fill(str(threshold))
        visit.until(lambda: live.pipeline.watched["door"].threshold == threshold)
        expect(page.locator("#threshold-value")).to_have_text(f"{100 * threshold:.0f}%")
        page.wait_for_timeout(700)  # until boxes made with the other threshold are averaged away
        left, _, right, _ = visit.until(visit.boxes)[0]
        return right - left

    assert width(0.1) > 1.3 * width(0.8)
    live.pipeline.watched["door"].adjust(0.2, None)


def test_the_method_can_be_chosen_by_keyboard(visiting: Visiting, live: LivePage) -> None:
    visit = visiting(live)
    page = visit.open()
    expect(page.locator("[value=br-avgcam]")).to_be_checked()

    page.locator("[value=br-avgcam]").focus()
    page.keyboard.press("ArrowRight")

    visit.until(lambda: live.pipeline.watched["door"].method == "cam")
    page.keyboard.press("ArrowLeft")
    visit.until(lambda: live.pipeline.watched["door"].method == "br-avgcam")


def test_what_one_visitor_chooses_the_others_see(visiting: Visiting, live: LivePage) -> None:
    first, second = visiting(live), visiting(live)
    one, other = first.open(), second.open()

    one.locator("#threshold").fill("0.35")

    expect(other.locator("#threshold-value")).to_have_text("35%")
    live.pipeline.watched["door"].adjust(0.2, None)


def test_saving_to_a_bundled_models_card_is_refused_in_words(visiting: Visiting, live: LivePage) -> None:
    visit = visiting(live)
    page = visit.open()

    page.get_by_role("button", name="Save to card").click()

    expect(page.locator("#saved")).to_contain_text("lite.tflite comes with the program")
    visit.complaints = [told for told in visit.complaints if "409" not in told]  # Chromium tells of statuses


def test_boxes_and_heat_map_can_be_left_out_and_stay_so(visiting: Visiting, live: LivePage) -> None:
    visit = visiting(live)
    page = visit.open()
    visit.until(visit.boxes)

    page.get_by_text("Heat map", exact=True).click()
    page.get_by_text("Boxes", exact=True).click()

    expect(page.locator("#blend")).to_be_disabled()
    expect(page.locator("#snapshot")).to_have_attribute("href", "/api/snapshot?camera=door&boxes=0&heat=0")
    visit.open()
    expect(page.locator("#heat")).not_to_be_checked()
    expect(page.locator("#boxes")).not_to_be_checked()


def test_the_strength_of_the_heat_map_acts_on_the_picture(visiting: Visiting, live: LivePage) -> None:
    visit = visiting(live)
    page = visit.open()
    visit.until(visit.boxes)
    visit.hide()  # no further picture comes

    def drawn(strength: int) -> np.ndarray:
        page.locator("#blend").fill(str(strength))
        return visit.pixels()

    weak, strong = drawn(5), drawn(100)
    change = np.abs(strong.astype(int) - weak).mean(axis=2)
    left, top, right, bottom = (round(at * change.shape[1] / 320) for at in visit.boxes()[0])
    middle = change[
        (2 * top + bottom) // 3 : (top + 2 * bottom) // 3, (2 * left + right) // 3 : (left + 2 * right) // 3
    ]
    assert middle.mean() > 20
    assert change[:10].mean() < 5


def test_a_snapshot_is_downloaded_under_the_cameras_name(visiting: Visiting, live: LivePage) -> None:
    page = visiting(live).open()

    with page.expect_download() as download:
        page.get_by_role("link", name="Snapshot").click()

    assert download.value.suggested_filename.startswith("door-2")
    assert download.value.path().read_bytes().startswith(b"\xff\xd8")


def test_the_theme_follows_the_system_until_it_is_switched(visiting: Visiting, live: LivePage) -> None:
    light, dark = visiting(live), visiting(live, color_scheme="dark")
    assert background(light.open()) != background(dark.open())

    light.page.get_by_role("button", name="Switch to dark").click()

    assert background(light.page) == background(dark.page)
    light.open()
    assert background(light.page) == background(dark.page)
    expect(light.page.get_by_role("button", name="Switch to light")).to_be_visible()


def test_charts_move_and_name_their_values(visiting: Visiting, live: LivePage) -> None:
    visit = visiting(live)
    page = visit.open()
    chart = page.locator("#rate .line").last
    before = chart.get_attribute("points")

    visit.until(lambda: chart.get_attribute("points") != before)

    expect(page.locator("#rate")).to_contain_text("results")
    expect(page.locator("#latency")).to_contain_text("inference")
    expect(page.locator("#latency svg")).to_have_attribute(
        "aria-label", re.compile(r"Latency: .*inference \d")
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_the_page_is_accessible(
    visiting: Visiting, live: LivePage, scheme: str, viewport: dict[str, int]
) -> None:
    """WCAG 2.2 A and AA as far as axe-core tells, contrast among them."""
    page = visiting(live, color_scheme=scheme, viewport=viewport, bypass_csp=True).open()
    rules = {
        "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]}
    }

    found = Axe().run(page, options=rules)

    assert [
        (violation["id"], violation["nodes"][0]["html"]) for violation in found.response["violations"]
    ] == []


def test_nothing_is_animated_for_those_who_want_it_so(visiting: Visiting, live: LivePage) -> None:
    page = visiting(live, reduced_motion="reduce").open()

    durations = "[...document.querySelectorAll('*')].map((one) => getComputedStyle(one).transitionDuration)"
    assert set(page.evaluate(durations)) == {"0s"}


def test_a_hidden_page_costs_the_stream_nothing(visiting: Visiting, live: LivePage) -> None:
    visit = visiting(live)
    visit.open()
    state = live.page._state
    visit.until(lambda: len(state.viewers) == 1)

    visit.hide()

    visit.until(lambda: len(state.viewers) == 0)
    before = state.viewers.encodings
    frame = state.newest["door"].frame.index
    visit.until(lambda: state.newest["door"].frame.index > frame + 5)
    assert state.viewers.encodings == before


def test_several_cameras_are_tiles_and_each_can_be_shown_alone(visiting: Visiting, video: Path) -> None:
    with live_page(video, names=("door", "shed")) as live:
        visit = visiting(live)
        page = visit.open()
        expect(page.locator("figure.picture")).to_have_count(2)
        expect(page.locator("#state")).to_contain_text("2 of 2 live")

        page.get_by_role("button", name="Show shed alone").click()

        expect(page.locator("figure.picture")).to_have_count(1)
        expect(page.get_by_role("button", name="shed", exact=True)).to_have_attribute("aria-pressed", "true")
        page.wait_for_selector("canvas[data-frame]")
        assert page.url.endswith("#shed")
        own = live.pipeline.watched["door"].threshold
        page.locator("#threshold").fill("0.45")
        visit.until(lambda: live.pipeline.watched["shed"].threshold == 0.45)
        assert live.pipeline.watched["door"].threshold == own


def test_settings_in_which_cameras_differ_are_shown_from_lowest_to_highest(
    visiting: Visiting, video: Path
) -> None:
    with live_page(video, names=("door", "yard")) as live:
        live.pipeline.watched["door"].adjust(0.2, None)
        live.pipeline.watched["yard"].adjust(0.45, None)
        page = visiting(live).open()
        expect(page.locator("#threshold-value")).to_have_text("20\N{EN DASH}45%")

        page.locator("#threshold").fill("0.3")

        expect(page.locator("#threshold-value")).to_have_text("30%")
        page.get_by_role("button", name="yard", exact=True).click()
        expect(page.locator("#threshold-value")).to_have_text("30%")


def test_a_camera_that_ends_is_told_over_its_last_picture(visiting: Visiting, video: Path) -> None:
    with live_page(video) as live:
        visit = visiting(live)
        page = visit.open()

        live.pipeline._captures["door"].stop(5)

        expect(page.locator(".veil strong")).to_be_visible()
        assert page.locator(".veil strong").inner_text() in ("Ended", "No picture")


def test_a_page_whose_stream_stops_says_so_and_comes_back_with_it(visiting: Visiting, video: Path) -> None:
    with live_page(video) as live:
        visit = visiting(live)
        page = visit.open()
        port = live.port
    expect(page.locator(".veil strong")).to_have_text("Not connected")

    with live_page(video, port=port):
        expect(page.locator("#state")).to_contain_text("live")
    # What Chromium itself says of a stream that has no picture yet.
    visit.complaints = [told for told in visit.complaints if "503" not in told]


def test_a_visitor_logs_in_with_the_token_and_stays_so(visiting: Visiting, video: Path) -> None:
    with live_page(video, token=TOKEN) as live:
        visit = visiting(live, viewport=PHONE)
        page = visit.page
        page.goto(live.page.address)
        page.wait_for_load_state("networkidle")
        assert visit.complaints == []
        page.get_by_label("Token").fill("a wrong one")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_have_text("This is not the token.")

        page.get_by_label("Token").fill(TOKEN)
        page.keyboard.press("Enter")

        page.wait_for_selector("canvas[data-frame]")
        assert TOKEN not in page.url
        assert page.evaluate("document.cookie") == ""
        page.goto(live.url("/login"))
        page.wait_for_selector("canvas[data-frame]")
    # What Chromium itself says of an answer with 401.
    visit.complaints = [told for told in visit.complaints if "401" not in told]
