"""Check for examples, or labels, that are shuffled in place after they were paired, and the others are not."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.preparation.parts import Part, Parts, parts_of
from deep_mnist.doctor.evidence.live.lineage import Lineage, Place, Setting, data_in, names_in, place_of
from deep_mnist.doctor.evidence.live.source_text import called
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

FEWEST = 10  # of what is shuffled, and of what is paired with it

ALONE = Rule(
    code="L180",
    name="one-of-a-pair-shuffled",
    field="labels.alignment",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="Examples, or labels, were shuffled in place after they had been paired, and the others were not.",
    why="Nearly every example has another one's label: nothing can be learned.",
)


@check(ALONE)
def check_shuffled_alone(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, by the only shuffle() of what train is made of."""
    parts = parts_of(case)
    if parts is None or case.contract.loss is None:
        return
    x, y = (_names(each) for each in parts.train)
    shuffles = list(_shuffles(parts.lineage, x | y))
    if len(shuffles) != 1:
        return
    statement, name = shuffles[0]
    if (name in x) == (name in y):
        return
    place = place_of(statement)
    other = _partner(parts, name, y if name in x else x, place)
    if other:
        order = f"order = np.random.permutation(len({name}))"
        yield ALONE.found(
            "train",
            expected=f"one order for `{name}` and `{other}`",
            received=f"`{ast.unparse(statement)}` at {parts.lineage.text.at(statement)}, and `{other}` left as it was",
            fix=parts.lineage.text.in_place(
                f"{order}; {name}, {other} = np.asarray({name})[order], np.asarray({other})[order]", statement
            ),
        )


def _names(part: Part) -> set[str]:
    return {name for value in part.values for name in data_in(value)}


def _shuffles(lineage: Lineage, names: set[str]) -> Iterator[tuple[ast.stmt, str]]:
    """Yield the statements that shuffle one of these names in place, each with the name."""
    for node in (each for statement in lineage.body for each in ast.walk(statement)):
        call = node.value if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) else None
        if call is None or called(call) != "shuffle" or len(call.args) != 1 or not isinstance(node, ast.stmt):
            continue
        if isinstance(call.args[0], ast.Name) and call.args[0].id in names:
            yield node, call.args[0].id


def _partner(parts: Parts, name: str, others: set[str], at: Place) -> str:
    """Return what stands beside a name since one statement set both, "" where that is not known."""
    lineage = parts.lineage
    mine = next(lineage.before(name, at), None)
    if mine is None or not _is_long(lineage, name):
        return ""
    for setting in lineage.settings:
        together = setting.value is mine.value and setting.name != name
        if together and setting.name in others and _kept(lineage, setting, at) and _is_long(lineage, setting.name):
            return setting.name
    return ""


def _kept(lineage: Lineage, setting: Setting, at: Place) -> bool:
    """Whether what was set is, until a place, only written in another form: of nothing else, by no indices."""
    known = {each.name for each in lineage.settings}
    later = [each for each in lineage.settings if each.name == setting.name and setting.at < each.at < at]
    indexed = any(isinstance(node, ast.Subscript) for each in later for node in ast.walk(each.value))
    return not indexed and all(known.intersection(names_in(each.follows)) <= {setting.name} for each in later)


def _is_long(lineage: Lineage, name: str) -> bool:
    value = lineage.text.value_of(ast.Name(name, ast.Load()))
    return not isinstance(value, str) and hasattr(value, "__len__") and len(value) >= FEWEST
