"""Check of words or labels that are numbered in the order of a set, for a network that a later run loads."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.live.lineage import Lineage, calls_in, names_in, place_of
from deep_mnist.doctor.evidence.live.source_text import ProgramText, argument_of, called
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

KEEPING = ("save", "save_weights", "load_model", "load_weights", "ModelCheckpoint", "export")
WRITING = ("dump", "dumps", "to_json", "to_csv", "to_pickle", "savez", "savetxt", "write", "writelines", "writerow",
           "writerows", "savez_compressed")  # fmt: skip
GOING_THROUGH = ("enumerate", "zip", "list", "tuple")
ORDERING = ("sorted", "sort", "unique", "factorize")
SEED = "PYTHONHASHSEED"
FEWEST = 3  # that have an order worth the name

SET_ORDER = Rule(
    code="P160",
    name="numbered-in-the-order-of-a-set",
    field="fit.afterwards",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="Words or labels are numbered in the order of a set, and the network is saved or loaded.",
    why="Python orders a set of texts anew in each run: the network that is loaded reads each word as another one.",
)


@check(SET_ORDER)
def check_set_order(case: Case) -> Iterator[Finding]:
    """Yield at most one finding: the first set that numbers come from which fit's data were made by."""
    if case.call is None or case.frame is None:
        return
    text = ProgramText(case.frame)
    keeping = [_is_of_numpy(text, each) for each in text.calls(*KEEPING)]
    if not keeping or any(keeping) or text.calls(*WRITING) or _is_seeded(text):
        return
    lineage = Lineage(text)
    used = _names_behind(case, lineage)
    for name, value in {**case.frame.f_globals, **case.frame.f_locals}.items():
        through = _through_a_set(text, lineage, name) if name in used and _numbers(value, text, name) else None
        if through is not None:
            yield SET_ORDER.found(
                expected="one order in every run: that of sorted(), or of a list that is saved with the network",
                received=f"{name} of {len(value)} texts by {ast.unparse(through)[:60]}, at {text.at(through)}",
                fix=_fix(text, through),
            )
            return


def _fix(text: ProgramText, through: ast.Call) -> str:
    """Return the statement that goes through a sorted set; before the first one that goes through a set with a name."""
    source = through.args[0]
    if isinstance(source, ast.Name):
        others = [each for each in text.calls(*GOING_THROUGH) if each.args and ast.unparse(each.args[0]) == source.id]
        first = text.statement_of(min((through, *others), key=place_of))
        return f"{source.id} = sorted({source.id})  # before {text.at(first or through)}"
    new = ast.Call(ast.Name("sorted"), [source], [])
    old = through if called(through) == "list" else source
    return text.with_expression(old, new) or f"Go through {ast.unparse(new)[:60]}."


def _is_of_numpy(text: ProgramText, call: ast.Call) -> bool:
    """Whether a call is of a module's own function that writes arrays: it may write the order."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    value = text.value_of(owner) if owner is not None else None
    return isinstance(value, ModuleType) and value.__name__.startswith("numpy")


def _is_seeded(text: ProgramText) -> bool:
    return any(isinstance(each, ast.Constant) and each.value == SEED for each in text.nodes)


def _numbers(value: Any, text: ProgramText, name: str) -> bool:
    """Whether a value numbers texts: a dictionary from one to the other, or a list that places are looked up in."""
    if isinstance(value, dict) and len(value) >= FEWEST:
        pairs = (*value.items(),)[:FEWEST]
        return all(
            any(isinstance(one, str) and isinstance(other, int) for one, other in (each, each[::-1])) for each in pairs
        )
    if not isinstance(value, list) or len(value) < FEWEST or not all(isinstance(each, str) for each in value[:FEWEST]):
        return False
    looked = [each.func.value for each in text.calls("index") if isinstance(each.func, ast.Attribute)]
    return any(isinstance(each, ast.Name) and each.id == name for each in looked)


def _names_behind(case: Case, lineage: Lineage) -> set[str]:
    """Return the names that fit's inputs and targets are made of, those of the functions' bodies on the way too."""
    frame = case.frame
    fit = next(iter(lineage.text.calls_on(frame.f_lineno, "fit")), None) if frame is not None else None
    given = [argument_of(fit, 0, "x"), argument_of(fit, 1, "y")] if fit is not None else []
    values = [
        value for each in given if each is not None and fit is not None for value in lineage.of(each, place_of(fit))
    ]
    found = {name for each in values for name in names_in(each)}
    for function in lineage.text.functions(*found):
        found |= set(names_in(function))
    return found


def _through_a_set(text: ProgramText, lineage: Lineage, name: str) -> ast.Call | None:
    """Return the call that goes through a set for the values of a name, None where none does or they are ordered."""
    values = [each for setting in lineage.settings if setting.name == name
              for each in (setting.value, *lineage.of(setting.follows, setting.at))]  # fmt: skip
    if calls_in(values, *ORDERING) or any(
        isinstance(each.func, ast.Attribute)
        and ast.unparse(each.func.value) in {n for v in values for n in names_in(v)}
        for each in text.calls("sort")
    ):
        return None
    space = {**text.frame.f_globals, **text.frame.f_locals}
    calls = calls_in(values, *GOING_THROUGH)
    return next((each for each in calls if each.args and _is_set(each.args[0], space)), None)


def _is_set(node: ast.expr, space: Mapping[str, Any]) -> bool:
    """Whether an expression is a set: one that is made there, or a name's value."""
    if isinstance(node, ast.Name):
        return isinstance(space.get(node.id), set | frozenset)
    if isinstance(node, ast.BinOp):
        return _is_set(node.left, space) or _is_set(node.right, space)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "union":
        return _is_set(node.func.value, space) or ast.unparse(node.func.value) == "set()"
    is_made = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("set", "frozenset")
    return is_made or isinstance(node, ast.Set | ast.SetComp)
