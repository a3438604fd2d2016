"""python litserve_server.py SAVED_MODEL PORT: a SavedModel behind LitServe, as its documentation shows."""

import sys
from typing import Any

import litserve
import numpy as np
import tensorflow as tf


class SavedModelAPI(litserve.LitAPI):
    """Takes {"instances": …} and predicts with `serving_default`."""

    def setup(self, device: str) -> None:  # noqa: ARG002
        self._loaded: Any = tf.saved_model.load(sys.argv[1])
        self._signature = self._loaded.signatures["serving_default"]

    def decode_request(self, request) -> np.ndarray:  # type: ignore[no-untyped-def]  # LitServe reads annotations
        return np.array(request["instances"], np.uint8)

    def predict(self, x: np.ndarray) -> dict[str, np.ndarray]:
        return {name: value.numpy() for name, value in self._signature(images=tf.constant(x)).items()}

    def encode_response(self, output: dict[str, np.ndarray]) -> dict[str, Any]:
        return {name: values.tolist() for name, values in output.items()}


if __name__ == "__main__":
    server = litserve.LitServer(SavedModelAPI(), accelerator="cpu", workers_per_device=1)
    server.run(port=int(sys.argv[2]), generate_client_file=False, log_level="warning")
