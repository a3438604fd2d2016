"""A loss of the user's own as a function of targets and predictions, evaluated on a few rows."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from deep_mnist.doctor.evidence.live.own_step import OwnStep, recording
from deep_mnist.doctor.evidence.live.restoring import unchanged

LIBRARIES = ("keras.", "tf_keras.", "tensorflow.")


@dataclass
class Evaluated:
    """A loss of some targets and predictions.

    Attributes:
        value: As it came, of any shape; None where it raised or is no array of numbers.
        gradient: With respect to the predictions, None where there is none.
        error: What it raised.
        swapped: A loss of Keras was given predictions as y_true.
    """

    value: np.ndarray | None = None
    gradient: np.ndarray | None = None
    error: Exception | None = None
    swapped: str = ""

    @property
    def mean(self) -> float:
        return float("nan") if self.value is None else float(np.mean(self.value))


@dataclass
class LossTrial:
    """A loss that can be evaluated.

    Attributes:
        name: Of the function or class, for reports.
        evaluate: Takes targets and predictions, arrays of float32.
        function: Whose source it is, None of a step.
        aligns_ranks: Keras gives targets and predictions one rank before it is called.
        traced: Calls it as fit does, as a graph or eagerly; returns what that raised.
    """

    name: str
    evaluate: Callable[[np.ndarray, np.ndarray], Evaluated]
    function: Any = None
    traced: Callable[[np.ndarray, np.ndarray], Exception | None] | None = None
    aligns_ranks: bool = False


def is_own(value: Any) -> bool:
    """Whether a function, class or object is the user's and no library's."""
    if isinstance(value, str | dict | list | tuple) or value is None or not callable(value):
        return False
    named = inspect.isroutine(value) or isinstance(value, type)
    module = getattr(value if named else type(value), "__module__", None)
    wrapped = getattr(value, "fn", None)
    if wrapped is not None and not inspect.isroutine(value) and str(module).startswith(LIBRARIES):
        return is_own(wrapped)
    return module is not None and not f"{module}.".startswith(LIBRARIES)


def of_compiled(model: Any) -> LossTrial | None:
    """Return the loss that a model was compiled with where it is the user's own, None else."""
    loss = _made(getattr(model, "loss", None))
    if not is_own(loss):
        return None
    function = getattr(loss, "fn", loss)
    name = getattr(function, "__name__", type(function).__name__)
    called: Any = function if inspect.isroutine(function) else getattr(loss, "call", loss)
    of_rank = not hasattr(loss, "call")

    def compute(y: Any, p: Any) -> Any:
        return called(*(_same_rank(y, p) if of_rank else (y, p)))

    def evaluate(y: np.ndarray, p: np.ndarray) -> Evaluated:
        tf = sys.modules["tensorflow"]
        with recording(), unchanged(model, loss):
            targets, predictions = tf.convert_to_tensor(y), tf.convert_to_tensor(p)
            try:
                with tf.GradientTape() as tape:
                    tape.watch(predictions)
                    value = tf.convert_to_tensor(compute(targets, predictions))
                    summed = tf.reduce_sum(value)
                gradient = tape.gradient(summed, predictions)
            except Exception as error:  # the user's own code may raise anything
                return Evaluated(error=error)
            return Evaluated(np.asarray(value), None if gradient is None else np.asarray(gradient))

    def traced(y: np.ndarray, p: np.ndarray) -> Exception | None:
        with unchanged(model, loss):
            return error_of(compute, y, p, eagerly=bool(getattr(model, "run_eagerly", False)))

    return LossTrial(name, evaluate, called, traced, of_rank)


def _made(loss: Any) -> Any:
    """Return a loss as Keras takes it: of a class the object, None where it cannot be made without arguments."""
    if not isinstance(loss, type):
        return loss
    try:
        with unchanged():
            return loss()
    except Exception:  # the user's own code may raise anything
        return None


def error_of(compute: Callable[..., Any], *arrays: np.ndarray, eagerly: bool = False) -> Exception | None:
    """Return what a function raises that is called as a step of fit calls it, None where it raises nothing.

    Args:
        compute: Of the user's own; called with tensors, or with symbols of their shapes and types.
        arrays: That it is called with.
        eagerly: As fit does with run_eagerly; else in a graph, which fit traces without autograph.
    """
    tf = sys.modules["tensorflow"]
    try:
        if eagerly:
            compute(*map(tf.convert_to_tensor, arrays))
        else:
            specs = [tf.TensorSpec(each.shape, each.dtype) for each in arrays]
            tf.function(compute, autograph=False).get_concrete_function(*specs)
    except Exception as error:  # the user's own code may raise anything
        return error
    return None


def takes_missing(model: Any, y: np.ndarray) -> bool:
    """Whether a loss of the user's own, and its gradient, are finite where targets are missing: it leaves them out.

    Args:
        model: Compiled.
        y: Targets, some of them NaN.
    """
    trial, shape = of_compiled(model), getattr(model, "output_shape", None)
    if trial is None or not isinstance(shape, tuple) or None in shape[1:]:
        return False
    found = trial.evaluate(y.astype(np.float32), np.full((len(y), *shape[1:]), 0.5, np.float32))
    finite = [each is not None and bool(np.isfinite(each).all()) for each in (found.value, found.gradient)]
    return all(finite)


def _same_rank(y: Any, p: Any) -> tuple[Any, Any]:
    """Return targets and predictions of one rank, as Keras makes them before a function that it was compiled with."""
    tf = sys.modules["tensorflow"]
    if len(p.shape) == len(y.shape) + 1 and p.shape[-1] == 1:
        return tf.expand_dims(y, -1), p
    if len(y.shape) == len(p.shape) + 1 and y.shape[-1] == 1:
        return tf.squeeze(y, -1), p
    return y, p


def of_step(step: OwnStep) -> LossTrial:
    """Return the loss that a step computes, with predictions in the place of the model's."""

    def evaluate(y: np.ndarray, p: np.ndarray) -> Evaluated:
        tf = sys.modules["tensorflow"]
        targets = tf.cast(tf.convert_to_tensor(y), _dtype_of(step.y))
        record = step.record(y=targets, predictions=tf.convert_to_tensor(p))
        if record.loss is None or not record.training:
            return Evaluated(error=record.error)
        try:
            value = np.asarray(tf.convert_to_tensor(record.loss))
        except (TypeError, ValueError, NotImplementedError):  # a symbol, of a step that is a tf.function
            return Evaluated(error=record.error)
        return Evaluated(value, record.gradient, record.error, next(iter(record.swapped), ""))

    return LossTrial(f"the loss of {step.name}", evaluate)


def _dtype_of(y: Any) -> Any:
    return sys.modules["tensorflow"].convert_to_tensor(y).dtype
