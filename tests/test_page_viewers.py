"""What each viewer gets: the newest picture, once it is ready for one, encoded once for all."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from lightcam_edge.geometry import Fit
from lightcam_edge.images import Photo
from lightcam_edge.localizer import Localization
from lightcam_edge.streaming.messages import CapturedFrame, StreamResult
from lightcam_edge.streaming.page.encoding import Kind
from lightcam_edge.streaming.page.viewers import IN_FLIGHT, Viewers

PIXELS = np.zeros((4, 6, 3), np.uint8)
NOTHING = Localization(
    1,
    "background",
    0.9,
    np.array([0.1, 0.9], np.float32),
    (),
    np.zeros((2, 3), np.float32),
    Fit((4, 6), (4, 6)),
)


def result(index: int, camera: str = "door") -> StreamResult:
    return StreamResult(CapturedFrame(camera, index, Photo(PIXELS, (4, 6)), 0.0, 0), NOTHING, (), 1.0)


class Browser:
    """The far end of a channel: keeps what it gets, and draws when it is told to."""

    def __init__(self, viewers: Viewers, kind: Kind = "full") -> None:
        self.viewers, self.got, self.cut_for = viewers, list[Any](), ""
        viewers.join(self)
        viewers.watch(self, {"door": kind})

    def send(self, message: bytes | str) -> None:
        self.got.append(message)

    def cut(self, reason: str) -> None:
        self.cut_for = reason
        self.viewers.leave(self)

    def draw(self) -> None:
        self.viewers.drawn(self, "door")


class Stream:
    """Results come, and those that a viewer wants are offered, as the page does it."""

    def __init__(self, interval: float = 0.0, patience: float = 10.0) -> None:
        self.newest: dict[str, StreamResult] = {}
        self.viewers = Viewers(self.newest, self.encode, interval, patience)

    def encode(self, result: StreamResult, kind: Kind) -> bytes:
        return f"{kind} {result.frame.index}".encode()

    def come(self, index: int, camera: str = "door") -> None:
        self.newest[camera] = result(index, camera)
        if self.viewers.wants(camera):
            self.viewers.offer(camera)


Story = Callable[[], Awaitable[None]]


def told(story: Story) -> None:
    asyncio.run(asyncio.wait_for(story(), 20))


def test_a_viewer_gets_no_more_pictures_than_it_has_drawn_and_then_the_newest() -> None:
    async def story() -> None:
        stream = Stream()
        browser = Browser(stream.viewers)
        for index in range(10):
            stream.come(index)
        assert browser.got == [f"full {index}".encode() for index in range(IN_FLIGHT)]

        browser.draw()

        assert browser.got[IN_FLIGHT:] == [b"full 9"]

    told(story)


def test_a_picture_is_encoded_once_for_all_who_watch_it() -> None:
    async def story() -> None:
        stream = Stream()
        browsers = [Browser(stream.viewers) for _ in range(10)]
        for index in range(5):
            stream.come(index)
            for browser in browsers:
                browser.draw()

        assert all(browser.got == browsers[0].got for browser in browsers)
        assert len(browsers[0].got) == 5
        assert stream.viewers.encodings == 5

    told(story)


def test_a_tile_and_a_large_picture_are_encoded_apart() -> None:
    async def story() -> None:
        stream = Stream()
        large, tile = Browser(stream.viewers), Browser(stream.viewers, "tile")
        stream.come(0)

        assert (large.got, tile.got) == ([b"full 0"], [b"tile 0"])

    told(story)


def test_nothing_is_encoded_while_nobody_looks() -> None:
    async def story() -> None:
        stream = Stream()
        stream.come(0)
        browser = Browser(stream.viewers)
        assert browser.got == [b"full 0"]
        stream.viewers.leave(browser)

        stream.come(1)

        assert not stream.viewers.wants("door")
        assert stream.viewers.encodings == 1

    told(story)


def test_a_viewer_gets_only_the_cameras_that_it_watches() -> None:
    async def story() -> None:
        stream = Stream()
        browser = Browser(stream.viewers)
        stream.come(0, "garden")
        assert browser.got == []

        stream.viewers.watch(browser, {"garden": "full"})
        stream.come(7)

        assert browser.got == [b"full 0"]

    told(story)


def test_pictures_come_no_faster_than_the_interval_and_then_the_newest() -> None:
    async def story() -> None:
        stream = Stream(interval=0.05)
        browser = Browser(stream.viewers)
        for index in range(4):
            stream.come(index)
        assert browser.got == [b"full 0"]

        while len(browser.got) < 2:
            await asyncio.sleep(0.01)

        assert browser.got == [b"full 0", b"full 3"]

    told(story)


def test_a_viewer_that_draws_nothing_is_cut_off_and_the_others_are_not() -> None:
    async def story() -> None:
        stream = Stream(patience=0.05)
        stuck, quick = Browser(stream.viewers), Browser(stream.viewers)
        stream.come(0)
        quick.draw()
        stream.viewers.cut_off_the_slow()
        assert stuck.cut_for == ""

        await asyncio.sleep(0.1)
        stream.viewers.cut_off_the_slow()

        assert (stuck.cut_for, quick.cut_for) == ("too slow", "")
        assert len(stream.viewers) == 1

    told(story)


@pytest.mark.parametrize("times", [1, 5])
def test_telling_of_pictures_that_were_never_sent_brings_none(times: int) -> None:
    async def story() -> None:
        stream = Stream()
        browser = Browser(stream.viewers)
        for _ in range(times):
            browser.draw()
        for index in range(10):
            stream.come(index)

        assert len(browser.got) == IN_FLIGHT

    told(story)
