"""What scikit-learn says of a transformer that was not fitted, of classes it has not seen, of a class too small."""

from __future__ import annotations

import ast
import re
from collections import Counter
from itertools import islice
from typing import Any

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.files.lines import line_changed
from deep_mnist.doctor.checks.crashes.values.rules import NOT_FITTED
from deep_mnist.doctor.evidence.live.source_text import called, keyword_of
from deep_mnist.doctor.evidence.live.statements.call_line import held_by
from deep_mnist.doctor.finding import Finding

UNFITTED = re.compile(
    r"This (\w+) instance is not fitted yet|The TF-IDF vectorizer is not fitted|Vocabulary not fitted"
)
UNSEEN = re.compile(r"previously unseen labels: \[?(.*?)\]?$|Found unknown categories \[(.*?)\] in column", re.S)
TOO_FEW = re.compile(r"The least populated class(?:es)? in y ha(?:s|ve) only (\d+) member")
MOST_TOLD = 5  # classes, by name
MOST_LABELS = 1_000_000


def explain_fitted(crash: Crash) -> Finding | None:
    """Name what has to be fitted first, the classes that were not there at fit, or the class with too few rows."""
    step, call = crash.user, crash.user.call if crash.user is not None else None
    if step is None or call is None or not isinstance(crash.error, ValueError | AttributeError):
        return None
    if (few := TOO_FEW.search(crash.text)) is not None:
        return _too_few(crash, step, call, int(few[1]))
    if not isinstance(call.func, ast.Attribute):
        return None
    owner = ast.unparse(call.func.value)
    if UNFITTED.search(crash.text) is not None:
        return _unfitted(crash, step, call, owner)
    match = UNSEEN.search(crash.text)
    return _unseen(crash, step, owner, next(each for each in match.groups() if each)) if match is not None else None


def _unfitted(crash: Crash, step: TraceStep, call: ast.Call, owner: str) -> Finding:
    expected, received = f"{owner}.fit(…) before {owner}.{called(call)}(…)", f"{owner}, which was never fitted"
    if called(call) == "transform" and isinstance(call.func, ast.Attribute):
        again = ast.Call(ast.Attribute(call.func.value, "fit_transform", ast.Load()), call.args, call.keywords)
        fix = line_changed(step, [(call, ast.unparse(again))])
        note = f"{fix}: of the rows for training, which come first; then {owner}.transform(…) for the others"
        return crash.found(NOT_FITTED, expected, received, note)
    fix = f"{owner}.fit(…)  # with the rows for training, before {crash.place}; keep this object, and make no new one"
    return crash.found(NOT_FITTED, expected, received, fix)


def _unseen(crash: Crash, step: TraceStep, owner: str, classes: str) -> Finding:
    names = ", ".join(re.sub(r"np\.\w+\(([^)]*)\)", r"\1", classes).replace("\n", " ").split(", ")[:MOST_TOLD])
    fitted = held_by(ast.parse(owner, mode="eval").body, step.frame)
    if type(fitted).__name__ == "OneHotEncoder":
        fix = f"{owner}.set_params(handle_unknown='ignore')  # before {crash.place}: unseen ones are rows of 0"
    else:
        fix = f"Fit {owner} to all class names, of train and test, before the rows are split; or leave these rows out."
    return crash.found(NOT_FITTED, f"classes that {owner}.fit(…) has seen", names, fix)


def _too_few(crash: Crash, step: TraceStep, call: ast.Call, members: int) -> Finding:
    stated = keyword_of(call, "stratify")
    values = held_by(stated, step.frame) if stated is not None else None
    rare = _rare(values, members)
    told = f" ({', '.join(rare[:MOST_TOLD])})" if rare else ""
    expected, received = "two rows or more of each class, to split each", f"a class of {members}{told}"
    if stated is None:
        return crash.found(
            NOT_FITTED, expected, received, "Leave out the rows of this class, or put it with another one."
        )
    kept = [each for each in call.keywords if each.arg != "stratify"]
    fix = line_changed(step, [(call, ast.unparse(ast.Call(call.func, call.args, kept)))])
    return crash.found(
        NOT_FITTED, expected, received, f"{fix}: without stratify; or leave out the rows of this class before"
    )


def _rare(values: Any, members: int) -> list[str]:
    """Return the classes with as few rows, [] of values that are not known."""
    if not hasattr(values, "__iter__") or isinstance(values, str) or getattr(values, "ndim", 1) != 1:
        return []
    cells = values.tolist() if hasattr(values, "tolist") else values
    return [repr(each) for each, count in Counter(islice(cells, MOST_LABELS)).items() if count <= members]
