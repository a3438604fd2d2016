"""One step of training code of the user's own, run in eager mode on a few rows, and what it did.

The step's tape, optimizers and models are watched: what was differentiated, with respect to what, what was applied to
what. Nothing is applied. A step can be run with predictions of one's choice in the place of the model's, so that the
loss it computes is known as a function of targets and predictions.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from types import CodeType, ModuleType
from typing import Any

import numpy as np

from deep_mnist.doctor.evidence.live.restoring import unchanged


@dataclass
class StepRecord:
    """What one run of a step did.

    Attributes:
        loss: What the first tape differentiated, None where no tape did.
        gradient: Of the loss with respect to the forced predictions, None where there is none.
        asked: Variables of each call of gradient().
        missing: How many of them got None, in each call.
        applied: (gradient, variable) of each optimizer's step.
        updates: The optimizer and the variables of each of its steps.
        produced: Variable of each gradient, by the gradient's id.
        training: What `training` each outermost call of the model was given, and whether a tape was open.
        made: What each of these calls returned.
        made_by_others: What calls of other networks returned.
        in_training: Ids of the layers that a call of the model put into training by name, inside of a tape.
        swapped: Names of losses of Keras that were given predictions as y_true and targets as y_pred.
        taken: What losses of Keras were given: the loss, y_true and y_pred.
        error: That ended the step, None where it came to its end.
    """

    loss: Any = None
    gradient: Any = None
    asked: list[list[Any]] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    applied: list[tuple[Any, Any]] = field(default_factory=list)
    updates: list[tuple[Any, list[Any]]] = field(default_factory=list)
    produced: dict[int, Any] = field(default_factory=dict)
    kept: list[Any] = field(default_factory=list)
    training: list[tuple[Any, bool]] = field(default_factory=list)
    made: list[Any] = field(default_factory=list)
    made_by_others: list[Any] = field(default_factory=list)
    in_training: set[int] = field(default_factory=set)
    swapped: list[str] = field(default_factory=list)
    taken: list[tuple[Any, Any, Any]] = field(default_factory=list)
    error: Exception | None = None

    @property
    def compared(self) -> list[Any]:
        """Return what losses of Keras were given, as y_true and as y_pred: some programs exchange them."""
        return [each for _, *both in self.taken for each in both]


@dataclass
class OwnStep:
    """A step that can be run.

    Attributes:
        model: That is trained.
        x, y: Its batch, as tensors or arrays; y None where it has none.
        run: Runs the step on (x, y).
        owners: What the step may change: models and optimizers.
        name: Of the step, for reports, such as "train_step".
        is_whole: The step was run from its beginning, not from the model's call on.
        place: "train.py:31", where it stands, "" when unknown.
        code: Of its function or module.
        is_exact: What runs is the program's own step, with nothing left out of its tapes' blocks.
    """

    model: Any
    x: Any
    y: Any
    run: Callable[[Any, Any], Any]
    owners: tuple[Any, ...] = ()
    name: str = ""
    is_whole: bool = False
    place: str = ""
    code: CodeType | None = None
    is_exact: bool = True

    @cached_property
    def first(self) -> StepRecord:
        """What the step does as it stands on its own batch: run once for all who ask."""
        return self.record()

    def record(self, *, y: Any = None, predictions: Any = None) -> StepRecord:
        """Return what the step does.

        Args:
            y: Targets in the place of the batch's own.
            predictions: A tensor that the model's calls return in the place of its output.
        """
        tf = sys.modules["tensorflow"]
        record = StepRecord()
        with (
            recording(),
            unchanged(self.model, *self.owners),
            _watched(self.model, record, predictions, self.y if y is None else y),
        ):
            outer: Any
            with tf.GradientTape(persistent=True) if predictions is not None else contextlib.nullcontext() as outer:
                if predictions is not None:
                    outer.watch(predictions)
                try:
                    self.run(self.x, self.y if y is None else y)
                except Exception as error:  # the user's own code may raise anything
                    record.error = error
            if predictions is not None and record.loss is not None:
                record.gradient = _gradient(outer, record.loss, predictions)
        return record


def _gradient(tape: Any, loss: Any, predictions: Any) -> np.ndarray | None:
    try:
        found = tape.gradient(loss, predictions)
        return None if found is None else np.asarray(sys.modules["tensorflow"].convert_to_tensor(found))
    except Exception:  # of a loss that is no tensor
        return None


@contextlib.contextmanager
def _watched(model: Any, record: StepRecord, predictions: Any, y: Any) -> Iterator[None]:
    """Within the block, tapes, optimizers, losses and the model's calls write to the record."""
    tf, keras = sys.modules["tensorflow"], sys.modules["keras"]
    base = keras.Optimizer if hasattr(keras, "Optimizer") else keras.optimizers.Optimizer
    with contextlib.ExitStack() as stack:
        stack.enter_context(patched(tf.GradientTape, "gradient", _gradient_watch(record, predictions is not None)))
        for owner in (each for each in base.__mro__ if "apply_gradients" in vars(each)):
            stack.enter_context(patched(owner, "apply_gradients", _apply_watch(record)))
        for owner in (each for each in base.__mro__ if "apply" in vars(each)):
            stack.enter_context(patched(owner, "apply", _plain_apply_watch(record)))
        stack.enter_context(patched(keras.layers.Layer, "__call__", _layer_watch(record)))
        stack.enter_context(patched(keras.Model, "__call__", _model_watch(record, model)))
        stack.enter_context(patched(type(model), "__call__", _call_watch(record, model, predictions)))
        loss = keras.losses.Loss
        stack.enter_context(patched(loss, "__call__", _loss_watch(record, predictions, y)))
        yield


