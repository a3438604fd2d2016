"""A SavedModel behind MLServer: the least that its documentation asks of a custom runtime."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class SavedModel(MLModel):
    """Predicts with `serving_default`."""

    async def load(self) -> bool:
        self._loaded: Any = tf.saved_model.load(self.settings.parameters.uri)
        self._signature = self._loaded.signatures["serving_default"]
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        images = self.decode(payload.inputs[0], default_codec=NumpyCodec)
        outputs = self._signature(images=tf.constant(images, tf.uint8))
        tensors = [NumpyCodec.encode_output(name, value.numpy()) for name, value in outputs.items()]
        return InferenceResponse(model_name=self.name, outputs=tensors)
