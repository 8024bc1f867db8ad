"""From labelled photographs to a trained Keras model."""

import csv
import json
import platform
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from lightcam_edge.errors import UsageError
from lightcam_edge.model_file import write_atomically
from lightcam_models import efficientnet_lite
from lightcam_models.architectures import build_model, load_backbone, localization_head
from lightcam_models.batch_norm import recompute_batch_norm
from lightcam_models.batches import Batches, decode_photographs
from lightcam_models.datasets import Dataset, split_validation
from lightcam_models.evaluation.metrics import EMPTY_SHARE, presence_level, presence_source
from lightcam_models.heap import keep_freed_memory
from lightcam_models.objective import Localizing
from lightcam_models.pictures import contact_sheet, training_curves
from lightcam_models.precision import choose_policy, cpu_description
from lightcam_models.progress import Progress
from lightcam_models.pseudo_labels import add_pseudo_labels
from lightcam_models.recipes import TRAINING_SHARE, Recipe
from lightcam_models.teacher import (
    Lesson,
    Trunk,
    calibrate,
    localize_all,
    read_lesson,
    teach,
)
from lightcam_models.training_progress import TrainingProgress

UInt8 = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be trained.

    Args:
        dataset: training photographs with their labels.
        out: folder for everything that is written.
        architecture: name of the network.
        recipe: how it is trained, with its number of epochs settled.
        input_size: side of the model's input in pixels; the architecture's own if None.
        options: of the architecture.
        backbone: saved model whose layers it starts from, or None.
        unlabelled: folder of more training photographs, see `add_pseudo_labels`, or None.
        teacher: what makes the masks, see `teach`; the ImageNet networks if empty.
        validation_share: of the photographs of each class, held out.
        seed: of the split, the weights, the order and the augmentation.
        precision: Keras dtype policy, or `auto` to choose by measuring.
        empty_share: of the held-out background photographs, whose maps stay below the card's presence.
    """

    dataset: Dataset
    out: Path
    architecture: str
    recipe: Recipe
    input_size: int | None = None
    options: Mapping[str, Any] | None = None
    backbone: Path | None = None
    unlabelled: Path | None = None
    teacher: Sequence[str] = ()
    validation_share: float = 0.1
    seed: int = 0
    precision: str = "auto"
    empty_share: float = EMPTY_SHARE

    def fingerprint(self) -> dict[str, Any]:
        """What must not differ when a training goes on."""
        return {
            "architecture": self.architecture,
            "options": dict(self.options or {}),
            "input_size": self.input_size,
            "recipe": json.loads(json.dumps(asdict(self.recipe))),
            "data": self.dataset.digest,
            "backbone": self.backbone and str(self.backbone),
            "unlabelled": self.unlabelled and str(self.unlabelled),
            "teacher": list(self.teacher),
            "validation_share": self.validation_share,
            "seed": self.seed,
        }


@dataclass(frozen=True, slots=True)
class Photographs:
    """Decoded photographs of one split, and what the teacher says of them."""

    pixels: UInt8
    targets: Int64
    lesson: Lesson | None


def train(order: Order, resume: bool = False, progress: Progress | None = None) -> Path:
    """Train a network and write `model.keras` with everything needed to repeat it.

    Beside the model the folder gets `training.json` (labels, recipe, data,
    versions, results), `images.txt` (the photographs, for calibration),
    `history.csv`, `curve.png` and, with a teacher, `masks.png` and `lesson.npz`, which can
    teach another training on the same photographs. A training that is cut off
    leaves its state in `state/`.

    Args:
        order: what is to be trained.
        resume: go on where the same training in the same folder stopped.
        progress: where to tell how far it is.

    Returns:
        Path of the Keras model.

    Raises:
        UsageError: if the folder holds another training, or one and `resume` is not set.
    """
    progress = progress or Progress()
    state = order.out / "state"
    _claim(order, state, resume)
    keep_freed_memory()
    keras.utils.set_random_seed(order.seed)
    started = time.time()
    training, validation = _prepare(order, state, progress)
    policy = choose_policy(order.precision, _network(order, None))
    history, model = _fit(order, state, training, validation, policy, progress)
    final = _final_network(order, model, training)
    results = _assess(order, final, validation, progress)
    _write(order, final, history, results, model, policy, time.time() - started)
    shutil.rmtree(state)
    return order.out / "model.keras"


def _claim(order: Order, state: Path, resume: bool) -> None:
    note = state / "order.json"
    if (order.out / "model.keras").exists():
        raise UsageError(f"{order.out} holds a finished training: take another --out, or remove it")
    if note.exists():
        if not resume:
            raise UsageError(f"{order.out} holds an unfinished training: add --resume, or take another --out")
        known = json.loads(note.read_text())
        if changed := sorted(key for key, value in order.fingerprint().items() if known.get(key) != value):
            raise UsageError(f"{order.out} was trained with another {', '.join(changed)}: take another --out")
    state.mkdir(parents=True, exist_ok=True)
    write_atomically(note, json.dumps(order.fingerprint()).encode())


def _prepare(order: Order, state: Path, progress: Progress) -> tuple[Photographs, Photographs]:
    """Decode training photographs first and validation photographs after, so that each part is a view."""
    dataset = order.dataset.absolute() if order.unlabelled else order.dataset
    training, validation = split_validation(dataset, order.validation_share, order.seed)
    if order.unlabelled:
        training = add_pseudo_labels(training, validation, order.unlabelled, order.out, progress)
    everything = replace(training, examples=training.examples + validation.examples)
    pixels, dataset = decode_photographs(everything, state, progress)
    targets = np.array([dataset.labels.index(example.label) for example in dataset.examples])
    lesson = _lesson(order, dataset, pixels, targets, progress) if order.recipe.mask_weight else None
    held_out = {id(example) for example in validation.examples}
    count = sum(id(example) not in held_out for example in dataset.examples)
    parts = (
        Photographs(pixels[part], targets[part], lesson and lesson.part(part))
        for part in (slice(count), slice(count, None))
    )
    return next(parts), next(parts)


def _lesson(order: Order, dataset: Dataset, pixels: UInt8, targets: Int64, progress: Progress) -> Lesson:
    names = [example.name_in(dataset.root) for example in dataset.examples]
    file = order.out / "lesson.npz"
    if file.exists():
        return read_lesson(file, names)
    lesson = teach(pixels, targets, names, dataset.labels, dataset.background_index, order.teacher, progress)
    lesson.save(file, names)
    objects = np.flatnonzero(lesson.masks.any(axis=(1, 2)))
    shown = np.random.default_rng(order.seed).permutation(objects)[:60]
    contact_sheet(pixels[shown], lesson.masks[shown], order.out / "masks.png")
    return lesson


def _network(order: Order, size: int | None) -> keras.Model:
    return build_model(
        order.architecture, len(order.dataset.labels), input_size=size, **(order.options or {})
    )


def _fit(
    order: Order, state: Path, training: Photographs, validation: Photographs, policy: str, progress: Progress
) -> tuple[list[dict[str, float]], Localizing]:
    recipe, background = order.recipe, order.dataset.background_index
    full = order.input_size or _network(order, None).input_shape[1]
    size = recipe.training_size or round(full * TRAINING_SHARE / 32) * 32
    keras.config.set_dtype_policy(policy)
    try:
        network = _network(order, size)
    finally:
        keras.config.set_dtype_policy("float32")
    if order.backbone:
        filled = load_backbone(network, order.backbone)
        progress.line(f"backbone {order.backbone}: {filled} layers filled")
    efficientnet_lite.freeze(network, recipe.frozen_blocks)
    model = Localizing(
        network,
        background,
        recipe.mask_weight,
        recipe.region_weight,
        recipe.teacher_weight,
        recipe.label_smoothing,
    )
    history, first_epoch = _restore(model, state)
    batches = _batches(order, training, model, size, True, first_epoch)
    held_out = _batches(order, validation, model, size, False)
    steps = len(batches)
    jit = keras.backend.backend() == "jax"  # TensorFlow trains lite 8 times slower with it on a CPU
    model.compile(optimizer=_optimizer(recipe, steps), jit_compile=jit)
    _restore_weights(model, state)
    model.fit(
        batches,
        validation_data=held_out,
        initial_epoch=first_epoch,
        epochs=recipe.epochs,
        shuffle=False,  # the batches shuffle themselves, the same way after a resumption
        verbose=0,
        callbacks=[
            Checkpoints(state, history),
            TrainingProgress(progress, recipe.epochs or 0, steps, recipe.batch_size, first_epoch),
        ],
    )
    return history, model


def _batches(
    order: Order, part: Photographs, model: Localizing, size: int, augmented: bool, epoch: int = 0
) -> Batches:
    counts = np.bincount(part.targets, minlength=len(order.dataset.labels))
    weights = counts.sum() / np.maximum(counts, 1) / np.count_nonzero(counts)
    return Batches(
        part.pixels,
        part.lesson.masks if part.lesson else None,
        part.targets,
        np.sqrt(weights).astype(np.float32),
        order.dataset.background_index,
        size,
        order.recipe.batch_size,
        model.trunk.output_shape[1],
        order.recipe.augmentation if augmented else None,
        part.lesson.scores if part.lesson else None,
        part.lesson.certainty if part.lesson else None,
        order.seed,
        epoch,
    )


def _optimizer(recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    total = steps * (recipe.epochs or 0)
    warmup = min(total // 5, 200)
    rate = keras.optimizers.schedules.CosineDecay(
        recipe.learning_rate / 25,
        max(1, total - warmup),
        alpha=1e-2,
        warmup_target=recipe.learning_rate,
        warmup_steps=warmup,
    )
    averaged = recipe.averaging * total
    ema = {"use_ema": True, "ema_momentum": 1 - 1 / averaged} if averaged > 1 else {}
    if recipe.optimizer == "adam":
        return keras.optimizers.Adam(rate, **ema)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay, **ema)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "map_scale"])
    return optimizer


class Checkpoints(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps weights, optimizer and history after each epoch, so that a training that is cut off can go on.

    Args:
        state: folder of the files.
        history: epochs so far; grows by one an epoch.
    """

    def __init__(self, state: Path, history: list[dict[str, float]]) -> None:
        super().__init__()
        self.state, self.history = state, history

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Save the weights under a new name, then point to them: a cut leaves the old or the new state."""
        self.history.append(
            {"epoch": epoch + 1, **{key: float(value) for key, value in (logs or {}).items()}}
        )
        name = f"epoch-{epoch + 1}.weights.h5"
        self.model.save_weights(self.state / name)
        write_atomically(self.state / "epochs.json", json.dumps(self.history).encode())
        for old in self.state.glob("epoch-*.weights.h5"):
            if old.name != name:
                old.unlink()


def _restore(model: Localizing, state: Path) -> tuple[list[dict[str, float]], int]:
    note = state / "epochs.json"
    history: list[dict[str, float]] = json.loads(note.read_text()) if note.exists() else []
    return history, len(history)


def _restore_weights(model: Localizing, state: Path) -> None:
    saved = sorted(state.glob("epoch-*.weights.h5"))
    note = state / "epochs.json"
    if saved and note.exists():
        epoch = len(json.loads(note.read_text()))
        model.optimizer.build(model.trainable_variables)
        model.load_weights(state / f"epoch-{epoch}.weights.h5")


def _final_network(order: Order, model: Localizing, training: Photographs) -> keras.Model:
    """The trained network at the model's input size, in float32, with statistics that belong to it."""
    final = build_model(
        order.architecture,
        len(order.dataset.labels),
        input_size=order.input_size,
        weights=None,
        **(order.options or {}),
    )
    final.set_weights(model.network.get_weights())
    if final.input_shape == model.network.input_shape and not order.recipe.averaging:
        return final
    learnt = {layer.name for layer in model.network.layers if layer.trainable}
    recipe = replace(order.recipe, augmentation=replace(order.recipe.augmentation, paste=0.0))
    whole = _batches(replace(order, recipe=recipe), training, model, final.input_shape[1], True)
    recompute_batch_norm(final, whole, learnt)
    return final


