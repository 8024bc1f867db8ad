"""The page's own files, each under the one path that serves it: no path of a request is ever looked up."""

from dataclasses import dataclass
from importlib.resources import files

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
PATHS = {
    "/": "index.html",
    "/login": "login.html",
    **{
        f"/{name}": name
        for name in (
            "page.css",
            "theme.js",
            "login.js",
            "page.js",
            "connection.js",
            "picture.js",
            "heat.js",
            "charts.js",
            "cameras.js",
            "now.js",
            "settings.js",
            "events.js",
            "icon.svg",
        )
    },
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file as it is served: its path, content and type."""

    path: str
    content: bytes
    content_type: str


def static_files() -> tuple[StaticFile, ...]:
    """Read all files into memory."""
    folder = files(__package__) / "static"
    return tuple(
        StaticFile(path, (folder / name).read_bytes(), TYPES[name.rpartition(".")[2]])
        for path, name in PATHS.items()
    )
