"""A training loop of the user's own: its first model(x, training=True), and where its batches come from.

A batch tells little, so the variables in reach are searched for the dataset or the arrays it was taken from, and for
the loss object that the loop uses.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

import numpy as np

from deep_mnist.contract.losses import loss_name
from deep_mnist.doctor.capture.draw import as_array, is_kind
from deep_mnist.doctor.capture.fit_call import FitCall, Verb
from deep_mnist.doctor.capture.intercept import MODEL_MODULES, Before, ImportWatch, inside, is_inside
from deep_mnist.doctor.capture.source import attributes_of
from deep_mnist.doctor.capture.training_step import (
    can_learn,
    compares_constants,
    frames_around,
    in_step,
    is_given_to_loss,
    is_of_replica,
    is_scored_by_another,
    makes_no_scores,
    outside_of_graphs,
    trains_another,
    users_of,
)
from deep_mnist.doctor.evidence.live.loop_text import step_of_frames
from deep_mnist.doctor.evidence.live.own_code import users_frame
from deep_mnist.doctor.evidence.live.own_step import OwnStep, is_trainer

MOST_ATTRIBUTES = 64  # of one object, searched for the arrays that a batch was taken from


def watch_calls(before: Before) -> tuple[ImportWatch, Callable[[], None]]:
    """Return a watch that puts `before` before the first training call of each model, and what takes it away."""
    undo: list[Callable[[], None]] = []
    seen: set[int] = set()
    others: set[tuple[int, CodeType]] = set()  # models and the steps that train something else, or call them on noise

    def patch(module: ModuleType) -> None:
        model = getattr(module, MODEL_MODULES[module.__name__])
        own = model.__call__

        @functools.wraps(own)
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            first = args[0] if args else kwargs.get("inputs")
            training = kwargs.get("training", args[1] if len(args) > 1 else None)
            if is_inside() or id(self) in seen or is_kind(first, "KerasTensor") or not in_step(training):
                return own(self, *args, **kwargs)
            if (id(self), sys._getframe(1).f_code) in others:
                return own(self, *args, **kwargs)
            made: list[Any] = []
            if not self.built:  # only then is it known what it has to train
                with suppress(Exception):  # what cannot be called is judged as it stands
                    made.append(_resumed(own, self, args, kwargs))
            if self.built and not can_learn(self):
                return made[0] if made else own(self, *args, **kwargs)
            with outside_of_graphs():
                found = loop_call(self, first, sys._getframe(1))
                is_of_another = training is None and trains_another(found)
                is_noise = found.x is None or makes_no_scores(found)
            if is_of_another or (is_noise and _another_learns(self, sys._getframe(1))):  # which has data, of two
                others.add((id(self), sys._getframe(1).f_code))
                return made[0] if made else own(self, *args, **kwargs)
            seen.add(id(self))
            resume = lambda: made[0] if made else _resumed(own, self, args, kwargs)  # noqa: E731
            around = users_of(list(frames_around(sys._getframe(1))))
            return before(found, users_frame(sys._getframe(1)) or next(iter(around), None), resume)

        inherited = "__call__" not in vars(model)
        model.__call__ = call
        undo.append(lambda: delattr(model, "__call__") if inherited else setattr(model, "__call__", own))

    def remove() -> None:
        while undo:
            undo.pop()()

    return ImportWatch(dict.fromkeys(MODEL_MODULES, patch)), remove


def _another_learns(model: Any, frame: FrameType | None) -> bool:
    reached = _variables(list(frames_around(frame)))
    return any(is_kind(each, "Model") and each is not model and can_learn(each) for each in reached)


def _resumed(own: Any, model: Any, args: Any, kwargs: Any) -> Any:
    with inside():
        return own(model, *args, **kwargs)


def loop_call(model: Any, x: Any, frame: FrameType | None) -> FitCall:
    """Return what a custom loop trains on, as far as its variables tell.

    Args:
        model: That is called.
        x: Its batch; inside of a tf.function a symbol, for which the function's own argument is taken.
        frame: Of the call.
    """
    frames = list(frames_around(frame))
    batch, labels = _batch_of(x, frames)
    overrides = _loss_of(frames)
    dataset = _dataset_of(batch, frames)
    step = _step_of(model, batch, labels, frames)
    if dataset is None and overrides and labels is not None and not is_given_to_loss(step, labels):
        labels, step = None, _step_of(model, batch, None, frames)
    if is_inner := bool(overrides) and is_scored_by_another(step):
        overrides = {}
    if dataset is not None and overrides and compares_constants(step, dataset.element_spec[1]):
        overrides = {}
    call = FitCall(model, None, verb=Verb.CUSTOM_LOOP, overrides=overrides, direct=False, step=step, is_inner=is_inner)
    if dataset is not None:
        return replace(call, x=dataset)
    return whole_of_batch(replace(call, x=batch, y=labels, facts={"shuffle": True}), frame)


def _step_of(model: Any, batch: Any, labels: Any, frames: Sequence[FrameType]) -> OwnStep | None:
    """Return the loop's step: the tf.function that is traced, else the rest of the frame's statements."""
    compiled = next((each for each in frames if _calls_function(each)), None)
    if any(map(is_of_replica, frames)):
        return None  # a part of a strategy's step, which cannot be run by itself
    if compiled is None:
        return step_of_frames(model, batch, labels, users_of(frames))
    function = getattr(compiled.f_locals.get("self"), "python_function", None)
    arguments, named = compiled.f_locals.get("args"), compiled.f_locals.get("kwds")
    code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
    if not callable(function) or arguments is None or code is None:
        return None
    owners = tuple(each for each in _variables(frames) if is_trainer(each))

    def run(x: Any, y: Any) -> Any:
        def of(value: Any) -> Any:
            return x if value is batch else y if value is labels and value is not None else value

        nest = sys.modules["tensorflow"].nest
        return function(*nest.map_structure(of, tuple(arguments)), **nest.map_structure(of, dict(named or {})))

    place = f"{Path(code.co_filename).name}:{code.co_firstlineno}"
    return OwnStep(model, batch, labels, run, owners, code.co_name, is_whole=True, place=place, code=code)


def _batch_of(x: Any, frames: Sequence[FrameType]) -> tuple[Any, Any]:
    """Return the batch and its labels as they are when the loop runs, not as symbols."""
    held = [value for each in users_of(frames)[:1] for value in each.f_locals.values()]
    leaves = list(_flat(x))
    if any(is_kind(each, "SymbolicTensor") or as_graph_tensor(each) for each in leaves):
        held = [each for frame in frames if _calls_function(frame) for each in _flat(frame.f_locals.get("args"))]
        leaves = _of_arguments(leaves, held)
    if not leaves:
        return None, None
    count = leaves[0].shape[0] if getattr(leaves[0], "shape", None) else None
    others = (each for each in held if not any(each is leaf for leaf in leaves))
    labels = (each for each in others if _is_data(each) and len(each.shape) in (1, 2))
    return leaves[0] if len(leaves) == 1 else leaves, next((each for each in labels if each.shape[0] == count), None)


def _of_arguments(symbols: Sequence[Any], held: Sequence[Any]) -> list[Any]:
    """Return the argument that each symbol stands for, [] where one was made within the function."""
    found: list[Any] = []
    for symbol in symbols:
        unused = (each for each in held if not any(each is one for one in found))
        found += [each for each in unused if _same_form(each, symbol)][:1]
    return found if len(found) == len(symbols) else []


def as_graph_tensor(value: Any) -> bool:
    """Whether a tensor is a symbol of a graph: it has no numbers yet."""
    return hasattr(value, "graph") and hasattr(value, "op") and not is_kind(value, "EagerTensor")


def _calls_function(frame: FrameType) -> bool:
    return frame.f_code.co_name == "__call__" and frame.f_code.co_filename.endswith("polymorphic_function.py")


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = value.values()
    if isinstance(value, list | tuple) or type(value).__name__ == "dict_values":
        for each in value:
            yield from _flat(each)
    else:
        yield value


def _is_data(value: Any) -> bool:
    """Whether a value has a shape of a known rank, as an IndexedSlices may have none."""
    shape = getattr(value, "shape", None)
    return isinstance(shape, tuple | list) or getattr(shape, "rank", None) is not None


def _same_form(value: Any, symbol: Any) -> bool:
    return (
        _is_data(value)
        and len(value.shape) == len(symbol.shape) > 1
        and tuple(value.shape[1:]) == tuple(symbol.shape[1:])
    )


def _variables(frames: Sequence[FrameType]) -> Iterator[Any]:
    """Yield the user's variables in reach, nearest first, each once."""
    seen: set[int] = set()
    for frame in users_of(frames):
        for space in (frame.f_locals, frame.f_globals):
            for value in list(space.values()):
                if id(value) not in seen:
                    seen.add(id(value))
                    yield value


