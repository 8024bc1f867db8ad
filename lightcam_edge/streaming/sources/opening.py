"""From a source to the camera that reads it."""

from pathlib import Path

from lightcam_edge.errors import RuntimeMissingError
from lightcam_edge.streaming.sources.grammar import CaptureOptions, SourceSpec
from lightcam_edge.streaming.sources.patience import Patience
from lightcam_edge.streaming.sources.reading import Camera


def check_readable(spec: SourceSpec) -> None:
    """Refuse a source that this installation can never read, however long one waits.

    A camera that is only unplugged, or a network that is down, passes.

    Raises:
        RuntimeMissingError: says what is missing, and how to get it.
    """
    if spec.kind == "csi":
        from lightcam_edge.streaming.sources.ribbon_camera import ribbon_problem

        problem = ribbon_problem()
        if problem:
            raise RuntimeMissingError(problem)


def make_camera(spec: SourceSpec, options: CaptureOptions, patience: Patience) -> Camera:
    """Make the camera that reads a source; it is not open yet.

    Args:
        spec: the source.
        options: how pictures are wished for.
        patience: how long it is waited for.
    """
    if spec.kind in ("video", "folder"):
        from lightcam_edge.streaming.sources.recorded import FolderCamera, VideoFileCamera

        recorded = FolderCamera if spec.kind == "folder" else VideoFileCamera
        return recorded(Path(spec.address), options)
    if spec.kind == "mjpeg":
        from lightcam_edge.streaming.sources.http_camera import HttpCamera

        return HttpCamera(spec.address, options, patience)
    if spec.kind == "stdin":
        from lightcam_edge.streaming.sources.pipe_camera import PipedMjpegCamera, RawCamera

        return PipedMjpegCamera(options) if options.pixel_format is None else RawCamera(options)
    if spec.kind == "csi":
        return _ribbon_camera(int(spec.address), options, patience)
    if spec.kind == "rtsp":
        from lightcam_edge.streaming.sources.rtsp_camera import RtspCamera

        return RtspCamera(spec.address, options, patience)
    from lightcam_edge.streaming.sources.usb_camera import UsbCamera

    return UsbCamera(spec.address, options)


def _ribbon_camera(number: int, options: CaptureOptions, patience: Patience) -> Camera:
    from lightcam_edge.streaming.sources.boards import is_jetson
    from lightcam_edge.streaming.sources.ribbon_camera import ArgusCamera, PiCamera

    return ArgusCamera(number, options) if is_jetson() else PiCamera(number, options, patience)
