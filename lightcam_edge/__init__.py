"""Find objects on small boards with models trained from image-level labels only."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lightcam_edge.box import Box
    from lightcam_edge.localizer import Detection, Localization, Localizer, Options

__version__ = "0.1.0"
__all__ = ["Box", "Detection", "Localization", "Localizer", "Options", "__version__"]


def __getattr__(name: str) -> object:
    """Import the library's classes on first use: `import lightcam_edge` alone stays cheap."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from lightcam_edge import localizer

    return getattr(localizer, name)
