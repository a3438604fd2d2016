"""The callbacks that a call of fit is given, and what they go by."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.live.lineage import Lineage, place_of
from deep_mnist.doctor.evidence.live.source_text import ProgramText, keyword_of
from deep_mnist.doctor.evidence.live.statements.none_made import none_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Rule

HOOKS = ("on_epoch_", "on_train_", "on_batch_", "on_test_", "on_predict_")  # a callback's methods that Keras calls


def callbacks_of(case: Case) -> list[Any]:
    """Return the callbacks of the call, in order."""
    stated = case.call.arguments.get("callbacks") if case.call is not None else None
    return list(_flat(getattr(stated, "callbacks", stated)))


def _flat(stated: Any) -> Iterator[Any]:
    if isinstance(stated, list | tuple):
        for each in stated:
            yield from _flat(each)
    elif stated is not None:
        yield stated


def is_monitored(case: Case, name: str) -> bool:
    """Whether a callback of the call goes by a value of fit's logs, of train or of validation."""
    return any(getattr(each, "monitor", None) in (name, f"val_{name}") for each in callbacks_of(case))


def nothings_given(case: Case, rule: Rule) -> Iterator[Finding]:
    """Yield a finding of a rule for None in the list of callbacks, and what gave it where the program tells."""
    stated = case.call.arguments.get("callbacks") if case.call is not None else None
    if not isinstance(stated, list | tuple) or None not in stated:
        return
    text = ProgramText(case.frame) if case.frame is not None else None
    made = _made_none(text, list(stated).index(None)) if text is not None else None
    received, fix = "None in the list", "Leave None out of the list of callbacks."
    if text is not None and made is not None:
        call, name = made
        words, fix = none_of(call, name, text.nodes) or (received, fix)
        received = f"None: {words}, at {text.at(call)}"
        fix = _object_alone(text, call) or fix
    yield rule.found(expected="callbacks: objects of their classes", received=received, fix=fix)


def others_given(case: Case, rule: Rule) -> Iterator[Finding]:
    """Yield a finding of a rule for each object that has not what fit calls on every callback before it begins."""
    stated = case.call.arguments.get("callbacks") if case.call is not None else None
    for each in _flat(stated) if isinstance(stated, list | tuple) else ():
        missing = [name for name in ("set_params", "set_model") if not hasattr(each, name)]
        if missing and not isinstance(each, type | dict):
            kind = type(each).__name__
            yield rule.found(
                expected="callbacks: objects of classes that are made of keras.callbacks.Callback",
                received=f"an object of {kind}, which has no {missing[0]}()",
                fix=_of_keras(case, each) or f"Leave the {kind} out of the list of callbacks.",
            )


def _of_keras(case: Case, given: Any) -> str:
    """Return what makes a callback of a function, or of the program's own class; "" of what is neither."""
    text = ProgramText(case.frame) if case.frame is not None else None
    name = getattr(given, "__name__", "")
    if text is None:
        return ""
    if name:
        made = f"keras.callbacks.LambdaCallback(on_epoch_end={name})"
        fit = text.call_on(text.frame.f_lineno, "fit")
        listed = keyword_of(fit, "callbacks") if fit is not None else None
        stated = [each for each in ast.walk(listed or ast.List([])) if isinstance(each, ast.Name) and each.id == name]
        line = text.with_expression(stated[0], ast.parse(made, mode="eval").body) if len(stated) == 1 else ""
        return line or made
    own = [each for each in text.nodes if isinstance(each, ast.ClassDef) and each.name == type(given).__name__]
    if len(own) != 1:
        return ""
    bases = ", ".join([*(ast.unparse(each) for each in own[0].bases), "keras.callbacks.Callback"])
    return f"class {own[0].name}({bases}):  # in place of {text.at(own[0])}"


def _made_none(text: ProgramText, place: int) -> tuple[ast.Call, str] | None:
    """Return the call that the callback at a place of the list is, or was set to, and its name; None where unknown."""
    fit = text.call_on(text.frame.f_lineno, "fit")
    listed = keyword_of(fit, "callbacks") if fit is not None else None
    lineage = Lineage(text)
    if isinstance(listed, ast.Name):
        setting = next(lineage.before(listed.id, place_of(listed)), None)
        listed = setting.value if setting is not None and setting.replaces else None
    if not isinstance(listed, ast.List | ast.Tuple) or place >= len(listed.elts):
        return None
    given, name = listed.elts[place], "the callback"
    if isinstance(given, ast.Name):
        name = given.id
        setting = next(lineage.before(given.id, place_of(given)), None)
        given = setting.value if setting is not None and setting.replaces else given
    return (given, name) if isinstance(given, ast.Call) else None


def _object_alone(text: ProgramText, call: ast.Call) -> str:
    """Return the statement with an object in the place of a call of one of its own methods; "" of another call."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    is_hook = isinstance(call.func, ast.Attribute) and call.func.attr.startswith(HOOKS)
    return text.with_expression(call, owner) if owner is not None and is_hook else ""
