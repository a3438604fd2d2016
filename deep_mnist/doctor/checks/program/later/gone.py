"""Check of methods and attributes of the model and its optimizer that the installed Keras does not have."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator
from itertools import chain
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.crashes.names.attributes import METHODS, todays
from deep_mnist.doctor.checks.crashes.names.libraries import library_of
from deep_mnist.doctor.checks.program.compiled_metrics import is_of_keras_3
from deep_mnist.doctor.checks.program.later.hooks import uses_in_hooks
from deep_mnist.doctor.checks.program.later.rewriting import rewritten
from deep_mnist.doctor.evidence.live.following import Use, after_fit
from deep_mnist.doctor.evidence.live.own_code import own_names
from deep_mnist.doctor.evidence.live.source_text import called
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

SET_BY_FIT = ("history",)
NEAR = 0.8

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


@check(GONE_LATER)
def check_gone(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, whose fix is for all places."""
    call = case.call
    if call is None or call.verb != "fit" or not is_of_keras_3(call.model):
        return
    uses = chain((use for _, use in uses_in_hooks(case)), after_fit(case.frame, call.model))
    found = [(use, *each) for use in uses if (each := _gone(use, call.model)) is not None]
    if not found:
        return
    use, node, _ = found[0]
    yield GONE_LATER.found(
        severity="" if any(each.sure for each, _, _ in found) else "warning",
        expected=f"what was {ast.unparse(node.func if isinstance(node, ast.Call) else node)}",
        received=f"none of this name in {library_of('keras')}, at {use.scope.text.at(node)}",
        fix=_fix(found),
    )


def _gone(use: Use, model: Any) -> tuple[ast.expr, str] | None:
    """Return the expression that fails and what stands for it today, "" where that is not known."""
    node = use.node
    if isinstance(node, ast.Call) and called(node) == "set_value" and len(node.args) == 2:
        return _rate_set(use, node, model)
    if not isinstance(node, ast.Attribute) or not isinstance(node.ctx, ast.Load) or node.attr.startswith("_"):
        return None
    owner = use.value(node.value)
    if owner is None or not (owner is model or owner is getattr(model, "optimizer", None)) or _has(owner, node, use):
        return None
    again = todays(node, use.statement) or _nearest(owner, node)
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


def _rate_set(use: Use, node: ast.Call, model: Any) -> tuple[ast.expr, str] | None:
    """Return the same of the legacy backend's set_value on the rate, which no variable of Keras 3 can be given to."""
    rate, value = node.args
    module = getattr(use.value(node.func), "__module__", "")
    if module != "keras.src.legacy.backend" or not isinstance(rate, ast.Attribute):
        return None
    if rate.attr not in ("lr", "learning_rate") or use.value(rate.value) is not getattr(model, "optimizer", None):
        return None
    return node, f"{ast.unparse(rate.value)}.learning_rate = {ast.unparse(value)}"


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
