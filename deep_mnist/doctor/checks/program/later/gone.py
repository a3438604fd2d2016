"""Checks of what the installed Keras does not have: of the model, of its optimizer, or given to a callback."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator
from itertools import chain
from types import FrameType
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.crashes.names.attributes import METHODS, todays
from deep_mnist.doctor.checks.crashes.names.libraries import library_of
from deep_mnist.doctor.checks.program.compiled_metrics import is_of_keras_3
from deep_mnist.doctor.checks.program.later.hooks import BEFORE_A_STEP, IN_TURN, uses_in_hooks
from deep_mnist.doctor.checks.program.later.rewriting import rewritten
from deep_mnist.doctor.checks.program.logs import is_kerass, is_validated, logs_of
from deep_mnist.doctor.checks.program.steps import DEFAULT_BATCH, whole_number
from deep_mnist.doctor.evidence.live.following import Use, after_fit
from deep_mnist.doctor.evidence.live.own_code import own_names
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called, keyword_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

SET_BY_FIT = ("history",)
NEAR = 0.8
HELD_OUT = "validation_data"
GIVEN = ("verbose", "epochs", "steps")  # all that the params of a callback hold

GONE_LATER = Rule(
    code="P081",
    name="uses-what-keras-lacks",
    field="fit.afterwards",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="Behind the fit, or in a callback, the program uses what a model or optimizer of this Keras does not have.",
    why="The program stops with an AttributeError after it has trained.",
)
NOT_GIVEN = Rule(
    code="P123",
    name="callback-reads-what-it-is-not-given",
    field="fit.callbacks",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="A callback reads validation_data, or one of its params, that this Keras gives to no callback.",
    why="fit stops with an AttributeError or a KeyError where that is read: mostly behind a whole first epoch.",
)


@check(GONE_LATER)
def check_gone(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, whose fix is for all places."""
    call = case.call
    if call is None or call.verb != "fit" or not is_of_keras_3(call.model):
        return
    within = (each for each in uses_in_hooks(case) if getattr(each[1].node, "attr", "") != HELD_OUT)
    uses = chain(within, (("", use) for use in after_fit(case.frame, call.model)))
    found = [(hook, use, *each) for hook, use in uses if (each := _gone(use, call.model)) is not None]
    if not found:
        return
    found.sort(key=lambda each: IN_TURN.index(each[0]) if each[0] else len(IN_TURN))
    hook, use, node, _ = next((each for each in found if each[1].sure), found[0])
    expected, received = _told(use, node)
    yield GONE_LATER.found(
        severity="" if use.sure else "warning",
        expected=expected,
        received=received,
        fix=_fix([(each[1], each[2], each[3]) for each in found]),
        why=_stops(hook),
    )


def _told(use: Use, node: ast.expr) -> tuple[str, str]:
    """Return what is expected and received, of what fails first in an expression."""
    failing, at = node.func if isinstance(node, ast.Call) else node, f"at {use.scope.text.at(node)}"
    if isinstance(node, ast.Call) and called(node) == "set_value" and use.value(node.func) is not None:
        rate = node.args[0]
        if getattr(rate, "attr", "") == "learning_rate":
            taken = f"{ast.unparse(failing)}, which takes no variable of {library_of('keras')}, {at}"
            return "a rate that is set as an attribute of the optimizer", taken
        failing = rate
    return f"what was {ast.unparse(failing)}", f"none of this name in {library_of('keras')}, {at}"


def _stops(hook: str) -> str:
    """Return what becomes of the fit, "" where it is over."""
    when = "before the first step" if hook in BEFORE_A_STEP else f"in {hook}() of a callback"
    return f"fit stops with an AttributeError {when}." if hook else ""


def _gone(use: Use, model: Any) -> tuple[ast.expr, str] | None:
    """Return the expression that fails and what stands for it today, "" where that is not known."""
    node = use.node
    if isinstance(node, ast.Call):
        return _rate_by_backend(use, node, model)
    if not isinstance(node, ast.Attribute) or not isinstance(node.ctx, ast.Load) or node.attr.startswith("_"):
        return None
    owner = use.value(node.value)
    if owner is None or not (owner is model or owner is getattr(model, "optimizer", None)) or _has(owner, node, use):
        return None
    again = todays(node, use.statement, owner) or _nearest(owner, node)
    call = next((e for e in ast.walk(use.statement) if isinstance(e, ast.Call) and e.func is node), None)
    return (call or node) if node.attr in METHODS else node, again


def _has(owner: Any, node: ast.Attribute, use: Use) -> bool:
    """Whether an object has an attribute, or may get it by what the program or fit sets."""
    name = node.attr
    if name in SET_BY_FIT or hasattr(type(owner), name) or hasattr(owner, name):
        return True
    if own_names(owner) and name not in METHODS:
        return True
    text = use.scope.text
    attributes = [each for each in text.nodes if isinstance(each, ast.Attribute) and each.attr == name]
    return any(isinstance(each.ctx, ast.Store) for each in attributes) or bool(text.calls("setattr"))


def _rate_by_backend(use: Use, node: ast.Call, model: Any) -> tuple[ast.expr, str] | None:
    """Return what fails where the backend gets or sets the rate, and the same of today.

    The backend of tensorflow.keras still has get_value and set_value, the one of keras neither; no variable of Keras 3
    can be given to set_value.
    """
    name, rate = called(node), node.args[0] if node.args else None
    module = use.value(node.func.value) if isinstance(node.func, ast.Attribute) else None
    if name not in ("get_value", "set_value") or not str(getattr(module, "__name__", "")).endswith("keras.backend"):
        return None
    if not isinstance(rate, ast.Attribute) or rate.attr not in ("lr", "learning_rate"):
        return None
    is_there = hasattr(module, name)
    if use.value(rate.value) is not getattr(model, "optimizer", None) or (name == "get_value" and is_there):
        return None
    again = f"{ast.unparse(rate.value)}.learning_rate"
    if name == "get_value":
        return node, f"float({again})"
    is_alone = isinstance(use.statement, ast.Expr) and use.statement.value is node and len(node.args) == 2
    return (node, f"{again} = {ast.unparse(node.args[1])}") if is_alone else None


