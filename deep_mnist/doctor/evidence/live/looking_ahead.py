"""Whether a network's output at one step depends on its input at a later one: tried by changing the last step."""

from __future__ import annotations

from typing import Any

import numpy as np

from deep_mnist.doctor.evidence.live.restoring import is_small, unchanged

ROWS = 4  # sequences tried
LEAST = 1e-3  # of what the last step's own output moves: below it, rounding


def looks_ahead(model: Any, inputs: Any, key: Any, steps: int) -> bool | None:
    """Return whether earlier outputs (n, steps, …) move with the last step of an input, None where it cannot be told.

    Args:
        model: Of Keras, which is left as it was.
        inputs: As fit is given them: an array, or a list or dictionary of arrays.
        key: Of the input whose last step is changed, None of an array.
        steps: Of the input and of the output.
    """
    if not is_small(model):
        return None
    try:
        given, moved = _with_last_moved(inputs, key)
        both = _joined(given, moved)  # one call: long recurrent networks read their weights once a step
        with unchanged(model):
            before, after = np.split(np.asarray(model(both, training=False), np.float64), 2)
    except Exception:  # a class of the user's may raise anything
        return None
    if before.ndim != 3 or before.shape[1] != steps:
        return None
    distances = np.abs(before - after).max(axis=(0, 2))
    if not np.isfinite(distances).all() or distances[-1] <= 0:
        return None
    return bool(distances[:-1].max() > LEAST * distances[-1])


def _with_last_moved(inputs: Any, key: Any) -> tuple[Any, Any]:
    """Return the first rows, and the same with another value in the last step of one input."""
    if key is None:
        rows = np.asarray(inputs)[:ROWS]
        return rows, _moved(rows, np.asarray(inputs))
    keys = list(inputs) if isinstance(inputs, dict) else range(len(inputs))
    rows_of = {each: np.asarray(inputs[each])[:ROWS] for each in keys}
    moved = {**rows_of, key: _moved(rows_of[key], np.asarray(inputs[key]))}
    if isinstance(inputs, dict):
        return rows_of, moved
    return [rows_of[each] for each in keys], [moved[each] for each in keys]


def _joined(given: Any, moved: Any) -> Any:
    """Return two batches of the same nesting as one."""
    if isinstance(given, dict):
        return {name: np.concatenate([rows, moved[name]]) for name, rows in given.items()}
    if isinstance(given, list):
        return [np.concatenate(pair) for pair in zip(given, moved, strict=True)]
    return np.concatenate([given, moved])


def _moved(rows: np.ndarray, whole: np.ndarray) -> np.ndarray:
    values = np.unique(whole[:500])
    values = values[values != 0]  # 0 may be masked
    changed = rows.copy()
    changed[:, -1] = np.where(rows[:, -1] == values[0], values[-1], values[0])
    return changed
