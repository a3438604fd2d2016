"""What the examples of rules on requests are written with: a server's input, and what training data looked like."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from deep_mnist.data.dataset import Preprocessing, write_dataset
from deep_mnist.serving.model.profiling import profile_training_split
from deep_mnist.serving.model.reference_profile import ReferenceProfile
from deep_mnist.serving.requests.error_response import RequestError
from deep_mnist.serving.requests.statistical_validation import compare_with_profile
from deep_mnist.serving.requests.structural_validation import InputForm, to_array
from tests.support.digits import draw_digits

FORM = InputForm("images", np.dtype(np.uint8), ((28, 28), (28, 28, 1)))


def sent(instances: Any, limit: int = 64) -> list[dict[str, Any]]:
    """Return the error response's body in a list, [] where uint8 images (n, 28, 28) are taken."""
    try:
        to_array(instances, FORM, limit=limit)
    except RequestError as error:
        return [error.to_dict()]
    return []


def warned(images: np.ndarray) -> list[dict[str, Any]]:
    """Return the warnings beside the predictions for images, uint8 (n, 28, 28), of a model of drawn digits."""
    return [each.to_dict() for each in compare_with_profile(images, _profile()).warnings]


@cache
def _profile() -> ReferenceProfile:
    images, labels = draw_digits(2400)
    record = Preprocessing(
        source="digits", layout="rows_columns", image_shape=(28, 28), dtype="uint8", scale=1.0, offset=0.0,
        label_encoding="sparse", num_classes=10, split_seed=0, validation_fraction=0.1,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        arrays = {"train_images": images, "train_labels": labels.astype(np.int64)}
        return profile_training_split(write_dataset(Path(folder), arrays, record))