def _dataset_of(batch: Any, frames: Sequence[FrameType]) -> Any:
    """Return a tf.data.Dataset in reach whose elements have the batch's form; None for several inputs."""
    if not hasattr(batch, "shape"):
        return None
    for value in _variables(frames):
        if not is_kind(value, "DatasetV2"):
            continue
        spec = value.element_spec
        if isinstance(spec, tuple) and len(spec) >= 2 and hasattr(spec[0], "shape") and spec[0].shape.rank is not None:
            if tuple(spec[0].shape[1:]) == tuple(batch.shape[1:]) and spec[0].dtype == getattr(batch, "dtype", None):
                return value
    return None


def _loss_of(frames: Sequence[FrameType]) -> dict[str, Any]:
    """Return the loss of the one loss object in reach, {} when there is none or more than one."""
    found = [value for value in _variables(frames) if is_kind(value, "Loss") and hasattr(value, "get_config")]
    kinds = {type(each).__name__ for each in found}
    if len(kinds) != 1:
        return {}
    config = found[0].get_config()
    return {"loss": loss_name(kinds.pop()), "from_logits": bool(config.get("from_logits", False))}


# --- where a batch was taken from --------------------------------------------------------------------


def whole_of_batch(call: FitCall, frame: FrameType | None) -> FitCall:
    """Return the call with the arrays in reach that its batch was taken from, else as it is."""
    images, labels = as_array(call.x), as_array(call.y)
    if images is None or not images.ndim or not len(images):
        return call
    candidates = [each for each in _arrays(list(frames_around(frame))) if each[0].shape[1:] == images.shape[1:]]
    for array, owner in candidates:
        if array.dtype != images.dtype or len(array) <= len(images):
            continue
        place = _place_of(images[0], array)
        if place is None:
            continue
        partner = _partner(array, labels, place, list(frames_around(frame)))
        if partner is not None or labels is None:
            facts = {**call.facts, "shuffle": True}  # how the loop draws its batches is not known
            return replace(call, x=owner, y=partner, facts=facts, direct=False)
    return call


