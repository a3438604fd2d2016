"""The contract of a model that lives in this process: read from the same configuration as a `.keras` file's.

Nothing here imports TensorFlow or Keras: a model that is given brings its own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from deep_mnist.contract.contract import Contract, ContractError, encoding_of
from deep_mnist.contract.derive import contract_of_model
from deep_mnist.contract.losses import loss_name
from deep_mnist.doctor.case import NotUsableError
from deep_mnist.doctor.evidence.live.loss_trial import is_own
from deep_mnist.doctor.evidence.live.own_call import as_sequential
from deep_mnist.doctor.evidence.live.own_code import own_names
from deep_mnist.doctor.evidence.live.restoring import unchanged

AROUND_CALL = ("__call__", "train_step", "compute_loss")  # may prepare what call() gets, or change what it returns
MAX_STATISTICS = 1 << 16  # numbers of one Normalization layer; more stay unknown


def keras_of(model: Any) -> str:
    """Return the package that a model's class comes from: "keras" or "tf_keras".

    Raises:
        NotUsableError: It is no Keras model; the message says what to do with what it is.
    """
    for each in type(model).__mro__:
        module = each.__module__.partition(".")[0]
        if each.__name__ == "Model" and module in ("keras", "tf_keras", "tensorflow"):
            return "tf_keras" if module == "tf_keras" else "keras"
    raise NotUsableError(_refusal(model))


def _refusal(model: Any) -> str:
    kinds = {each.__module__.partition(".")[0] for each in type(model).__mro__}
    named = f"{type(model).__module__}.{type(model).__qualname__}"
    if "torch" in kinds:
        words = f"{named}, a torch nn.Module. Fix: judge its data against a contract: doctor FOLDER --contract c.yaml"
    elif "sklearn" in kinds:
        words = f"{named}, a scikit-learn estimator, which takes tables and not a network's input. Fix: none is needed"
    else:
        words = f"{named}. Fix: give the compiled keras.Model"
    return f"Expected a Keras model. Received: {words}."


def contract_of_live(model: Any, example_shape: tuple[int, ...] | None) -> Contract:
    """Return the contract of a compiled Keras model.

    Args:
        model: Of keras (any backend) or tf_keras, built or not; it is not changed.
        example_shape: One example's shape in the data; a model that was never built takes its input shape from it.

    Raises:
        NotUsableError: It is no Keras model.
    """
    contract = _contract_of(model, keras_of(model), example_shape)
    # whatever a loss of one's own is called, its configuration does not tell whether it takes logits
    return replace(contract, from_logits=None) if is_own(getattr(model, "loss", None)) else contract


def _contract_of(model: Any, package: str, example_shape: tuple[int, ...] | None) -> Contract:
    name = str(getattr(model, "name", "model"))
    config, compiled = _serialized(model, package)
    chain = _chain(model, package, example_shape, config)
    if config is None and chain is None:
        return _without_layers(model, compiled)
    derived = partial(
        contract_of_model,
        name,
        compiled=compiled,
        statistics=statistics_of(model),
        untouched=lambda: _untouched(model),
    )
    if chain is not None:
        with suppress(ContractError):
            read = replace(derived(chain), adjusts_rank=False)
            return read if read.output_units is None else replace(read, unknown=_without_units(read))
    for each in (_with_shape(config, example_shape), config) if config is not None else ():
        with suppress(ContractError):  # not built from this shape, or a class of its own
            return _with_output(derived(each), model)
    return _without_layers(model, compiled)


def _chain(model: Any, package: str, shape: tuple[int, ...] | None, config: dict[str, Any] | None) -> Any:
    """Return the sequential configuration of a class with a call() of its own, None of other models."""
    inner, own = config.get("config") if config is not None else None, own_names(model)
    if (isinstance(inner, Mapping) and "layers" in inner) or "call" not in own or own.intersection(AROUND_CALL):
        return None
    return as_sequential(model, sys.modules[package].saving.serialize_keras_object, shape)


def _with_output(contract: Contract, model: Any) -> Contract:
    """Take the output's shape from the model where its configuration does not tell it, or tells another."""
    try:
        shape = model.output_shape
    except Exception:  # not built, or of a class of its own
        return contract
    is_one = isinstance(shape, tuple) and len(shape) > 1 and isinstance(shape[-1], int)
    if len(contract.outputs) > 1 or not is_one or contract.output_units == shape[-1]:
        return contract
    known = replace(contract, output_units=shape[-1], output_rank=len(shape), unknown=_without_units(contract))
    known = replace(known, output_shape=shape[1:] if contract.output_shape else None)
    return replace(known, label_encoding=encoding_of(known))


def _without_units(contract: Contract) -> tuple[str, ...]:
    """Return what stays unknown of a network whose output's width is known."""
    return tuple(each for each in contract.unknown if not each.startswith("output_units"))