@contextlib.contextmanager
def patched(owner: Any, name: str, wrap: Callable[[Any], Any]) -> Iterator[None]:
    """Within the block a class has another method, which `wrap` makes of its own."""
    own, inherited = getattr(owner, name), name not in vars(owner)
    setattr(owner, name, wrap(own))
    try:
        yield
    finally:
        if inherited:
            delattr(owner, name)
        else:
            setattr(owner, name, own)


def _gradient_watch(record: StepRecord, is_forced: bool) -> Callable[[Any], Any]:
    tf = sys.modules["tensorflow"]

    def wrap(own: Any) -> Any:
        def gradient(tape: Any, target: Any, sources: Any, *args: Any, **kwargs: Any) -> Any:
            flat = tf.nest.flatten(sources)
            unbuilt = is_forced and not flat  # the model was never called
            if not unbuilt and not any(hasattr(each, "assign") for each in flat):
                return own(tape, target, sources, *args, **kwargs)  # of the inputs, or our own
            record.loss = target if record.loss is None else record.loss
            record.asked.append(flat)
            if is_forced:
                return tf.nest.map_structure(lambda each: tf.zeros(each.shape, each.dtype), sources)
            found = own(tape, target, sources, *args, **kwargs)
            results = tf.nest.flatten(found)
            record.missing.append(sum(each is None for each in results))
            record.produced |= {id(each): of for each, of in zip(results, flat, strict=False) if each is not None}
            record.kept += results
            return found

        return gradient

    return wrap


def _apply_watch(record: StepRecord) -> Callable[[Any], Any]:
    def wrap(own: Any) -> Any:  # noqa: ARG001
        def apply_gradients(optimizer: Any, grads_and_vars: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG001
            pairs = list(grads_and_vars)
            record.applied += pairs
            record.updates.append((optimizer, [each for _, each in pairs]))
            return getattr(optimizer, "iterations", None)

        return apply_gradients

    return wrap


def _plain_apply_watch(record: StepRecord) -> Callable[[Any], Any]:
    def wrap(own: Any) -> Any:  # noqa: ARG001
        def apply(optimizer: Any, grads: Any, trainable_variables: Any = None) -> Any:
            of = trainable_variables or getattr(optimizer, "_trainable_variables", [])
            record.applied += list(zip(grads, of, strict=False))
            record.updates.append((optimizer, list(of)))
            return getattr(optimizer, "iterations", None)

        return apply

    return wrap


def _call_watch(record: StepRecord, model: Any, predictions: Any) -> Callable[[Any], Any]:
    depth: list[int] = []

    def wrap(own: Any) -> Any:
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            if self is not model or depth:
                return own(self, *args, **kwargs)
            record.training.append((_stated(args, kwargs), is_recording()))
            if predictions is not None:
                return predictions
            depth.append(1)
            try:
                record.made.append(own(self, *args, **kwargs))
                return record.made[-1]
            finally:
                depth.pop()

        return call

    return wrap


def _model_watch(record: StepRecord, model: Any) -> Callable[[Any], Any]:
    def wrap(own: Any) -> Any:
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            result = own(self, *args, **kwargs)
            if self is not model:
                record.made_by_others.append(result)
            return result

        return call

    return wrap


def _layer_watch(record: StepRecord) -> Callable[[Any], Any]:
    def wrap(own: Any) -> Any:
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            stated = _stated(args, kwargs)
            if stated is not None and stated is not False and is_recording():
                record.in_training.add(id(self))
            return own(self, *args, **kwargs)

        return call

    return wrap


def _stated(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return what a call of a layer states as training, None where it does not."""
    second = args[1] if len(args) > 1 and isinstance(args[1], bool) else None  # another layer's is a tensor
    return kwargs.get("training", second)


def _loss_watch(record: StepRecord, predictions: Any, y: Any) -> Callable[[Any], Any]:
    def wrap(own: Any) -> Any:
        def call(self: Any, y_true: Any, y_pred: Any, *args: Any, **kwargs: Any) -> Any:
            if predictions is not None and y_true is predictions and (y_pred is y or equals(y_pred, y)):
                record.swapped.append(type(self).__name__)
            record.taken.append((self, y_true, y_pred))
            return own(self, y_true, y_pred, *args, **kwargs)

        return call

    return wrap


def equals(one: Any, other: Any) -> bool:
    """Whether two tensors or arrays hold the same numbers, in whichever shape."""
    try:
        a, b = np.asarray(one), np.asarray(other)
        return a.size == b.size and bool(np.array_equal(a.reshape(-1), b.reshape(-1)))
    except (TypeError, ValueError, NotImplementedError):
        return False


@contextlib.contextmanager
def recording() -> Iterator[None]:
    """Within the block tapes record, also where TensorFlow has stopped them to leave a graph that is being traced."""
    record = sys.modules.get("tensorflow.python.eager.record")
    binding = getattr(record, "pywrap_tfe", None)
    stopped = binding is not None and binding.TFE_Py_TapeSetIsStopped()
    if stopped and binding is not None:
        binding.TFE_Py_TapeSetRestartOnThread()
    try:
        yield
    finally:
        if stopped and binding is not None:
            binding.TFE_Py_TapeSetStopOnThread()


def is_trainer(value: Any) -> bool:
    """Whether a value of a program is an optimizer or a model, which a step may change."""
    if isinstance(value, type | ModuleType):
        return False
    return any(each.__name__ in ("BaseOptimizer", "Layer", "Metric", "Loss") for each in type(value).__mro__)


def is_recording() -> bool:
    """Whether a tape is open in this thread."""
    record = sys.modules.get("tensorflow.python.eager.record")
    return bool(record is not None and hasattr(record, "could_possibly_record") and record.could_possibly_record())
