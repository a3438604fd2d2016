"""Rehearse what one call of fit trains: its network, on the sample that was drawn of its data.

Nothing here imports TensorFlow: a network that is given brings its own.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from deep_mnist.doctor.capture.draw import as_array, is_pipeline, items_of
from deep_mnist.doctor.capture.fit_call import FitCall, Verb
from deep_mnist.doctor.case import Split
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rehearsal.findings import abstention


def rehearse_call(call: FitCall, train: Split) -> Sequence[Finding]:
    """Return the findings of a rehearsal, or one note that says why there was none.

    Args:
        call: Judged before, and fit.
        train: What was drawn of its training data.
    """
    if call.verb is Verb.CUSTOM_LOOP:
        return [abstention("the script trains in a loop of its own, whose steps only the script knows")]
    keras = sys.modules.get("keras")
    if keras is None or keras.backend.backend() != "tensorflow":
        return [abstention("the rehearsal runs Keras 3 on TensorFlow")]
    from deep_mnist.doctor.rehearsal.rehearse import rehearse

    size, epochs = call.facts.get("batch_size"), call.facts.get("epochs")
    examples = len(train.images) if train.is_whole and train.images is not None else None
    try:
        x, y = _inputs(call, train), _targets(call, train)
        return rehearse(call.model, x, y, batch_size=size, epochs=epochs, examples=examples).findings
    except Exception as error:  # a user's layer or loss may raise anything
        lines = str(error).splitlines() or [""]
        return [abstention(f"it ended with {type(error).__name__}: {lines[0][:300]}")]


def _inputs(call: FitCall, train: Split) -> Any:
    return _as_given(call.x, train.images, train.inputs, by_pipeline=is_pipeline(call.x))


def _targets(call: FitCall, train: Split) -> Any:
    names = list(getattr(call.model, "output_names", None) or ())
    drawn = {name: train.targets[name] for name in names} if set(names) == set(train.targets) else train.targets
    listed = _is_listed(call.model)
    named = {str(place): each for place, each in enumerate(drawn.values())} if listed else drawn
    return _as_given(call.y, train.labels, named, by_pipeline=is_pipeline(call.x))


def _is_listed(model: Any) -> bool:
    """Whether a network gives its outputs as a list, in which a dictionary's names have no place."""
    try:
        return isinstance(model.output, list | tuple)
    except (AttributeError, ValueError):  # of a class of its own
        return False


def _as_given(stated: Any, first: np.ndarray | None, drawn: Mapping[str, np.ndarray], *, by_pipeline: bool) -> Any:
    """Return drawn arrays in the form in which the network takes them.

    Args:
        stated: x or y of the call.
        first: The drawn array, of more than one the first.
        drawn: All of them where there are more, by name, or by number for a list.
        by_pipeline: x holds inputs and targets together, so that `stated` tells nothing.
    """
    if by_pipeline:
        numbered = all(name.isdecimal() for name in drawn)
        return first if not drawn else list(drawn.values()) if numbered else dict(drawn)
    if first is None or not items_of(stated):
        return first
    items = stated.items() if isinstance(stated, Mapping) else enumerate(stated)
    arrays = {name: np.asarray(as_array(each))[: len(first)] for name, each in items}
    return arrays if isinstance(stated, Mapping) else list(arrays.values())
