"""What a model's compile configuration tells: loss, metrics; and the names of activations, however serialized."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deep_mnist.contract.losses import loss_name

ALIASES = {"ReLU": "relu", "Softmax": "softmax", "LeakyReLU": "leaky_relu", "softmax_v2": "softmax",
           "log_softmax_v2": "log_softmax", "leaky_relu_v2": "leaky_relu", "swish": "silu", "hard_swish": "hard_silu",
           "relu_v2": "relu", "None": "linear"}  # fmt: skip
ACTIVATION_NAMES = (
    "linear", "softmax", "sigmoid", "tanh", "relu", "relu6", "leaky_relu", "prelu", "elu", "selu", "gelu", "celu",
    "glu", "silu", "hard_silu", "hard_sigmoid", "hard_tanh", "softplus", "softsign", "exponential", "mish",
    "log_softmax", "log_sigmoid", "squareplus", "sparsemax", "sparse_plus", "tanh_shrink", "soft_shrink",
    "hard_shrink", "threshold", "exp", "log", "max", "argmax", "argmin",
)  # fmt: skip


def activation_name(stated: Any) -> str:
    """Return an activation's Keras name: of a string, of a function such as tf.nn.softmax, of a layer; else its own."""
    if isinstance(stated, Mapping):
        config = stated.get("config")
        inner = config if isinstance(config, str) else config.get("name") if isinstance(config, Mapping) else None
        stated = stated.get("class_name") if stated.get("class_name") not in ("function", None) else inner
    if stated is None:
        return "linear"
    name = str(stated)[:60]
    short = name.rpartition(">")[2].rpartition(".")[2]
    return ALIASES.get(short, short if short in ACTIVATION_NAMES else name)


def read_loss(compiled: Any) -> tuple[str | None, bool | None, list[str]]:
    """Return the loss's name, its from_logits, and what is unknown of them.

    Args:
        compiled: The compile configuration; its loss is a name, an object, or one of these in a list or dictionary.
    """
    stated = _only_loss(compiled)
    if isinstance(stated, str):
        return loss_name(stated), False, []
    if isinstance(stated, Mapping) and stated.get("class_name") == "function" and isinstance(stated.get("config"), str):
        return loss_name(stated["config"]), False, []
    if isinstance(stated, Mapping) and isinstance(stated.get("class_name"), str):
        config = stated.get("config")
        return (
            loss_name(stated["class_name"]),
            isinstance(config, Mapping) and bool(config.get("from_logits", False)),
            [],
        )
    return (
        None,
        None,
        ["loss: the model was saved without one" if stated is None else "loss: several, or of another form"],
    )


def read_ignored_class(compiled: Any) -> int | None:
    """Return the label that a sparse cross-entropy is told to leave out, None without one.

    Args:
        compiled: As read_loss takes it.
    """
    stated = _only_loss(compiled)
    config = stated.get("config") if isinstance(stated, Mapping) else None
    ignored = config.get("ignore_class") if isinstance(config, Mapping) else None
    return ignored if type(ignored) is int else None


def _only_loss(compiled: Any) -> Any:
    """Return the configuration of the one loss, of a list or dictionary of one too."""
    stated = compiled.get("loss") if isinstance(compiled, Mapping) else None
    if isinstance(stated, list | tuple) and len(stated) == 1:
        return stated[0]
    if isinstance(stated, Mapping) and "class_name" not in stated and len(stated) == 1:
        return next(iter(stated.values()))
    return stated


def output_part(compiled: Any, names: Sequence[str], index: int) -> Any:
    """Return the compile configuration as one of multiple outputs sees it: its own loss and metrics.

    Args:
        compiled: The compile configuration; loss and metrics are lists in the outputs' order, dictionaries by their
            names, or one for all.
        names: Of the outputs.
        index: Of the output.
    """
    if not isinstance(compiled, Mapping):
        return compiled
    metrics = compiled.get("metrics")
    parted = isinstance(metrics, Mapping) or (isinstance(metrics, list | tuple) and len(metrics) == len(names))
    return {
        **compiled,
        "loss": _own_part(compiled.get("loss"), names, index),
        "metrics": _own_part(metrics, names, index) if parted else metrics,
    }


def _own_part(stated: Any, names: Sequence[str], index: int) -> Any:
    if isinstance(stated, list | tuple):
        return stated[index] if len(stated) == len(names) else None
    if isinstance(stated, Mapping) and "class_name" not in stated:
        return stated.get(names[index])
    return stated


def read_metrics(compiled: Any) -> tuple[str, ...]:
    """Return the names of the metrics, however they are nested."""
    names: list[str] = []
    pending = [compiled.get("metrics") if isinstance(compiled, Mapping) else None]
    while pending:
        stated = pending.pop()
        if isinstance(stated, str):
            names.append(stated[:60])
        elif isinstance(stated, Mapping) and isinstance(stated.get("class_name"), str):
            pending.append(
                stated.get("config") if stated["class_name"] == "function" else loss_name(stated["class_name"])
            )
        elif isinstance(stated, Mapping | list | tuple):
            pending += list(stated.values() if isinstance(stated, Mapping) else stated)
    return tuple(sorted(set(names)))
