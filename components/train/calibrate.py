"""The temperature of a trained model, fitted on the validation split: `deep_mnist.calibration` says how."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from components.train.examples.split import TrainingSplit
from deep_mnist.calibration import Calibration, fit_calibration
from deep_mnist.contract.losses import REGRESSION_LOSSES
from deep_mnist.outputs import output_kind

SCORED = 512  # examples at a time


def calibrate(model: keras.Model, loss: str | None, validation: TrainingSplit) -> Calibration:
    """Return the temperature for the model that is saved, or why it has none, and say so in one line.

    Args:
        model: Trained, in float32.
        loss: Name of the loss that it was trained by; None where that is not known.
        validation: Images as the network takes them and labels, sparse or one-hot.
    """
    found = _fitted(model, loss, validation)
    print(f"train: {found.sentence()}", flush=True)
    return found


def _fitted(model: keras.Model, loss: str | None, validation: TrainingSplit) -> Calibration:
    if len(model.outputs) > 1:
        return Calibration(abstained=f"the network has {len(model.outputs)} outputs")
    if len(model.outputs[0].shape) != 2:
        return Calibration(abstained="the network says more than one thing of an example")
    kind = output_kind(model)
    if kind == "logits" and loss in REGRESSION_LOSSES:
        return Calibration(abstained=f"by {loss} the network learns numbers, no logits")
    return fit_calibration(_said(model, validation), _classes(np.asarray(validation.labels)), kind)


def _said(model: keras.Model, validation: TrainingSplit) -> np.ndarray:
    """Return what the model says of each image; `predict` would wait for the other nodes of a training."""
    forward = tf.function(lambda images: model(images, training=False), reduce_retracing=True, autograph=False)
    chunks = [
        forward(tf.constant(np.asarray(validation.images[first : first + SCORED]))).numpy()
        for first in range(0, len(validation), SCORED)
    ]
    return np.concatenate(chunks)


def _classes(labels: np.ndarray) -> np.ndarray:
    """Return class numbers of one-hot rows; other labels as they are, in one axis."""
    return labels.argmax(axis=1) if labels.ndim == 2 and labels.shape[1] > 1 else labels.reshape(-1)
