"""Whether pictures flow, for whoever restarts a service where they do not."""

from collections.abc import Mapping

from lightcam_edge.streaming.messages import CameraStatus


def unhealthy(
    statuses: Mapping[str, CameraStatus], silent_s: Mapping[str, float], stale_after: float
) -> dict[str, str]:
    """Cameras that give no results, and why.

    Args:
        statuses: by name of the camera.
        silent_s: seconds since each camera's last result; a camera without any is missing.
        stale_after: seconds without a result that are too many.

    Returns:
        The reason by name of the camera; empty where all are well.
    """
    reasons = {
        camera: _reason(status, silent_s.get(camera), stale_after) for camera, status in statuses.items()
    }
    return {camera: reason for camera, reason in reasons.items() if reason}


def _reason(status: CameraStatus, silent_s: float | None, stale_after: float) -> str:
    if status.state != "live":
        return f"{status.state}: {status.reason}" if status.reason else status.state
    if silent_s is None:
        return "no result yet"
    return f"no result for {silent_s:.0f} s" if silent_s > stale_after else ""
