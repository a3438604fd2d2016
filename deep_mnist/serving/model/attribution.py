"""What mattered for a prediction: gradient × input, by the Keras model that lies in a version's folder.

The gradient of the predicted class's score (its logarithm where the network ends in softmax, which saturates) with
respect to what the network takes, times that (Shrikumar et al., "Not Just a Black Box", arXiv:1605.01713). The
SavedModel starts from integers, through which no gradient goes; the Keras model is given a floating-point input.
"""

from __future__ import annotations

import threading
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from deep_mnist.export import TrainedNetwork


class Attribution:
    """Attributes predictions of one version; the model is loaded by the first call.

    Args:
        folder: Of the version.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._loading = threading.Lock()

    def of(self, image: np.ndarray) -> np.ndarray:
        """Return float32 (*sides of the network's input) of an image (1, …) as `serving_default` takes it.

        Above 0 is what spoke for the predicted class, below 0 what spoke against it.

        Raises:
            ValueError: The network has no gradient with respect to its input.
        """
        with self._loading:
            network, model = self._loaded
        import tensorflow as tf

        record = network.record
        raw = image.reshape(1, *image.shape[1:3]) if not record.prepared else image
        fed = tf.constant(network.fed(raw, raw=not record.prepared), tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(fed)
            outputs = tf.reshape(model(fed, training=False), [-1])
            score = outputs[int(tf.argmax(outputs))]
            score = tf.math.log(score + 1e-30) if network.kind == "softmax" else score
        gradient = tape.gradient(score, fed)
        if gradient is None:
            raise ValueError("Expected a network with a gradient at its input. Received: one without.")
        return np.asarray((gradient * fed)[0], np.float32)

    @cached_property
    def _loaded(self) -> tuple[TrainedNetwork, Any]:
        import keras

        network = TrainedNetwork.load(self.folder)
        taken = keras.Input(network.model.input_shape[1:], dtype="float32")
        model = keras.models.clone_model(network.model, input_tensors=taken)
        model.set_weights(network.model.get_weights())
        return network, model
