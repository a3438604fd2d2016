"""The contract of a model that is a Python class of its own: subclassed models, task models of KerasHub.

Its file does not tell how the layers are connected, and its code is never run. What remains is the compile
configuration, the shape it was built with and the shapes of its weights; the rest is unknown and not judged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from deep_mnist.contract.contract import Contract, encoding_of
from deep_mnist.contract.graph import Shape
from deep_mnist.contract.layouts import layout_of_shape

PREPROCESSES = "preprocessor"  # a task model's own; it takes data of any size and range


def contract_of_own_class(
    name: str,
    model: Mapping[str, Any],
    loss: str | None,
    from_logits: bool | None,
    untold: Sequence[str],
    metrics: tuple[str, ...],
    optimizer: Mapping[str, Any],
    weights: Callable[[], Mapping[str, Shape]] | None,
) -> Contract:
    """Return what can be known of such a model.

    Args:
        name: To call it by.
        model: {"class_name", "config", "build_config"} as in config.json.
        loss, from_logits, untold, metrics, optimizer: Of the compile configuration.
        weights: Reads the shape of each weight by its path.
    """
    kind, config = str(model.get("class_name"))[:60], model.get("config") or {}
    preprocesses = isinstance(config, Mapping) and bool(config.get(PREPROCESSES))
    shape = None if preprocesses else _built_shape(model.get("build_config"))
    units = _sink_units(weights() if weights is not None else {})
    unknown = [f"input scaling: {kind} is a class of its own", f"output_activation: {kind} is a class of its own"]
    if shape is None:
        reason = "has a preprocessor of its own" if preprocesses else "does not tell the shape it was built with"
        unknown.append(f"input_shape: {kind} {reason}")
    contract = Contract(
        name=name,
        input_shape=shape,
        layout=layout_of_shape(shape) if shape is not None else "unknown",
        loss=loss,
        from_logits=from_logits,
        metrics=metrics,
        optimizer=optimizer,
        num_classes=2 if units == 1 else None,
        output_units=units,
        output_tail=("unknown",),
        unknown=(*unknown, *untold),
    )
    return Contract.from_dict({**contract.to_dict(), "label_encoding": encoding_of(contract)})


def _built_shape(built: Any) -> tuple[int | None, ...] | None:
    stated = built.get("input_shape") if isinstance(built, Mapping) else None
    if not isinstance(stated, list | tuple) or len(stated) < 2:
        return None
    if not all(length is None or (type(length) is int and length > 0) for length in stated):
        return None
    return tuple(stated[1:])


def _sink_units(shapes: Mapping[str, Shape]) -> int | None:
    """Return the width of the dense layers whose output no other weights take, when there is exactly one such width."""
    dense = [shape for shape in shapes.values() if len(shape) == 2]
    taken = {shape[-2] for shape in shapes.values() if len(shape) >= 2}
    widths = {shape[1] for shape in dense if shape[1] not in taken}
    biases = {shape[0] for shape in shapes.values() if len(shape) == 1}
    (width,) = widths if len(widths) == 1 else (None,)
    return width if width in biases else None
