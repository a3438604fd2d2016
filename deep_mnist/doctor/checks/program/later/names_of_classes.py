"""Check of names of classes that the program holds behind the fit in another order than the numbers of the classes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, NamedTuple

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.live.class_folders import class_names
from deep_mnist.doctor.checks.program.later.scored import PREDICT, predicts
from deep_mnist.doctor.evidence.live.following import Use, after_fit
from deep_mnist.doctor.evidence.live.lineage import Lineage, nodes_behind, place_of
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

CHOOSING = ("argmax", "argsort", "round", "rint")
PLAIN = (  # calls that leave the number of a class as it is
    *CHOOSING, PREDICT, "int", "item", "squeeze", "flatten", "ravel", "reshape", "array", "asarray", "numpy", "astype",
    "enumerate", "zip", "range", "len", "softmax", "list", "tolist",
)  # fmt: skip
SORTING = ("sort", "reverse")

OTHER_ORDER_OF_NAMES = Rule(
    code="P092",
    name="class-names-in-another-order",
    field="fit.afterwards",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="Behind the fit a predicted class is named by a list of another order than that of the data.",
    why="The network may be right, and the name that is printed is that of another class.",
)


class _Held(NamedTuple):
    """Names of classes, by their numbers.

    Attributes:
        names: In the order of the numbers.
        literal: Where they are written out, None where that is not known.
    """

    names: list[str]
    literal: ast.expr | None


@check(OTHER_ORDER_OF_NAMES)
def check_names(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, at the first place."""
    call = case.call
    names = class_names(call.x) if call is not None and call.verb == "fit" else []
    if call is None or len(names) < 2:
        return
    for use in after_fit(case.frame, call.model):
        node = use.node
        if not isinstance(node, ast.Subscript) or not isinstance(node.ctx, ast.Load):
            continue
        held = _held(use, node.value)
        if held is None or not _are_others(held.names, names) or not _is_class(use, call.model, node.slice):
            continue
        right = sorted(held.names, key=lambda each: [*map(_plain, names)].index(_plain(each)))
        yield OTHER_ORDER_OF_NAMES.found(
            expected=f"the classes in the data's order: {', '.join(names[:8])}",
            received=f"{', '.join(held.names[:8])}, by which {ast.unparse(node)} names, at {use.scope.text.at(node)}",
            fix=_fix(use.scope.text, held, right),
        )
        return


def _plain(name: str) -> str:
    return "".join(each for each in name.lower() if each.isalnum())


def _are_others(held: list[str], names: list[str]) -> bool:
    """Whether names are those of the data, in another order."""
    one, other = [*map(_plain, held)], [*map(_plain, names)]
    return one != other and len({*one}) == len(one) and sorted(one) == sorted(other)


def _is_class(use: Use, model: Any, index: ast.expr) -> bool:
    """Whether an index is the class that the model predicts, as it came."""
    lineage = Lineage(use.scope.text, use.scope.text.around(use.node))
    values = lineage.of(index, place_of(use.node), PREDICT)
    nodes = [node for each in values for node in nodes_behind(each, PREDICT)]
    calls = {called(each) for each in nodes if isinstance(each, ast.Call)}
    compared = [each for each in nodes if isinstance(each, ast.Compare)]
    rises = all(isinstance(each.ops[0], ast.Gt | ast.GtE) for each in compared)
    changed = any(isinstance(each, ast.BinOp | ast.IfExp | ast.BoolOp) for each in nodes)
    is_chosen = bool(compared) or not calls.isdisjoint(CHOOSING)
    return calls <= {*PLAIN} and is_chosen and rises and not changed and predicts(use, model, values)


# --- the names ---------------------------------------------------------------------------------------


def _held(use: Use, node: ast.expr) -> _Held | None:
    """Return the names that an expression holds by number, None of any other expression."""
    if any(ast.unparse(each.func).startswith(f"{ast.unparse(node)}.") for each in use.scope.text.calls(*SORTING)):
        return None
    literal = node if _read(node) is not None else _literal(use.scope.text, node)
    names = _by_number(use.value(node))
    if names is None and literal is not None:
        names = _by_number(_read(literal))
    if names is None:
        return None
    return _Held(names, literal if literal is not None and _by_number(_read(literal)) == names else None)


def _by_number(value: Any) -> list[str] | None:
    """Return names in the order of their numbers: of a list, an array, or a dictionary from 0 on."""
    if isinstance(value, dict):
        value = [value.get(each) for each in range(len(value))]
    value = value.tolist() if hasattr(value, "tolist") and hasattr(value, "dtype") else value
    is_list = isinstance(value, list | tuple) and len(value) > 1
    return [*value] if is_list and all(isinstance(each, str) for each in value) else None


def _literal(text: ProgramText, node: ast.expr) -> ast.expr | None:
    """Return the only value that the program gives to a name, where it is written out."""
    if not isinstance(node, ast.Name):
        return None
    named = [
        each.value
        for each in text.nodes
        if isinstance(each, ast.Assign) and any(ast.unparse(target) == ast.unparse(node) for target in each.targets)
    ]
    return named[0] if len(named) == 1 and _read(named[0]) is not None else None


def _read(node: ast.expr) -> Any:
    if not isinstance(node, ast.List | ast.Tuple | ast.Dict):
        return None
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        return None


def _fix(text: ProgramText, held: _Held, right: list[str]) -> str:
    value = dict(enumerate(right)) if isinstance(held.literal, ast.Dict) else right
    new = ast.parse(repr(value), mode="eval").body
    line = text.with_expression(held.literal, new) if held.literal is not None else ""
    return line or f"Take the names in the order of the data: {right}."
