"""Keras's losses by the labels that they take."""

from __future__ import annotations

import re

SPARSE_LOSSES = ("sparse_categorical_crossentropy",)
ONE_HOT_LOSSES = (
    "categorical_crossentropy", "categorical_focal_crossentropy", "kl_divergence", "cosine_similarity",
    "mean_squared_error", "mean_absolute_error", "categorical_hinge", "mean_squared_logarithmic_error", "huber",
    "log_cosh", "poisson", "mean_absolute_percentage_error", "squared_hinge", "hinge", "dice", "tversky",
)  # fmt: skip
DISTRIBUTION_LOSSES = ("categorical_crossentropy", "categorical_focal_crossentropy", "kl_divergence")
REGRESSION_LOSSES = tuple(loss for loss in ONE_HOT_LOSSES if loss not in DISTRIBUTION_LOSSES)
MARGIN_LOSSES = ("cosine_similarity", "hinge", "squared_hinge", "categorical_hinge")  # which no output needs to reach
BINARY_LOSSES = ("binary_crossentropy", "binary_focal_crossentropy")
_LOSS_SHORT = {"mse": "mean_squared_error", "mae": "mean_absolute_error", "bce": "binary_crossentropy",
               "kld": "kl_divergence", "kullback_leibler_divergence": "kl_divergence", "logcosh": "log_cosh",
               "mape": "mean_absolute_percentage_error", "msle": "mean_squared_logarithmic_error"}  # fmt: skip
_CAPITAL = re.compile(r"(?<=[A-Za-z])(?=[A-Z][a-z])")


def loss_name(loss: str) -> str:
    """Return a loss's snake_case name.

    >>> loss_name("SparseCategoricalCrossentropy"), loss_name("mse")
    ('sparse_categorical_crossentropy', 'mean_squared_error')
    """
    loss = _CAPITAL.sub("_", loss)
    return _LOSS_SHORT.get(loss.lower(), loss.lower())
