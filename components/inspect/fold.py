"""One fold's predictions: the network trained on the other folds, asked of the examples that it never saw."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf

from components.train.device import find_device, set_threads
from components.train.examples.split import TrainingSplit
from components.train.loop import Loop
from components.train.request import TrainRequest, recipe_of
from components.train.train import make_trainee
from deep_mnist.data.dataset import Preprocessing

SCORED = 1000  # examples at a time
# A recipe of many passes is cut: to rank labels takes less than the last tenth of a percent of accuracy, and passes
# over wrong labels teach them.
SHARE_OF_EPOCHS = 0.5


def epochs_of_fold(request: TrainRequest, device: str = "CPU") -> int:
    """Return how many passes one fold's training makes: those requested, else half of the recipe's."""
    return request.epochs or max(1, round(SHARE_OF_EPOCHS * recipe_of(request, device).epochs))


def predict_fold(
    split: TrainingSplit, held_out: np.ndarray, request: TrainRequest, record: Preprocessing | None
) -> np.ndarray:
    """Return float32 (held-out examples, classes): the probabilities of a network that was trained on the others.

    Args:
        split: All examples, as the network takes them.
        held_out: bool (n,), the fold's examples.
        request: Network, or the user's own model, epochs and seed.
        record: What preprocess did; needed for a user's own model.
    """
    set_threads(recipe_of(request, "CPU").parts)
    device = find_device(require_gpu=False)
    recipe = replace(recipe_of(request, device.kind), epochs=epochs_of_fold(request, device.kind))
    keras.utils.set_random_seed(request.seed)
    trainee = make_trainee(request, recipe, record, device)
    rows = np.flatnonzero(~held_out)
    loop = Loop(
        trainee, recipe, TrainingSplit(split.images[rows], split.labels[rows]), seed=request.seed, device=device
    )
    for epoch in range(recipe.epochs):
        loop.run(epoch, 0, loop.steps_per_epoch)
    loop.sums.numpy()  # waits for the device
    return _probabilities(trainee.finish(), split.images[np.flatnonzero(held_out)])


def _probabilities(model: keras.Model, images: np.ndarray) -> np.ndarray:
    forward = tf.function(lambda some: model(some, training=False), reduce_retracing=True, autograph=False)
    parts = [forward(tf.constant(images[at : at + SCORED])).numpy() for at in range(0, len(images), SCORED)]
    scores = np.concatenate(parts).astype(np.float32)
    return scores if _are_probabilities(scores) else np.asarray(tf.nn.softmax(scores))


def _are_probabilities(scores: np.ndarray) -> bool:
    """Whether rows are probabilities; else they are logits."""
    return bool(scores.min() >= 0 and np.abs(scores.sum(axis=1) - 1).max() < 1e-2)