def _assess(order: Order, final: keras.Model, validation: Photographs, progress: Progress) -> dict[str, Any]:
    """Accuracy, and the box rule that agrees best with the teacher, on photographs held out from training."""
    trunk = Trunk.of(final)
    background = order.dataset.background_index
    scores, cams = localize_all(trunk, validation.pixels, validation.targets, background, progress)
    accuracy = float((scores.argmax(axis=1) == validation.targets).mean())
    method = "cam" if background is None else "br-avgcam"
    cam: dict[str, Any] = {"method": method, "stage": localization_head(final).stage}
    results: dict[str, Any] = {"validation_accuracy": accuracy, "validation_images": len(scores)}
    if validation.lesson is not None and validation.lesson.masks.any():
        rule, agreement = calibrate(cams, validation.lesson.masks, trunk.input_hw)
        source = (
            f"agreement with the teacher's masks of {len(cams)} held-out training photographs, no box used"
        )
        cam |= {"threshold": rule.threshold, "component": rule.component, "threshold_source": source}
        cam["score"] = "region"
        results["mean_iou_with_teacher"] = agreement
        if scenes := int((validation.targets == background).sum()):
            is_scene = validation.targets == background
            cam["presence"] = presence_level(cams[is_scene], cams[~is_scene], order.empty_share)
            cam["presence_source"] = presence_source(scenes, order.empty_share)
    progress.line(f"validation: accuracy {accuracy:.1%} of {len(scores)} photographs; {cam}")
    return {"cam": cam, "results": results}


