"""Which fits of a script come behind the one that is judged, and are not: one sentence for the report."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import FrameType
from typing import Any

from deep_mnist.doctor.capture.fit_call import FitCall, Verb
from deep_mnist.doctor.evidence.live.own_code import users_frames
from deep_mnist.doctor.evidence.live.source_text import ProgramText, statements_around

FIT = ("fit", "fit_generator")
OF_KERAS_ALONE = {"epochs", "validation_data", "validation_split", "callbacks", "steps_per_epoch", "batch_size"}
LEARNING = ("sklearn", "xgboost", "lightgbm", "catboost")
OF_DATA_ALONE = ("sklearn.model_selection", "sklearn.metrics", "sklearn.preprocessing", "sklearn.datasets")
MOST_NAMED = 3


def later_fits(call: FitCall, frame: FrameType | None) -> tuple[str, ...]:
    """Return the sentence that says which fit was judged and which come later, () where none is seen."""
    if call.verb is not Verb.FIT or frame is None:
        return ()
    text = ProgramText(frame)
    judged = text.at(ast.Pass(lineno=frame.f_lineno))
    behind = list(dict.fromkeys(_behind(call, frame)))
    rounds = _own_loops(text, frame.f_lineno)
    if not behind and not rounds:
        return ()
    more = f" and {len(behind) - MOST_NAMED} more" if len(behind) > MOST_NAMED else ""
    named = [f"fit at {', '.join(behind[:MOST_NAMED])}{more}"] if behind else []
    named += [f"the later rounds of the loop at {text.at(rounds[0])}"] if rounds else []
    return (f"Judged: the first fit, {judged}. Not judged: {', '.join(named)}. --all judges every fit.",)


def _behind(call: FitCall, frame: FrameType) -> Iterator[str]:
    """Yield the places of Keras's fits behind this one, in its function and in those that called it."""
    for outer in users_frames(frame):
        text = ProgramText(outer)
        for each in (node for statement in _own_statements(text, outer) for node in ast.walk(statement)):
            if isinstance(each, ast.Call) and each.lineno > outer.f_lineno and _is_of_keras(text, each, call.model):
                yield text.at(each)


def _own_statements(text: ProgramText, frame: FrameType) -> list[ast.stmt]:
    """Return the statements that the frame runs: those of functions that it only defines are not among them."""
    held = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [each for each in statements_around(text.tree, frame.f_lineno) if not isinstance(each, held)]


def _is_of_keras(text: ProgramText, call: ast.Call, model: Any) -> bool:
    """Whether a call is a fit of a network, and not of a scaler or a forest."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in FIT:
        return False
    told = bool({each.arg for each in call.keywords} & OF_KERAS_ALONE)
    return told or text.value_of(call.func.value) is model or (len(call.args) > 1 and not _learns_otherwise(text))


def _learns_otherwise(text: ProgramText) -> bool:
    """Whether a program imports models of scikit-learn or the like, which are fitted to (x, y) too."""
    names = [each.module or "" for each in text.nodes if isinstance(each, ast.ImportFrom)]
    names += [alias.name for each in text.nodes if isinstance(each, ast.Import) for alias in each.names]
    others = [each for each in names if each.startswith(LEARNING)]
    return any(not each.startswith(OF_DATA_ALONE) for each in others)


def _own_loops(text: ProgramText, line: int) -> list[ast.For]:
    """Return the loops of the fit's own function around it."""
    own = {id(each) for statement in statements_around(text.tree, line) for each in ast.walk(statement)}
    return [each for each in text.loops_around(line) if id(each) in own]
