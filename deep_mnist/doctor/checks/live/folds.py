"""Check for folds of a cross-validation that train one model, one after another."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called, names_set
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

RENEWING = ("set_weights", "load_weights", "clone_model", "build_from_config", "reset_weights", "from_config")
JOINING = ("concatenate", "delete", "setdiff1d", "vstack", "hstack", "append", "concat")
ORDERED = ("TimeSeriesSplit",)  # each fold's model may go on from the one before: its test lies in the future

ONE_MODEL = Rule(
    code="S165",
    name="folds-share-one-model",
    field="splits.leakage",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="Every fold of a cross-validation trains the same model, which has learned the other folds' test examples.",
    why="From the second fold on the model has been trained on what it is judged by: the mean score is too good.",
)


@check(ONE_MODEL)
def check_folds(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, by the loop that fit stands in."""
    if case.frame is None or case.call is None:
        return
    text = ProgramText(case.frame)
    line = case.frame.f_lineno
    for loop in reversed(text.loops_around(line)):
        folds = _folds(text, loop.iter) or _folds_by_hand(loop, line)
        model = _model_name(loop, line)
        if folds and model and model not in set(names_set([loop])) and not _renews(loop, model):
            yield ONE_MODEL.found(
                "test",
                expected="a new model for every fold",
                received=f"`{model}` is made before the loop over {folds} at {text.at(loop)} and trained in all of it",
                fix=_fix(text, loop, model),
            )
            return


def _folds(text: ProgramText, iterated: ast.expr) -> str:
    """Return the class of the splitter that a loop runs over, "" where it runs over anything else."""
    for node in ast.walk(iterated):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr != "split":
            continue
        owner = node.func.value
        made = called(owner) if isinstance(owner, ast.Call) else type(text.value_of(owner)).__name__
        if made.endswith(("Fold", "ShuffleSplit", "LeaveOneOut", "LeavePOut")) and made not in ORDERED:
            return made
    return ""


def _folds_by_hand(loop: ast.For, line: int) -> str:
    """Return "range(k)" of a loop that trains on all but one part and evaluates on that part; "" of any other."""
    own = {node.id for node in ast.walk(loop.target) if isinstance(node, ast.Name)}
    of_fold, of_rest = set(own), set[str]()
    for statement in loop.body:
        if isinstance(statement, ast.Assign) and _names_in(statement.value) & of_fold:
            of_fold |= set(names_set([statement]))
            if _is_the_rest(statement.value) or _names_in(statement.value) & of_rest:
                of_rest |= set(names_set([statement]))
    for node in ast.walk(loop):
        if isinstance(node, ast.Call) and called(node) == "fit" and node.lineno <= line <= (node.end_lineno or 0):
            trained = (
                node.args[0] if node.args else next((each.value for each in node.keywords if each.arg == "x"), None)
            )
            tested = [each.value for each in node.keywords if each.arg == "validation_data"]
            tested += [
                each
                for call in ast.walk(loop)
                if isinstance(call, ast.Call) and called(call) == "evaluate"
                for each in call.args
            ]
            if (
                trained is not None
                and _names_in(trained) & of_rest
                and any(_names_in(each) & of_fold for each in tested)
            ):
                return ast.unparse(loop.iter)
    return ""


def _is_the_rest(value: ast.expr) -> bool:
    """Whether an expression joins or leaves out parts: concatenate, delete, setdiff1d, ~mask, folds != fold."""
    for node in ast.walk(value):
        if isinstance(node, ast.Call) and called(node) in JOINING:
            return True
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
            return True
        if isinstance(node, ast.Compare) and any(isinstance(each, ast.NotEq) for each in node.ops):
            return True
    return False


def _names_in(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _model_name(loop: ast.For, line: int) -> str:
    for node in ast.walk(loop):
        if isinstance(node, ast.Call) and called(node) == "fit" and node.lineno <= line <= (node.end_lineno or 0):
            owner: Any = node.func.value if isinstance(node.func, ast.Attribute) else None
            return owner.id if isinstance(owner, ast.Name) else ""
    return ""


def _renews(loop: ast.For, model: str) -> bool:
    """Whether something in the loop may give the model new weights."""
    for node in ast.walk(loop):
        if not isinstance(node, ast.Call):
            continue
        if called(node) in RENEWING or "reset" in called(node).lower() or "init" in called(node).lower():
            return True
        if called(node) not in ("fit", "evaluate", "predict", "print") and any(
            isinstance(each, ast.Name) and each.id == model for each in node.args
        ):
            return True
    return False


def _fix(text: ProgramText, loop: ast.For, model: str) -> str:
    """Return the lines that begin every fold with the weights that the model has before the loop."""
    compiled = [each for each in text.calls("compile") if isinstance(each.func, ast.Attribute)]
    own = [each for each in compiled if isinstance(each.func, ast.Attribute) and ast.unparse(each.func.value) == model]
    again = f"; {ast.unparse(own[-1])}" if own else ""
    package = "tf.keras" if text.value_of(ast.Name("keras", ast.Load())) is None else "keras"
    if package == "tf.keras" and text.value_of(ast.Name("tf", ast.Load())) is None:
        return f"Make and compile a new model first in the loop, before {text.at(loop.body[0])}."
    return (
        f"{model} = {package}.models.clone_model({model}){again}  # first in the loop, before {text.at(loop.body[0])}"
    )
