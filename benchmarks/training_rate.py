"""Images a second of training: the bare step, the input pipeline alone, and both together.

    KERAS_BACKEND=tensorflow python benchmarks/training_rate.py lite 160

Run it once a backend to choose between them on a machine.
"""

import os
import time
from collections.abc import Callable
from resource import RUSAGE_SELF, getrusage

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click
import keras
import numpy as np

from lightcam_models.architectures import build_model
from lightcam_models.augmentation import MASK_SIDE, SIDE
from lightcam_models.batches import Batches
from lightcam_models.heap import keep_freed_memory
from lightcam_models.objective import Localizing
from lightcam_models.precision import choose_policy, cpu_description
from lightcam_models.recipes import RECIPES


def rate(images: int, work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return images / (time.perf_counter() - started)


@click.command()
@click.argument("architecture", default="lite")
@click.argument("size", default=160)
@click.option("--steps", default=16)
@click.option("--precision", default="auto")
@click.option("--give-back", is_flag=True, help="Leave the C library's memory as it is; `train` does not.")
def main(architecture: str, size: int, steps: int, precision: str, give_back: bool) -> None:
    if not give_back:
        keep_freed_memory()
    recipe = RECIPES["masks"]
    policy = choose_policy(precision, build_model(architecture, 3, weights=None))
    keras.config.set_dtype_policy(policy)
    model = Localizing(build_model(architecture, 3, input_size=size), 2, mask_weight=2.0)
    model.compile(optimizer=keras.optimizers.AdamW(1e-3), jit_compile=False)
    rng = np.random.default_rng(0)
    images = recipe.batch_size * steps
    pixels = rng.integers(0, 256, (images, SIDE, SIDE, 3), dtype=np.uint8)
    masks = rng.integers(0, 256, (images, MASK_SIDE, MASK_SIDE), dtype=np.uint8)
    batches = Batches(
        pixels,
        masks,
        rng.integers(0, 3, images),
        np.ones(3, np.float32),
        2,
        size,
        recipe.batch_size,
        model.trunk.output_shape[1],
        recipe.augmentation,
    )
    batch = keras.tree.map_structure(keras.ops.convert_to_tensor, batches[0])
    for _ in range(3):
        model.train_on_batch(*batch)
    step = rate(images, lambda: [model.train_on_batch(*batch) for _ in range(steps)])
    pipeline = rate(images, lambda: [batches[index] for index in range(steps)])
    model.fit(batches, epochs=1, verbose=0)
    before = getrusage(RUSAGE_SELF).ru_minflt
    together = rate(images, lambda: model.fit(batches, epochs=1, verbose=0))
    print(f"{architecture} at {size} px, batch {recipe.batch_size}, {keras.backend.backend()}, {policy}")
    print(f"{cpu_description()}")
    print(f"step alone            {step:7.1f} images/s")
    print(f"input pipeline alone  {pipeline:7.1f} images/s, one thread")
    print(f"training              {together:7.1f} images/s, {together / step:.2f} of the step alone")
    used = getrusage(RUSAGE_SELF)
    print(f"page faults           {(used.ru_minflt - before) / images:7.0f} an image")
    print(f"peak memory           {used.ru_maxrss / 1e3:7.0f} MB")


if __name__ == "__main__":
    main()