def _write(
    order: Order,
    final: keras.Model,
    history: list[dict[str, float]],
    results: Mapping[str, Any],
    model: Localizing,
    policy: str,
    seconds: float,
) -> None:
    out, dataset = order.out, order.dataset
    keys = list(dict.fromkeys(key for epoch in history for key in epoch))
    with (out / "history.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, keys)
        writer.writeheader()
        writer.writerows(history)
    training_curves(history, out / "curve.png")
    files = sorted(f"{example.path.resolve()}\n" for example in dataset.examples if example.member is None)
    write_atomically(out / "images.txt", "".join(files).encode())
    scale = float(keras.ops.convert_to_numpy(model.map_scale))
    described = {
        **order.fingerprint(),
        "labels": dataset.labels,
        "background": dataset.background,
        "input_size": final.input_shape[1],
        **results,
        "map_scale": scale if order.recipe.mask_weight else None,
        "data": {
            "name": dataset.name,
            "digest": dataset.digest,
            "terms": dataset.terms,
            "images": len(dataset.examples),
        },
        "minutes": round(seconds / 60, 1),
        "precision": policy,
        "versions": {
            "keras": keras.version(),
            "backend": f"{keras.backend.backend()} {version(keras.backend.backend())}",
            "python": platform.python_version(),
        },
        "cpu": cpu_description(),
    }
    write_atomically(out / "training.json", json.dumps(described, indent=1).encode())
    temporary = out / ".model.part.keras"
    final.save(temporary)
    temporary.replace(out / "model.keras")
