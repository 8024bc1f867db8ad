"""What the live page answers to each request."""

import asyncio
import json
import math
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NoReturn

from tornado.web import Finish, RequestHandler
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from lightcam_edge.choices import METHODS
from lightcam_edge.errors import LightcamError, UsageError
from lightcam_edge.streaming.page.metrics import CONTENT_TYPE
from lightcam_edge.streaming.page.security import COOKIE, HEADERS, SESSION_SECONDS, Gate
from lightcam_edge.streaming.page.state import PageState
from lightcam_edge.streaming.page.static_files import StaticFile

JSON = "application/json"
TRY_AGAIN_LATER, UNSUPPORTED = 1013, 1003  # WebSocket close codes (RFC 6455, IANA)


class Guarded(RequestHandler):
    """Lets a request through only from the right host, visitor and page."""

    public = False

    def initialize(self, state: PageState, gate: Gate) -> None:
        """Take what all requests share."""
        self.state, self.gate = state, gate

    def set_default_headers(self) -> None:
        """Send the strict headers with every answer, errors too."""
        for name, value in HEADERS.items():
            self.set_header(name, value)
        self.set_header("Cache-Control", "no-store")
        self.clear_header("Server")

    def prepare(self) -> None:
        """Check the request before anything else looks at it."""
        if not self.gate.host_allowed(self.request.host):
            self.refuse(421, "this page is served under the name localhost only")
        if self.request.method != "GET":
            self.check_origin_header()
        if not (self.public or self.known()):
            self.set_header("WWW-Authenticate", "Bearer")
            self.refuse(401, "log in, or send the token as a bearer")

    def check_origin_header(self) -> None:
        """Refuse what another site's page sends."""
        headers = self.request.headers
        address = f"{self.request.protocol}://{self.request.host}"
        if not self.gate.origin_allowed(headers.get("Origin"), headers.get("Sec-Fetch-Site"), address):
            self.refuse(403, "only the page itself may ask for this")

    def known(self) -> bool:
        """Whether the visitor has shown the token, now or earlier."""
        authorization = self.request.headers.get("Authorization", "")
        if authorization:
            self.check_pause()
        known = self.gate.knows_token(authorization, self.get_cookie(COOKIE) or "")
        if authorization and not known:
            self.gate.refused(self.address)
        return known

    @property
    def address(self) -> str:
        """IP address of the visitor."""
        return self.request.remote_ip or ""

    def check_pause(self) -> None:
        """Refuse an address that has guessed too often."""
        if (pause := self.gate.pause(self.address)) > 0:
            self.set_header("Retry-After", str(math.ceil(pause)))
            self.refuse(429, "too many wrong tokens: wait a minute")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Tell what Tornado itself found wrong as JSON."""
        self.answer({"error": self._reason.lower()})

    def answer(self, content: Mapping[str, Any]) -> None:
        """Answer with a JSON object."""
        self.set_header("Content-Type", JSON)
        self.finish(json.dumps(content, ensure_ascii=False))

    def refuse(self, status: int, message: str) -> NoReturn:
        """Answer with an error; nothing after it is done."""
        self.set_status(status)
        self.answer({"error": message})
        raise Finish

    def camera(self, name: str | None) -> str:
        """The camera of a name; the only one where none is given."""
        cameras = self.state.controls.cameras
        if name is None and len(cameras) == 1:
            return cameras[0]
        if name not in cameras:
            self.refuse(404, "there is no such camera")
        return name

    def asked(self, *keys: str) -> dict[str, Any]:
        """The JSON object of a POST, which may have these keys and no others."""
        if self.request.headers.get("Content-Type", "").partition(";")[0].strip() != JSON:
            self.refuse(415, "send a JSON object")
        try:
            asked = json.loads(self.request.body)
        except (ValueError, RecursionError):
            self.refuse(400, "this is not JSON")
        if not isinstance(asked, dict) or set(asked) - set(keys):
            self.refuse(400, f"send an object with {', '.join(keys)}")
        return asked


class File(Guarded):
    """One of the page's own files."""

    public = True

    def initialize(  # type: ignore[override]  # Tornado hands each route its own arguments
        self, state: PageState, gate: Gate, file: StaticFile
    ) -> None:
        """Take the file."""
        super().initialize(state, gate)
        self.file = file

    def get(self) -> None:
        """Answer with it; the browser asks each time whether it has changed."""
        if self.file.path == "/" and not self.known():
            self.redirect("/login")
            return
        self.set_header("Content-Type", self.file.content_type)
        self.set_header("Cache-Control", "no-cache")
        self.finish(self.file.content)


class LogIn(Guarded):
    """Takes the token for a cookie."""

    public = True

    def get(self) -> None:
        """Whether the visitor is logged in."""
        self.answer({"known": self.known()})

    def post(self) -> None:
        """Log in."""
        self.check_pause()
        token = self.asked("token").get("token")
        cookie = self.gate.log_in(token if isinstance(token, str) else "", self.address)
        if cookie is None:
            self.refuse(401, "this is not the token")
        secure = self.request.protocol == "https"
        self.set_cookie(
            COOKIE, cookie, httponly=True, samesite="Strict", secure=secure, max_age=SESSION_SECONDS
        )
        self.answer({})


class LogOut(Guarded):
    """Takes the cookie away."""

    def post(self) -> None:
        """Log out."""
        self.clear_cookie(COOKIE)
        self.answer({})


