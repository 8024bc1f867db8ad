"""Home Assistant's MQTT discovery: one device a camera, whose entities appear by themselves.

https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

import json
from typing import Any

from lightcam_edge import __version__
from lightcam_edge.streaming.mqtt_topics import Topics, topic_name

BIRTH = "online"
NAME = "lightcam-edge"


def birth_topics(discovery_prefix: str) -> tuple[str, ...]:
    """Where Home Assistant says that it has started.

    On `homeassistant/status`, which does not change with its discovery prefix; below the prefix only if its
    birth message was set so too.
    """
    return tuple(dict.fromkeys(("homeassistant/status", f"{discovery_prefix}/status")))


def discovery_topic(discovery_prefix: str, device_id: str, camera: str) -> str:
    """Where the camera's device is described.

    Args:
        discovery_prefix: Home Assistant's, `homeassistant` unless it was changed there.
        device_id: of this board; letters, digits, `_` and `-`.
        camera: its name, or `+` for the topics of all cameras of the board.
    """
    name = camera if camera == "+" else topic_name(camera)
    return f"{discovery_prefix}/device/{device_id}/{name}/config"


def discovery_payload(topics: Topics, device_id: str, camera: str, model: str) -> bytes:
    """Describe a camera: presence, label, score, snapshot and frames a second.

    An empty payload on the same topic takes the device away again.

    Args:
        topics: of this board.
        device_id: of this board.
        camera: its name.
        model: name of the model it uses.
    """
    unique = f"{device_id}_{topic_name(camera)}"
    components = _components(topics, camera)
    payload = {
        "device": {
            "identifiers": [unique],
            "name": f"LightCAM {camera}",
            "manufacturer": NAME,
            "model": model,
            "sw_version": __version__,
        },
        "origin": {"name": NAME, "sw_version": __version__},
        "availability": [{"topic": topics.availability}, {"topic": topics.camera(camera).availability}],
        "availability_mode": "all",
        "qos": 1,
        "components": {
            name: {"unique_id": f"{unique}_{name}", **component} for name, component in components.items()
        },
    }
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def _components(topics: Topics, camera: str) -> dict[str, dict[str, Any]]:
    own = topics.camera(camera)
    return {
        "presence": {
            "platform": "binary_sensor",
            "name": "Presence",
            "device_class": "occupancy",
            "state_topic": own.state,
            "value_template": "{{ value_json.presence }}",
            "json_attributes_topic": own.state,
        },
        "label": {
            "platform": "sensor",
            "name": "Label",
            "icon": "mdi:tag-outline",
            "state_topic": own.state,
            "value_template": "{{ value_json.label or 'nothing' }}",
        },
        "score": {
            "platform": "sensor",
            "name": "Score",
            "icon": "mdi:percent-outline",
            "unit_of_measurement": "%",
            "state_class": "measurement",
            "state_topic": own.state,
            # "None" is how a sensor with a unit becomes unknown.
            "value_template": "{{ (value_json.score * 100) | round | int if value_json.count else 'None' }}",
        },
        "snapshot": {
            "platform": "image",
            "name": "Snapshot",
            "content_type": "image/jpeg",
            "image_topic": own.snapshot,
        },
        "frame_rate": {
            "platform": "sensor",
            "name": "Frame rate",
            "icon": "mdi:speedometer",
            "unit_of_measurement": "fps",
            "state_class": "measurement",
            "entity_category": "diagnostic",
            "state_topic": own.diagnostics,
            "value_template": "{{ value_json.process_fps }}",
        },
    }
