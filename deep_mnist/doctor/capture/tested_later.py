"""What the program tests the model on behind the fit.

`model.fit(x_train, y_train); model.evaluate(x_test, y_test)`: the arrays of evaluate() are judged as the test split,
as validation_data would be, and after these where there are any. So are those of predict() that are named as test data.
Only what is there before the fit is read: a name that is set in between stands for nothing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from types import FrameType, ModuleType
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from deep_mnist.doctor.capture.draw import is_kind
from deep_mnist.doctor.capture.fit_call import FitCall, Later, Verb
from deep_mnist.doctor.evidence.live.following import Use, after_fit
from deep_mnist.doctor.evidence.live.source_text import argument_of, called

TEST_NAME = re.compile(r"(?<![a-z])(test|valid|val(?=_|\b)|holdout|hold_out|unseen)|(?<=[a-z])(Test|Valid)|TEST|VALID")
# Of data that are made to be unlike train's, to see how much the network bears.
MADE_UNLIKE = re.compile(r"adv|nois|corrupt|perturb|rotat|shift|drift|turned|blur|attack|_ood|ood_", re.IGNORECASE)
MOST_BYTES = 1 << 28  # of an array that an expression is computed of
FEWEST = 2  # examples
# Of arrays, tensors and frames; none of them changes anything.
METHODS = ("reshape", "astype", "to_numpy", "toarray", "numpy", "batch", "prefetch", "cache", "expand_dims", "squeeze")
PLAIN = (
    ast.Name, ast.Attribute, ast.Constant, ast.Subscript, ast.Slice, ast.Tuple, ast.BinOp, ast.UnaryOp, ast.operator,
    ast.unaryop, ast.expr_context, ast.Call, ast.keyword,
)  # fmt: skip


def tested_later(call: FitCall, frame: FrameType | None) -> Later | None:
    """Return what the model is tested on behind a fit, None where that is not known, or is what fit is given itself."""
    if call.verb is not Verb.FIT:
        return None
    found = [each for each in _later(call, frame) if not _is_given(call, each.x)]
    judged = next((each for each in found if each.y is not None or is_kind(each.x, "DatasetV2")), None)
    return judged or next(iter(found), None)


def is_trained_later(call: FitCall, frame: FrameType | None) -> bool:
    """Whether the model of an evaluate() is surely fitted behind it: that fit is what a script is judged by."""
    later = after_fit(frame, call.model, call.verb)
    return any(use.sure and use.called_on(call.model, Verb.FIT) is not None for use in later)


def validates(call: FitCall) -> bool:
    """Whether fit is given data to validate on, or takes a part of train's."""
    return call.validation is not None or bool(call.facts.get("validation_split"))


def _later(call: FitCall, frame: FrameType | None) -> Iterator[Later]:
    for use in after_fit(frame, call.model):
        node = use.called_on(call.model, "evaluate", "predict")
        if node is None or not use.sure:
            continue
        at = [argument_of(node, 0, "x"), argument_of(node, 1, "y") if called(node) == "evaluate" else None]
        x, y = (None if each is None else _value(use, each) for each in at)
        text = ast.unparse(at[0]) if at[0] is not None else ""
        named = not MADE_UNLIKE.search(text) and (called(node) == "evaluate" or TEST_NAME.search(text))
        whole = y is not None or at[1] is None
        if named and whole and _can_be_judged(x, y, needs_y=called(node) == "evaluate"):
            yield Later(x, y, (_in_frame(at[0], use, frame), _in_frame(at[1], use, frame)), node)


def _in_frame(node: ast.expr | None, use: Use, frame: FrameType | None) -> ast.expr | None:
    """Return an expression where its names mean the same in the frame of the fit, else None."""
    if node is None or frame is None:
        return None
    names = [each for each in ast.walk(node) if isinstance(each, ast.Name)]
    held = {**frame.f_globals, **frame.f_locals}
    return node if all(held.get(each.id) is use.value(each) for each in names) else None


def _can_be_judged(x: Any, y: Any, *, needs_y: bool) -> bool:
    if is_kind(x, "DatasetV2"):
        return y is None and needs_y
    if not _is_array(x) or len(x.shape) < 1 or (x.shape[0] or 0) < FEWEST:
        return False
    return (_is_array(y) and len(y.shape) > 0) or (y is None and not needs_y)


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "__getitem__") and not callable(value)


def _is_given(call: FitCall, x: Any) -> bool:
    """Whether fit is given the data, or a part of them as train's; or they are more than train: all rows, perhaps."""
    held = call.validation
    if x is call.x or x is held or (isinstance(held, tuple | list) and any(x is each for each in held)):
        return True
    if not (_is_array(x) and _is_array(call.x)):
        return False
    return len(x) > len(call.x) or _is_within(x, call.x)


def _is_within(part: Any, whole: Any) -> bool:
    """Whether an array lies in the memory of another."""
    if not (isinstance(part, np.ndarray) and isinstance(whole, np.ndarray)) or not np.may_share_memory(part, whole):
        return False
    (low, high), (first, last) = byte_bounds(part), byte_bounds(whole)
    return bool(first <= low and high <= last)


# --- values -----------------------------------------------------------------------------------------


def _value(use: Use, node: ast.expr) -> Any:
    """Return what an expression will stand for, None where that is not known or would cost too much to compute."""
    value = use.value(node)
    if value is not None or not all(isinstance(each, PLAIN) for each in ast.walk(node)):
        return value
    names = {each.id: use.value(each) for each in ast.walk(node) if isinstance(each, ast.Name)}
    if any(each is None for each in names.values()) or not _is_harmless(node, names):
        return None
    try:
        return eval(compile(ast.Expression(node), "<later>", "eval"), dict(names))  # plain arithmetic of arrays
    except Exception:  # the program's own error, behind the fit
        return None


def _is_harmless(node: ast.expr, names: Mapping[str, Any]) -> bool:
    """Whether an expression is of arrays and modules alone, small ones, and calls nothing but these methods."""
    calls = [each for each in ast.walk(node) if isinstance(each, ast.Call)]
    if any(not isinstance(each.func, ast.Attribute) or called(each) not in METHODS for each in calls):
        return False
    arrays = [each for each in names.values() if not isinstance(each, ModuleType | int | float | tuple)]
    if any(is_kind(each, "DatasetV2") for each in arrays):
        return len(arrays) == 1
    return all(_is_array(each) and getattr(each, "nbytes", MOST_BYTES) < MOST_BYTES for each in arrays)
