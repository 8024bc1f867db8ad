"""Readers for labelled photographs: folders of the user, public data sets, shards; no Keras needed."""

from lightcam_models.datasets.dataset import Dataset, Example, Split, read_bytes, split_validation
from lightcam_models.datasets.loading import NAMED, load_dataset
from lightcam_models.datasets.public import PetBoxes
from lightcam_models.datasets.shards import iter_webdataset, webdataset_labels

__all__ = [
    "NAMED",
    "Dataset",
    "Example",
    "PetBoxes",
    "Split",
    "iter_webdataset",
    "load_dataset",
    "read_bytes",
    "split_validation",
    "webdataset_labels",
]