class Health(Guarded):
    """Whether results come from every camera."""

    public = True

    def get(self) -> None:
        """200, or 503 with the reasons; a visitor without the token is not told those."""
        reasons = self.state.unhealthy()
        self.set_status(503 if reasons else 200)
        told = {"reasons": reasons} if reasons and self.known() else {}
        self.answer({"status": "unhealthy" if reasons else "ok", **told})

    def head(self) -> None:
        """The same without its content, for programs that want the status only."""
        self.get()


class Metrics(Guarded):
    """Figures for Prometheus."""

    def get(self) -> None:
        """All of them."""
        self.set_header("Content-Type", CONTENT_TYPE)
        self.finish(self.state.metrics())


class Latest(Guarded):
    """The newest results as JSON lines."""

    def get(self) -> None:
        """One line a camera, or that of one camera."""
        name = self.get_query_argument("camera", None)
        cameras = self.state.controls.cameras if name is None else (self.camera(name),)
        self.set_header("Content-Type", "application/x-ndjson")
        self.finish(self.state.records(cameras))


class Snapshot(Guarded):
    """The newest picture as a file."""

    async def get(self) -> None:
        """A JPEG; `boxes=0` leaves the boxes out, and `heat=1` lays the map over it."""
        camera = self.camera(self.get_query_argument("camera", None))
        boxes, heat = (self.get_query_argument(name, "") for name in ("boxes", "heat"))
        content = await asyncio.to_thread(self.state.snapshot, camera, boxes != "0", heat == "1")
        if content is None:
            self.refuse(503, "there is no picture yet")
        name = re.sub(r"[^A-Za-z0-9_-]+", "-", camera).strip("-") or "camera"
        name += time.strftime("-%Y%m%d-%H%M%S.jpg")
        self.set_header("Content-Type", "image/jpeg")
        self.set_header("Content-Disposition", f'attachment; filename="{name}"')
        self.finish(content)


class Settings(Guarded):
    """Threshold and method of each camera."""

    def get(self) -> None:
        """Those in use."""
        self.answer(self.state.all_settings())

    def post(self) -> None:
        """Change those of a camera from the next picture on."""
        asked = self.asked("camera", "threshold", "method")
        camera = self.camera(asked.get("camera"))
        try:
            self.state.adjust(camera, _threshold(asked.get("threshold")), _method(asked.get("method")))
        except UsageError as error:
            self.refuse(400, str(error))
        self.answer(self.state.settings_of(camera))


def _threshold(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise UsageError(f"threshold {value!r} is no number in [0, 1)")
    return float(value)


def _method(value: Any) -> Any:
    if value not in (None, *METHODS):
        raise UsageError(f"method {value!r} is none of {', '.join(METHODS)}")
    return value


class SaveToCard(Guarded):
    """Keeps a camera's settings in the model file."""

    async def post(self) -> None:
        """Write them."""
        camera = self.camera(self.asked("camera").get("camera"))
        try:
            await asyncio.to_thread(self.state.controls.save_to_card, camera)
        except LightcamError as error:
            self.refuse(409, str(error))
        self.answer({})


class Missing(Guarded):
    """Any other path."""

    public = True

    def prepare(self) -> None:
        """Say that there is nothing."""
        super().prepare()
        self.refuse(404, "there is nothing here")


class Live(Guarded, WebSocketHandler):
    """One open page: takes what it wants to watch, and sends that."""

    def check_origin(self, origin: str) -> bool:
        """Refuse what another site's page opens."""
        headers = self.request.headers
        address = f"{self.request.protocol}://{self.request.host}"
        return self.gate.origin_allowed(origin, headers.get("Sec-Fetch-Site"), address)

    def open(self, *_: str, **__: str) -> None:
        """Greet the viewer."""
        if len(self.state.viewers) >= self.state.settings.max_viewers:
            self.close(TRY_AGAIN_LATER, "too many viewers")
            return
        self.set_nodelay(True)
        self.state.viewers.join(self)
        self.send(self.state.greeting())

    def on_message(self, message: str | bytes) -> None:
        """Take `{"watch": {camera: kind}}` or `{"drawn": camera}`."""
        try:
            self._take(json.loads(message))
        except (ValueError, TypeError, AttributeError, RecursionError):
            self.cut("this is not understood", UNSUPPORTED)

    def _take(self, told: dict[str, Any]) -> None:
        if "drawn" in told:
            self.state.viewers.drawn(self, str(told["drawn"]))
            return
        wanted = told.get("watch", {}).items()
        if any(
            camera not in self.state.controls.cameras or kind not in ("full", "tile")
            for camera, kind in wanted
        ):
            raise ValueError
        self.state.viewers.watch(self, dict(wanted))

    def send(self, message: bytes | str) -> None:
        """See `Channel`."""
        with suppress(WebSocketClosedError):
            sent = self.write_message(message, binary=isinstance(message, bytes))
            sent.add_done_callback(lambda done: done.cancelled() or done.exception())

    def cut(self, reason: str, code: int = TRY_AGAIN_LATER) -> None:
        """See `Channel`."""
        self.state.viewers.leave(self)
        self.close(code, reason)

    def on_close(self) -> None:
        """Forget the viewer."""
        self.state.viewers.leave(self)
