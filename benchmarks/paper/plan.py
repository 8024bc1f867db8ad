"""What is measured of the paper, with what budget, and what the paper gives for it."""

from dataclasses import dataclass
from typing import Any

LIGHT_CAM = "light-cam"
NETWORKS = (LIGHT_CAM, "vgg16", "mobilenet", "resnet50", "inceptionv3")
METHODS = ("cam", "br-avgcam")
THRESHOLD, COMPONENT = 0.2, "largest"
NOT_AT_HAND = "not at hand"
TINY_TRAINING, TINY_TEST = 64, 24
# Networks that have seen little have spiked features, of which int8 keeps too little to compare them by.
QUANTIZATION = {"table2": "int8", "table3": "float16"}


@dataclass(frozen=True, slots=True)
class Experiment:
    """One training, and what is counted of it.

    Args:
        table: which of the paper's.
        row: what it is called there.
        data: the data set's name.
        architecture: the network's.
        boxes: which true boxes it is counted against.
    """

    table: str
    row: str
    data: str
    architecture: str
    boxes: tuple[str, ...] = ("body",)

    @property
    def name(self) -> str:
        """Of its files."""
        return f"{self.table}-{self.row}"


@dataclass(frozen=True, slots=True)
class Budget:
    """What a training may cost, the same for all rows of a table.

    Args:
        epochs: passes over the photographs.
        training_size: side of the training input, in pixels.
        input_size: side of the model's input, in pixels.
        learning_rate: at its peak.
        seed: of the split, the weights, the order and the augmentation.
    """

    epochs: int
    training_size: int
    input_size: int
    learning_rate: float
    seed: int

    @classmethod
    def of(cls, training: dict[str, Any]) -> "Budget":
        """The budget that a `training.json` tells of."""
        recipe = training["recipe"]
        return cls(
            recipe["epochs"],
            recipe["training_size"],
            training["input_size"],
            recipe["learning_rate"],
            training["seed"],
        )


TABLES = {
    "table2": (
        Experiment("table2", "cat-dog", "cat-dog", LIGHT_CAM, ("body", "head")),
        Experiment("table2", "stanford-dogs-10", "stanford-dogs-10", LIGHT_CAM),
        Experiment("table2", "stanford-dogs", "stanford-dogs", LIGHT_CAM),
        Experiment("table2", "bird-dog", "bird-dog", LIGHT_CAM),
    ),
    "table3": tuple(Experiment("table3", network, "bird-dog", network) for network in NETWORKS),
}
# InceptionV3 is the network that needs 75 pixels or more; a map of 3x3 is the least with an inside.
TINY = Budget(epochs=1, training_size=96, input_size=96, learning_rate=1e-3, seed=0)
BUDGETS = {
    "table2": Budget(epochs=20, training_size=224, input_size=224, learning_rate=1e-3, seed=0),
    "table3": Budget(epochs=5, training_size=96, input_size=224, learning_rate=3e-4, seed=0),
}

# Top-1 localization in percent, by data set, network, boxes and method; every other cell is not at hand.
PAPER_LOCALIZATION = {
    ("cat-dog", LIGHT_CAM, "head", "cam"): "about 8, method not at hand",
    ("cat-dog", LIGHT_CAM, "head", "br-avgcam"): "about 8, method not at hand",
    ("bird-dog", LIGHT_CAM, "body", "cam"): "38.58",
    ("bird-dog", LIGHT_CAM, "body", "br-avgcam"): "40.02",
    ("bird-dog", "vgg16", "body", "br-avgcam"): "45.93",
}
PAPER_DENSITY = {(LIGHT_CAM, "cam"): "24.51", (LIGHT_CAM, "br-avgcam"): "25.42"}
PAPER_PARAMETERS = {
    LIGHT_CAM: 1_574_083,
    "vgg16": 14_716_227,
    "mobilenet": 3_231_939,
    "resnet50": 23_593_859,
    "inceptionv3": 21_808_931,
}
