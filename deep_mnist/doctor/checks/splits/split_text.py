"""The line of a program that splits, written anew so that examples which belong together stay on one side."""

from __future__ import annotations

import ast

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.live.source_text import ProgramText, keyword_of

PARTS = ("images", "labels")
SAME = "row.tobytes()"
MIRRORED = "min(row.tobytes(), row[:, ::-1].tobytes())"
UPSIDE_DOWN = "min(row.tobytes(), row[::-1].tobytes())"
TURNED = "min(np.rot90(row, k).tobytes() for k in range(4))"


def split_by_groups(case: Case, key: str) -> str:
    """Return the line that splits, for examples of one `key` (an expression of `row`) to stay on one side.

    Where fit itself splits by validation_split, the line orders the examples so that it takes whole groups.
    """
    text = ProgramText(case.frame) if case.frame is not None else None
    for call in text.calls("train_test_split") if text is not None else ():
        statement = text.statement_of(call) if text is not None else None
        if text is None or not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Tuple):
            continue
        names = [ast.unparse(each) for each in statement.targets[0].elts]
        arrays = [ast.unparse(each) for each in call.args]
        if len(names) != 2 * len(arrays) or not arrays or any("*" in each for each in arrays):
            continue
        share = keyword_of(call, "test_size")
        held = ast.unparse(share) if share is not None else "0.25"
        parts = ", ".join(f"{each}[~held], {each}[held]" for each in arrays)
        grouped = f"group = {_groups(arrays[0], key)}"
        drawn = f"held = (np.random.default_rng(0).random(group.max() + 1) < {held})[group]"
        return text.in_place(f"{grouped}; {drawn}; {', '.join(names)} = {parts}", statement)
    return _before_fit(case, key)


def _before_fit(case: Case, key: str) -> str:
    """Return the line before fit that splits arrays again, or orders them for validation_split; "" of no arrays."""
    call = case.call
    if call is None or not isinstance(call.x, np.ndarray) or not isinstance(call.y, np.ndarray):
        return ""
    if call.held_out is None:
        order = f"order = np.argsort({_groups('train_images', key)}, kind='stable')"
        images, labels = "train_images", "train_labels"
        return f"{order}; {images}, {labels} = {images}[order], {labels}[order]  # before fit, which takes the last"
    if not all(isinstance(each, np.ndarray) for each in call.held_out[:2]):
        return ""
    share = round(len(call.held_out[0]) / (len(call.x) + len(call.held_out[0])), 3)
    joined = "rows, answers = " + ", ".join(f"np.concatenate([train_{part}, test_{part}])" for part in PARTS)
    held = f"held = (np.random.default_rng(0).random(group.max() + 1) < {share:g})[group]"
    names = "train_images, train_labels, test_images, test_labels"
    return (
        f"{joined}; group = {_groups('rows', key)}; {held}; "
        f"{names} = rows[~held], answers[~held], rows[held], answers[held]  # split again, before fit"
    )


def _groups(name: str, key: str) -> str:
    return f"np.unique([{key} for row in np.asarray({name})], return_inverse=True)[1]"