def _arrays(frames: Sequence[FrameType]) -> Iterator[tuple[np.ndarray, Any]]:
    """Yield (array, what holds it) of the user's variables and of their attributes, two levels deep."""
    for value in _variables(frames):
        for each in (value, *_attributes(value), *(two for one in _attributes(value) for two in _attributes(one))):
            array = each if isinstance(each, np.ndarray) else as_array(each) if is_kind(each, "EagerTensor") else None
            if array is not None and array.ndim:
                yield array, each


def _attributes(value: Any) -> list[Any]:
    return list(attributes_of(value).values())[:MOST_ATTRIBUTES]


def _place_of(row: np.ndarray, array: np.ndarray) -> int | None:
    """Return the index of an example in an array, None when it is not in it."""
    flat, sought = array.reshape(len(array), -1), row.reshape(-1)
    if not sought.size:
        return None
    pixel = int(np.argmax(np.abs(sought - sought.mean())))  # the pixel that few others share
    near = np.flatnonzero(flat[:, pixel] == sought[pixel])
    return next((int(index) for index in near if np.array_equal(flat[index], sought)), None)


def _partner(images: np.ndarray, labels: np.ndarray | None, place: int, frames: Sequence[FrameType]) -> Any:
    """Return the labels in reach that belong to the images: as many, and of the batch's first example alike."""
    if labels is None:
        return None
    for array, owner in _arrays(frames):
        alike = array.ndim == labels.ndim and array.shape[1:] == labels.shape[1:]
        if len(array) == len(images) and array is not images and alike and np.array_equal(array[place], labels[0]):
            return owner
    return None
