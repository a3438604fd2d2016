"""What a model's compile configuration tells: loss, metrics; and the names of activations, however serialized."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deep_mnist.contract.contract import loss_name

ALIASES = {"ReLU": "relu", "Softmax": "softmax", "LeakyReLU": "leaky_relu", "softmax_v2": "softmax",
           "log_softmax_v2": "log_softmax", "leaky_relu_v2": "leaky_relu", "swish": "silu", "hard_swish": "hard_silu",
           "relu_v2": "relu", "None": "linear"}  # fmt: skip
ACTIVATION_NAMES = (
    "linear", "softmax", "sigmoid", "tanh", "relu", "relu6", "leaky_relu", "prelu", "elu", "selu", "gelu", "celu",
    "glu", "silu", "hard_silu", "hard_sigmoid", "hard_tanh", "softplus", "softsign", "exponential", "mish",
    "log_softmax", "log_sigmoid", "squareplus", "sparsemax", "sparse_plus", "tanh_shrink", "soft_shrink",
    "hard_shrink", "threshold", "exp", "log", "max", "argmax", "argmin",
)  # fmt: skip


def activation_name(told: Any) -> str:
    """Return an activation's Keras name: of a string, of a function such as tf.nn.softmax, of a layer; else its own."""
    if isinstance(told, Mapping):
        config = told.get("config")
        inner = config if isinstance(config, str) else config.get("name") if isinstance(config, Mapping) else None
        told = told.get("class_name") if told.get("class_name") not in ("function", None) else inner
    if told is None:
        return "linear"
    name = str(told)[:60]
    short = name.rpartition(">")[2].rpartition(".")[2]
    return ALIASES.get(short, short if short in ACTIVATION_NAMES else name)


def read_loss(compiled: Any) -> tuple[str | None, bool | None, list[str]]:
    """Return the loss's name, its from_logits, and what is unknown of them.

    Args:
        compiled: The compile configuration; its loss is a name, an object, or one of these in a list or dictionary.
    """
    told = compiled.get("loss") if isinstance(compiled, Mapping) else None
    if isinstance(told, list | tuple) and len(told) == 1:
        told = told[0]
    elif isinstance(told, Mapping) and "class_name" not in told and len(told) == 1:
        told = next(iter(told.values()))
    if isinstance(told, str):
        return loss_name(told), False, []
    if isinstance(told, Mapping) and told.get("class_name") == "function" and isinstance(told.get("config"), str):
        return loss_name(told["config"]), False, []
    if isinstance(told, Mapping) and isinstance(told.get("class_name"), str):
        config = told.get("config")
        return loss_name(told["class_name"]), isinstance(config, Mapping) and bool(config.get("from_logits", False)), []
    return (
        None,
        None,
        ["loss: the model was saved without one" if told is None else "loss: several, or of another form"],
    )


def read_metrics(compiled: Any) -> tuple[str, ...]:
    """Return the names of the metrics, however they are nested."""
    names: list[str] = []
    pending = [compiled.get("metrics") if isinstance(compiled, Mapping) else None]
    while pending:
        told = pending.pop()
        if isinstance(told, str):
            names.append(told[:60])
        elif isinstance(told, Mapping) and isinstance(told.get("class_name"), str):
            pending.append(told.get("config") if told["class_name"] == "function" else loss_name(told["class_name"]))
        elif isinstance(told, Mapping | list | tuple):
            pending += list(told.values() if isinstance(told, Mapping) else told)
    return tuple(sorted(set(names)))
