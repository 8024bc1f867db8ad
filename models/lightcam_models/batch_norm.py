"""Batch normalization statistics as the finished network will meet them."""

from collections.abc import Collection

import keras

from lightcam_models.batches import Batches

BATCHES = 20


def recompute_batch_norm(network: keras.Model, batches: Batches, learnt: Collection[str]) -> None:
    """Take the statistics of batch normalization anew, at the input size that the device will use.

    Training leaves moving averages over smaller photographs, in which objects
    look larger than they will (Touvron et al. 2019, arXiv:1906.06423): a
    MobileNet trained at 96 px takes everything for background at 224. Here each
    average becomes the mean over batches under the final weights, "precise BN"
    (Wu and Johnson 2021, arXiv:2105.07576).

    Args:
        network: the trained network at its input size; its statistics are changed in place.
        batches: training photographs of that size; `BATCHES` of them are seen.
        learnt: names of the layers that were trained; the others keep their statistics.
    """
    norms = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    before = [(layer, layer.trainable, layer.momentum) for layer in norms]
    for layer in norms:
        layer.trainable = layer.name in learnt  # what is not trainable uses its statistics and keeps them
    if any(layer.trainable for layer in norms):
        for seen in range(BATCHES):
            if seen and seen % len(batches) == 0:
                batches.on_epoch_end()
            for layer in norms:
                layer.momentum = seen / (seen + 1)
            network(batches[seen % len(batches)][0], training=True)
    for layer, trainable, momentum in before:
        layer.trainable, layer.momentum = trainable, momentum
