"""A Keras model in the place of the TFLite runtime, for the same path from image to box."""

import json
from pathlib import Path

from lightcam_edge.card import Background, CamSpec, InputSpec, ModelCard
from lightcam_edge.errors import InputError
from lightcam_edge.localizer import Localizer, Options
from lightcam_edge.model_file import ModelFile
from lightcam_models.architectures import multiply_accumulates, parameter_count
from lightcam_models.keras_network import load_network


def load_keras(path: Path, options: Options) -> Localizer:
    """Take a trained `model.keras` with its `training.json` as if it were a model file.

    Raises:
        InputError: if one of the two cannot be read.
        UsageError: if the model does not end in global average pooling and a dense layer.
    """
    note = path.with_name("training.json")
    try:
        known = json.loads(note.read_text())
        labels, name, cam = tuple(known["labels"]), known["background"], known.get("cam", {})
        spec = CamSpec(**{key: cam[key] for key in CamSpec.__dataclass_fields__ if key in cam})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"cannot read the classes of {path} from {note}: {error}") from error
    network = load_network(path)
    card = ModelCard(
        name=f"{path.resolve().parent.name} (Keras)",
        architecture=str(known.get("architecture", network.model.name)),
        labels=labels,
        input=InputSpec(*network.input_hw),
        background=Background(labels.index(name), name) if name else None,
        cam=spec,
        parameters=parameter_count(network.model),
        macs=multiply_accumulates(network.model),
    )
    return Localizer(ModelFile(path, b"", card), options=options, network=network)