def _serialized(model: Any, package: str) -> tuple[dict[str, Any] | None, Any]:
    """Return the model's and the compile configuration, None for what cannot be serialized."""
    saving = getattr(sys.modules[package], "saving", None)
    try:
        compiled = model.get_compile_config()
    except Exception:  # a user's loss or metric may raise anything while it is serialized
        compiled = _compiled_in_parts(model, saving)
    config = None
    for serialized in (saving.serialize_keras_object, _layers_alone) if saving is not None else ():
        with suppress(Exception):  # as above, of a user's layer
            config = serialized(model)
            break
    return (config if isinstance(config, dict) else None), compiled or None


def _layers_alone(model: Any) -> dict[str, Any]:
    """Return the configuration of a model without what it was compiled with."""
    return {"class_name": type(model).__name__, "config": model.get_config(), "build_config": model.get_build_config()}


def _compiled_in_parts(model: Any, saving: Any) -> dict[str, Any]:
    """Return the compile configuration with the name alone of each part that cannot be serialized."""
    stated = getattr(getattr(model, "_compile_config", None), "config", None)
    stated = stated if isinstance(stated, dict) else {"loss": getattr(model, "loss", None)}

    def part(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [part(each) for each in value]
        if isinstance(value, dict):
            return {key: part(each) for key, each in value.items()}
        with suppress(Exception), unchanged():  # of a class Keras makes the object itself
            return saving.serialize_keras_object(value() if isinstance(value, type) else value)
        return _name_of(value)

    return {key: part(stated.get(key)) for key in ("optimizer", "loss", "metrics")}


def _with_shape(config: dict[str, Any], shape: tuple[int, ...] | None) -> dict[str, Any]:
    inner = config.get("config")
    if shape is None or not isinstance(inner, Mapping) or inner.get("build_input_shape") or "output_layers" in inner:
        return config
    return {**config, "config": {**inner, "build_input_shape": [None, *shape]}}


def _name_of(loss: Any) -> str | None:
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", None) or type(loss).__name__
    return None if loss is None else str(name)


def _without_layers(model: Any, compiled: Any) -> Contract:
    """The contract of a class of its own, or of layers that do not tell theirs: what it was compiled with alone."""
    name, is_plain = str(getattr(model, "name", "model")), type(model).__name__ in ("Functional", "Sequential", "Model")
    reason = "a part of it has no get_config()" if is_plain else "the model is of a class of its own"
    loss = compiled.get("loss") if isinstance(compiled, Mapping) else None
    stated = loss.get("class_name") if isinstance(loss, Mapping) else loss
    if stated == "function" and isinstance(loss, Mapping):
        stated = loss.get("config")
    inner = loss.get("config") if isinstance(loss, Mapping) else None
    unknown = [f"input_shape: {reason}", f"input scaling: {reason}"]
    contract = Contract(name=name, unknown=tuple(unknown))
    if isinstance(stated, str):
        from_logits = bool(inner.get("from_logits")) if isinstance(inner, Mapping) else False
        contract = replace(contract, loss=loss_name(stated), from_logits=from_logits)
    return replace(contract, label_encoding=encoding_of(contract))


def is_compiled(model: Any) -> bool:
    """Whether fit could start: compile() was called."""
    return bool(getattr(model, "compiled", getattr(model, "_is_compiled", True)))


# --- Normalization layers ---------------------------------------------------------------------------


def statistics_of(model: Any) -> Callable[[], list[Any]]:
    """Return a reader of (mean, variance, adapted?) of each Normalization layer, as the file reader gives it."""
    return lambda: list(_statistics(model))


def _statistics(model: Any) -> Iterator[tuple[list[float], list[float], bool]]:
    for layer in _layers(model):
        if type(layer).__name__ != "Normalization" or getattr(layer, "input_mean", None) is not None:
            continue
        weights = layer.get_weights()
        if len(weights) < 2 or max(each.size for each in weights[:2]) > MAX_STATISTICS:
            yield [0.0], [1.0], False
            continue
        mean, variance = ([float(each) for each in weight.reshape(-1)] for weight in weights[:2])
        yield mean, variance, any(mean) or any(each != 1 for each in variance)


def _untouched(model: Any) -> bool:
    """Whether every BatchNormalization of a model has the moving statistics that it starts with."""
    norms = [layer for layer in _layers(model) if type(layer).__name__ == "BatchNormalization"]
    weights = [layer.get_weights()[-2:] for layer in norms]
    return bool(weights) and all(len(each) == 2 and not each[0].any() and (each[1] == 1).all() for each in weights)


def _layers(model: Any) -> Iterator[Any]:
    for layer in getattr(model, "layers", ()):
        yield layer
        yield from _layers(layer)
