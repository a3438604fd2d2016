"""Checks of the fits that will come after the first: what they train, and the optimizer that they share."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.program.compiled_metrics import is_of_keras_3
from deep_mnist.doctor.checks.program.several_fits import FINE, compiled_anew
from deep_mnist.doctor.evidence.live.following import Use, after_fit
from deep_mnist.doctor.evidence.live.source_text import ProgramText, argument_of, called, names_set
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

UNFROZEN_LATER = Rule(
    code="P084",
    name="will-be-unfrozen-without-compile",
    field="model.trainable",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="Behind this fit layers are unfrozen, and the model is fitted again without compile() in between.",
    why="Keras goes on as before: what was unfrozen does not train.",
)
SHARED_OPTIMIZER = Rule(
    code="P085",
    name="one-optimizer-for-models-of-a-loop",
    field="model.optimizer",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="A loop makes a model in every round and compiles all of them with one optimizer.",
    why="Keras stops in the second round: an optimizer knows only the variables that it began with.",
)


@check(UNFROZEN_LATER)
def check_unfrozen(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, by what stands between this fit and the next one of the model."""
    call = case.call
    if call is None or call.verb != "fit" or not is_of_keras_3(call.model):
        return
    woken: Use | None = None
    for use in after_fit(case.frame, call.model):
        if _wakes(use, call.model):
            woken = use
        if not isinstance(use.node, ast.Call) or called(use.node) not in ("compile", "fit"):
            continue
        if id(use.node) in use.scope.results:  # this fit itself
            continue
        is_own = isinstance(use.node.func, ast.Attribute) and use.value(use.node.func.value) is call.model
        if woken is not None and is_own and called(use.node) == "fit" and not use.scope.made_anew:
            yield UNFROZEN_LATER.found(
                expected="compile() after a change of trainable",
                received=f"{ast.unparse(woken.statement).splitlines()[0]}, at {woken.scope.text.at(woken.statement)}, "
                f"and fit again at {use.scope.text.at(use.statement)}",
                fix=f"{compiled_anew(call.model, rate=FINE)}  # again, before {use.scope.text.at(use.statement)}",
            )
        if is_own or called(use.node) == "compile":
            return


def _wakes(use: Use, model: Any) -> bool:
    """Whether a statement makes frozen layers of the model train: one of them, or in a loop over its layers."""
    statement = use.statement
    if isinstance(statement, ast.For) and use.node is statement.iter:
        owners = [use.value(e.value) for e in ast.walk(use.node) if isinstance(e, ast.Attribute) and e.attr == "layers"]
        sets = any(isinstance(each, ast.Assign) and _is_true(each, statement.target) for each in statement.body)
        return sets and any(_is_frozen(each, model) for each in owners)
    if not isinstance(statement, ast.Assign) or not isinstance(use.node, ast.Attribute):
        return False
    return _is_true(statement, use.node.value) and _is_frozen(use.value(use.node.value), model)


def _is_true(statement: ast.Assign, owner: ast.expr) -> bool:
    """Whether a statement sets owner.trainable = True."""
    target, value = statement.targets[0], statement.value
    is_true = isinstance(value, ast.Constant) and value.value is True
    is_target = isinstance(target, ast.Attribute) and target.attr == "trainable"
    return is_true and is_target and ast.unparse(target).removesuffix(".trainable") == ast.unparse(owner)


def _is_frozen(layer: Any, model: Any) -> bool:
    """Whether it is the model or a layer of it, and holds weights that do not train for being frozen."""
    flat = getattr(model, "_flatten_layers", None)
    if flat is None or not any(each is layer for each in flat()):
        return False
    return any(each.weights and not each.trainable for each in layer._flatten_layers())


@check(SHARED_OPTIMIZER)
def check_optimizer_of_loop(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, by the loop that fit stands in."""
    call, frame = case.call, case.frame
    if call is None or frame is None or call.verb != "fit" or not is_of_keras_3(call.model):
        return
    text = ProgramText(frame)
    fit = text.call_on(frame.f_lineno, "fit")
    for loop in text.loops_around(frame.f_lineno):
        compiled = _compiled_in(loop, text, fit, call.model)
        if compiled is not None:
            name = ast.unparse(argument_of(compiled, 0, "optimizer") or compiled)
            yield SHARED_OPTIMIZER.found(
                expected="an optimizer for each model, made with it",
                received=f"`{name}`, made before the loop at {text.at(loop)}, in compile() at {text.at(compiled)}",
                fix=_fix(text, compiled, name),
            )
            return


def _compiled_in(loop: ast.For, text: ProgramText, fit: ast.Call | None, model: Any) -> ast.Call | None:
    """Return the compile() in a loop of a model that is made there, by an optimizer that is not; None without one."""
    owner = fit.func.value if fit is not None and isinstance(fit.func, ast.Attribute) else None
    if not isinstance(owner, ast.Name) or any(isinstance(each, ast.Break | ast.Return) for each in ast.walk(loop)):
        return None
    makers = [e.value for e in loop.body if isinstance(e, ast.Assign) and isinstance(e.value, ast.Call)
              and ast.unparse(e.targets[0]) == owner.id]  # fmt: skip
    if not makers:
        return None
    found = [(each, {*names_set([loop])}) for each in _compiles([loop]) if ast.unparse(_receiver(each)) == owner.id]
    for function in text.functions(*(called(each) for each in makers)):
        own = {*names_set(function.body), *(each.arg for each in function.args.args)}
        found += [(each, own) for each in _compiles(function.body)]
    for each, made in found:
        optimizer = argument_of(each, 0, "optimizer")
        if isinstance(optimizer, ast.Name) and optimizer.id not in made:
            return each if text.value_of(optimizer) is getattr(model, "optimizer", None) else None
    return None


def _compiles(statements: Sequence[ast.stmt]) -> list[ast.Call]:
    calls = [e for each in statements for e in ast.walk(each) if isinstance(e, ast.Call) and called(e) == "compile"]
    return [each for each in calls if isinstance(each.func, ast.Attribute)]


def _receiver(call: ast.Call) -> ast.expr:
    return call.func.value if isinstance(call.func, ast.Attribute) else call.func


def _fix(text: ProgramText, compiled: ast.Call, name: str) -> str:
    """Return the line that compiles with an optimizer made for it."""
    made = [each.value for each in text.nodes if isinstance(each, ast.Assign)
            and ast.unparse(each.targets[0]) == name and isinstance(each.value, ast.Call)]  # fmt: skip
    again = made[0] if len(made) == 1 else ast.parse(f"type({name}).from_config({name}.get_config())", mode="eval").body
    if compiled.args:
        return text.rewritten(compiled, positional=[again])
    return text.rewritten(compiled, optimizer=again)
