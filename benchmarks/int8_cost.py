"""What int8 costs a bundled file whose Keras model is not at hand, from the file alone.

    python benchmarks/int8_cost.py lite runs/int8-cost
    lightcam-edge evaluate runs/int8-cost/lite/model.keras runs/int8-cost/lite-*/model.keras \\
        lite bird-dog --data-root ../shared/datasets

The first Keras model has the file's own weights: what the file has right more
or less than it is what rounding the features costs. The others have weights
drawn evenly from those that would be rounded to the file's, of which its own
Keras model was one: what they have right more or less than the first is what an
error of rounding's size and shape costs. Trained weights may be better than
such a draw.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "peers"))

from rebuild import rebuilt

from lightcam_edge.model_file import read_model


@click.command()
@click.argument("name")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--draws", default=3, show_default=True, help="Models whose weights round to the file's.")
def main(name: str, out: Path, draws: int) -> None:
    """Write OUT/NAME and OUT/NAME-1, -2, ... with a model.keras and its training.json."""
    card = read_model(name).card
    known = {
        "architecture": card.architecture,
        "labels": card.labels,
        "background": card.background.label if card.background else None,
        "cam": asdict(card.cam),
    }
    for draw in range(draws + 1):
        folder = out / (f"{name}-{draw}" if draw else name)
        folder.mkdir(parents=True, exist_ok=True)
        rebuilt(name, np.random.default_rng(draw) if draw else None).save(folder / "model.keras")
        (folder / "training.json").write_text(json.dumps(known))


if __name__ == "__main__":
    main()
