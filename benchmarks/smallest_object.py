"""How small an object may be: cut-outs of one size after another, placed on scenes.

    python benchmarks/smallest_object.py bird-dog ../shared/datasets --model lite --model nano

A cut-out's size is its longer side as a share of that side of the picture. An
object is seen where any box is given, hit where a box's centre lies in the
true box, and boxed at an IoU of 0.5.
"""

from pathlib import Path

import click
import numpy as np

from lightcam_edge.localizer import Localizer
from lightcam_models.evaluation.canvas import Scenes, canvas_hw, compose, open_canvas, place
from lightcam_models.evaluation.cut_outs import CutOut, gather_cut_outs
from lightcam_models.evaluation.evaluating import Request
from lightcam_models.progress import Progress

SHARES = (0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.4)


def judge(localizer: Localizer, cut_out: CutOut, scene: Path, share: float, seed: int) -> np.ndarray:
    """Whether it is seen, seen as what it is, hit, and boxed."""
    placement = place(cut_out, canvas_hw(scene), share, np.random.default_rng(seed))
    found = localizer(compose(open_canvas(scene), [placement]), channels="rgb")
    truth = placement.box
    boxes = [detection.box for detection in found.detections]
    hit = any(
        truth.x0 <= (box.x0 + box.x1) / 2 < truth.x1 and truth.y0 <= (box.y0 + box.y1) / 2 < truth.y1
        for box in boxes
    )
    right = any(box.iou(truth) >= 0.5 for box in boxes)
    return np.array([bool(boxes), bool(boxes) and found.label == cut_out.label, hit, right])


@click.command()
@click.argument("data")
@click.argument("data_root", type=click.Path(path_type=Path, exists=True))
@click.option("--model", "models", multiple=True, default=("lite", "tiny", "nano", "light-cam"))
@click.option("--count", default=150, show_default=True, help="Placements of each size.")
@click.option("--seed", default=0, show_default=True)
def main(data: str, data_root: Path, models: tuple[str, ...], count: int, seed: int) -> None:
    """Print shares in percent, a row for each model and size."""
    localizers = [Localizer(model) for model in models]
    rng = np.random.default_rng(seed)
    scenes = Scenes.in_folder(data_root / "landscape" / "test").files
    cut = gather_cut_outs(data, localizers[0].card, count, rng, Request(data, data_root), Progress()).found
    order = rng.permutation(len(scenes))
    print(f"{count} placements of {len(cut)} cut-outs of {data} for each size, seed {seed}")
    print("model      side  seen  class right  centre in  boxed")
    for name, localizer in zip(models, localizers, strict=True):
        for share in SHARES:
            judged = [
                judge(localizer, cut[i % len(cut)], scenes[order[i % len(scenes)]], share, i)
                for i in range(count)
            ]
            seen, labelled, hit, boxed = 100 * np.mean(judged, axis=0)
            print(f"{name:9} {share:5.0%} {seen:5.1f} {labelled:12.1f} {hit:10.1f} {boxed:6.1f}", flush=True)


if __name__ == "__main__":
    main()