def _nearest(owner: Any, node: ast.Attribute) -> str:
    names = [each for each in dir(type(owner)) if not each.startswith("_")]
    near = difflib.get_close_matches(node.attr, names, 1, NEAR)
    return f"{ast.unparse(node.value)}.{near[0]}" if near else ""


def _fix(found: list[tuple[Use, ast.expr, str]]) -> str:
    known = [(use, node, ast.Name(again)) for use, node, again in found if again]
    if not known:
        use, node, _ = found[0]
        return f"Leave {ast.unparse(node)} out, at {use.scope.text.at(node)}."
    return rewritten(known)


# --- what a callback is given ---------------------------------------------------------------------------


@check(NOT_GIVEN)
def check_not_given(case: Case) -> Iterator[Finding]:
    """Yield at most one finding of validation data, and one of params, whose fix is for all places."""
    call = case.call
    if call is None or call.verb != "fit" or not is_of_keras_3(call.model):
        return
    uses = [use for _, use in uses_in_hooks(case)]
    held = [(use, owner) for use in uses if (owner := _without_held_out(use, call.model)) is not None]
    if held and case.frame is not None:
        use, owner = held[0]
        yield _not_given([each for each, _ in held], use.node, _held_out_given(case, owner, case.frame))
    asked = [(use, use.node, key) for use in uses if (key := _param_asked(use))]
    if asked:
        use, node, key = asked[0]
        known = [(use, node, value) for use, node, key in asked if (value := _param(case, key)) is not None]
        fix = rewritten(known) if known else f"Leave {ast.unparse(node)} out, or give its value to the callback."
        yield _not_given([each for each, _, _ in asked], node, fix)


def _not_given(uses: list[Use], node: ast.expr, fix: str) -> Finding:
    return NOT_GIVEN.found(
        severity="" if any(each.sure for each in uses) else "warning",
        expected="a callback that reads what fit gives it: self.model, the logs, and of self.params "
        + ", ".join(GIVEN),
        received=f"{ast.unparse(node)}, at {uses[0].scope.text.at(node)}",
        fix=fix,
    )


def _without_held_out(use: Use, model: Any) -> Any:
    """Return the callback, or the model, of which an expression reads validation data that it does not have."""
    node = use.node
    if not isinstance(node, ast.Attribute) or node.attr != HELD_OUT or not isinstance(node.ctx, ast.Load):
        return None
    owner = use.value(node.value)
    is_asked = owner is model or _is_callback(owner)
    return owner if is_asked and not _has(owner, node, use) else None


def _is_callback(owner: Any) -> bool:
    return any(each.__name__ == "Callback" and is_kerass(each) for each in type(owner).__mro__)


def _held_out_given(case: Case, owner: Any, frame: FrameType) -> str:
    text = ProgramText(frame)
    fit = text.call_on(frame.f_lineno, "fit")
    stated = keyword_of(fit, HELD_OUT) if fit is not None else None
    pair = case.call.validation if case.call is not None else None
    name = text.name_of(owner) or text.name_of(type(owner))
    if name and stated is not None and isinstance(pair, tuple | list) and hasattr(pair[0], "shape"):
        return f"{name}.{HELD_OUT} = {ast.unparse(stated)}  # before fit"
    return f"Give the validation arrays to {type(owner).__name__} itself, and keep them in its __init__."


def _param_asked(use: Use) -> str:
    """Return the key by which an expression reads the params of a callback, "" where it does not or they hold it."""
    node = use.node
    if not isinstance(node, ast.Subscript) or not isinstance(node.ctx, ast.Load):
        return ""
    held, key = node.value, use.value(node.slice)
    is_params = isinstance(held, ast.Attribute) and held.attr == "params" and _is_callback(use.value(held.value))
    return key if is_params and isinstance(key, str) and key not in GIVEN and not _sets_params(use) else ""


def _sets_params(use: Use) -> bool:
    """Whether the program may put something into the params itself."""
    attributes = (each for each in use.scope.text.nodes if isinstance(each, ast.Attribute) and each.attr == "params")
    settings = (each for each in use.scope.text.nodes if isinstance(each, ast.Subscript | ast.FunctionDef))
    return any(isinstance(each.ctx, ast.Store) for each in attributes) or any(
        each.name == "set_params" if isinstance(each, ast.FunctionDef) else _stores_param(each) for each in settings
    )


def _stores_param(node: ast.Subscript) -> bool:
    return isinstance(node.ctx, ast.Store) and getattr(node.value, "attr", "") == "params"


def _param(case: Case, key: str) -> ast.expr | None:
    """Return what a parameter of older versions of Keras would be in this fit, None where that is not known."""
    call = case.call
    if key == "metrics":
        logs = logs_of(case)
        return None if logs is None else ast.parse(repr(list(logs.names)), mode="eval").body
    if key == "nb_epoch":
        return ast.parse('self.params["epochs"]', mode="eval").body
    if key == "do_validation":
        return ast.Constant(is_validated(case))
    if call is None or not hasattr(call.x, "shape") or key not in ("samples", "nb_sample", "batch_size"):
        return None
    return ast.Constant(
        (whole_number(call.facts.get("batch_size")) or DEFAULT_BATCH) if key == "batch_size" else int(call.x.shape[0])
    )
