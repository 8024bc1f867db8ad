"""How a network is trained, by name."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from lightcam_models.augmentation import Augmentation

Optimizer = Literal["adamw", "adam"]
SHORT_TRAINING = 10_000
TRAINING_SHARE = 5 / 7
FEWEST_EPOCHS, MOST_EPOCHS = 4, 60


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained.

    Args:
        optimizer: AdamW with cosine decay after a warm-up, or Adam the same.
        learning_rate: at its peak.
        batch_size: photographs a step.
        epochs: passes over the photographs; as many as show `SHORT_TRAINING` photographs if None.
        weight_decay: of AdamW.
        label_smoothing: share of the target spread over all classes.
        mask_weight: weight of the activation map's loss against the teacher's masks; 0 needs no teacher.
        region_weight: weight of the loss of the class by the foreground alone; needs masks.
        teacher_weight: share of the teacher's class probabilities in the target.
        frozen_blocks: first blocks of an EfficientNet-Lite, with what is before them, that stay as they
            are; training is 2.8 times as fast with 5.
        averaging: share of the training over which the weights are averaged, exponentially (Polyak and
            Juditsky 1992); 0 takes the last ones.
        training_size: side of the training input, in pixels; `TRAINING_SHARE` of the model's input if None.
        augmentation: how much the photographs are varied.
    """

    optimizer: Optimizer = "adamw"
    learning_rate: float = 1e-3
    batch_size: int = 32
    epochs: int | None = None
    weight_decay: float = 0.01
    label_smoothing: float = 0.05
    mask_weight: float = 2.0
    region_weight: float = 0.5
    teacher_weight: float = 0.3
    frozen_blocks: int = 0
    averaging: float = 0.0
    training_size: int | None = None
    augmentation: Augmentation = field(default_factory=Augmentation)

    def resolved(self, photographs: int, **changes: Any) -> "Recipe":
        """The recipe with what the caller wants otherwise, and its number of epochs settled.

        Args:
            photographs: how many there are to train on.
            changes: fields by name; None leaves the recipe's value.
        """
        recipe = replace(self, **{name: value for name, value in changes.items() if value is not None})
        if recipe.epochs is not None:
            return recipe
        epochs = min(MOST_EPOCHS, max(FEWEST_EPOCHS, round(SHORT_TRAINING / max(1, photographs))))
        return replace(recipe, epochs=epochs)


RECIPES = {
    "masks": Recipe(frozen_blocks=5),
    "plain": Recipe(mask_weight=0, teacher_weight=0, augmentation=Augmentation(paste=0)),
    "paper": Recipe(
        optimizer="adam",
        weight_decay=0,
        label_smoothing=0,
        mask_weight=0,
        teacher_weight=0,
        training_size=224,
        augmentation=Augmentation(paste=0),
    ),
}
