"""Draw the two splits of a call of fit, each by the kind of data it is given as."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from deep_mnist.doctor.capture.collected import Shape
from deep_mnist.doctor.capture.draw import Drawn, draw_arrays, is_kind, is_pipeline
from deep_mnist.doctor.capture.draw_batches import draw_iterator, draw_loader, draw_sequence, no_generator
from deep_mnist.doctor.capture.draw_tf_data import draw_dataset
from deep_mnist.doctor.capture.fit_call import FitCall, Verb
from deep_mnist.doctor.evidence.live.dataset_graph import has_inputs_in_a_row
from deep_mnist.doctor.evidence.live.randomness import unchanged_random_states
from deep_mnist.doctor.finding import Finding


def shape_taken(model: Any, x: Any = None) -> Shape | None:
    """Return one example's shape as the network takes it, None where it was never built.

    Args:
        model: Of multiple inputs, the one that comes first in the data is meant.
        x: A dictionary, or a dataset of dictionaries, tells which that is.
    """
    shape = getattr(model, "input_shape", None) if getattr(model, "built", False) else None
    if isinstance(shape, dict):
        shape = shape.get(_first_name(x)) or next(iter(shape.values()), None)
    elif isinstance(shape, list) and (name := _first_name(x)) is not None:
        shape = dict(zip(getattr(model, "input_names", None) or (), shape, strict=False)).get(name, shape)
    while isinstance(shape, list | tuple) and shape and isinstance(shape[0], list | tuple):
        shape = shape[0]
    return tuple(shape[1:]) if isinstance(shape, tuple | list) and shape else None


def _first_name(x: Any) -> str | None:
    spec = getattr(x, "element_spec", x)
    spec = spec[0] if isinstance(spec, tuple) and spec else spec
    return str(next(iter(spec))) if isinstance(spec, dict) and spec else None


def example_shape(train: Drawn, required: Shape | None) -> tuple[int, ...] | None:
    """Return one example's shape in the data where the network tells none."""
    return train.images.shape[1:] if required is None and train.images is not None and train.images.ndim > 1 else None


def draw_train(call: FitCall, required: Shape | None) -> Drawn:
    """Return what x and y hold; a generator that this uses up is replaced in the call."""
    drawn = _draw("train", call.x, call.y, call.model, required)
    if drawn.replay is not None:
        drawn.findings += _refused("train", call.x, call)
        call.x = drawn.replay
    return drawn


def draw_validation(call: FitCall, required: Shape | None) -> Drawn | None:
    """Return what validation_data holds, or what is tested later; a used-up generator is replaced in the call."""
    stated = call.held_out
    if stated is None:
        return None
    if isinstance(stated, tuple | list) and 2 <= len(stated) <= 3:
        return _draw("test", stated[0], stated[1], call.model, required)
    drawn = _draw("test", stated, None, call.model, required)
    if drawn.replay is not None:
        drawn.findings += _refused("test", stated, call)
        call.validation = drawn.replay
    return drawn


def nothing_held(x: Any, elements: Sequence[Any] = ()) -> str:
    """Return in words what is wrong with data of which nothing could be drawn but these elements."""
    kind = type(x).__name__
    if not is_kind(x, "PyDataset", "Sequence") or len(x):
        first = f" of {type(elements[0]).__name__}s without arrays" if elements else ""
        return f"Expected arrays, or batches of arrays. Received: {kind}{first}."
    files = "Do the names that it reads have the folder and the ending (.png) of the files on disk?"
    asked = files if hasattr(x, "image_data_generator") else "What does its __len__ count?"
    return f"Expected data that hold examples. Received: a {kind} of 0 batches. {asked}"


def _refused(split: str, iterator: Any, call: FitCall) -> list[Finding]:
    """Return the finding on an iterator that the program's own fit stops at, [] of a generator."""
    modern = any(each.__module__.startswith("keras.") for each in type(call.model).__mro__)
    taken = inspect.isgenerator(iterator) or call.verb is not Verb.FIT or not modern
    return [] if taken else [no_generator(split, iterator)]


def _draw(split: str, x: Any, y: Any, model: Any, required: Shape | None) -> Drawn:
    if not is_pipeline(x):
        read_rows(x, y)
        return draw_arrays(split, x, y, _count(model, "inputs"), _count(model, "outputs"))
    if has_inputs_in_a_row(x, _count(model, "inputs")):  # which a check says; the data are judged as they are meant
        x = x.map(lambda *parts: (parts[:-1], parts[-1]))
    if is_kind(x, "DatasetV2"):
        return draw_dataset(split, x, required)
    with unchanged_random_states():  # a loader's augmentation goes on as without the doctor
        if is_kind(x, "DataLoader"):
            return draw_loader(split, x, required)
        if is_kind(x, "PyDataset", "Sequence") and hasattr(x, "__getitem__"):
            return draw_sequence(split, x, required)
    return draw_iterator(split, x, required)


def read_rows(*arrays: Any) -> None:
    """Read the first row of what has rows, as training does: what raises here is no fault of the doctor."""
    for each in arrays:
        if getattr(each, "shape", None) and hasattr(each, "__getitem__") and is_kind(each, "Dataset"):
            each[:1]


def _count(model: Any, of: str) -> int:
    """Return how many inputs or outputs a model has, 1 where it does not tell."""
    tensors = getattr(model, of, None) if getattr(model, "built", False) else None
    return len(tensors) if isinstance(tensors, list | tuple) else 1
