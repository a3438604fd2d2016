"""Check for a scaler, an encoder or a tokenizer that is fitted once on train's data and again on test's.

Only those that learn from data count, and only a fit whose outcome reaches one side alone. What is fitted for each
example, signal or subject (in a comprehension, or a loop that the other fit does not stand in) is meant so.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.preparation.in_functions import (
    Twice,
    called_for_both,
    fit_within,
    fix_within,
    maker_within,
)
from deep_mnist.doctor.checks.preparation.parts import Part, Parts, parts_of
from deep_mnist.doctor.checks.program.later.given.fitted_anew import LEARNING, NOT_LEARNING
from deep_mnist.doctor.evidence.live.lineage import Lineage, calls_in, place_of
from deep_mnist.doctor.evidence.live.source_text import called, keyword_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

WORDS = ("Vectorizer", "Tokenizer", "TextVectorization", "StringLookup", "IntegerLookup")
NUMBERING = ("Encoder", "LabelBinarizer")
CODING = (*WORDS, *NUMBERING)
FITTED_FOR = {"transform": ("fit",), "texts_to_sequences": ("fit_on_texts",), "texts_to_matrix": ("fit_on_texts",)}
STATED = ("categories", "classes", "vocabulary")  # arguments that leave nothing to learn
AT_ONCE = "fit_transform"

REFITTED = Rule(
    code="S170",
    name="fitted-again-on-test",
    field="splits.preparation",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="A scaler, encoder or tokenizer was fitted on train's data and again on test's: their numbers differ.",
    why="One number means two things: the test score is of data that the network was never taught to read.",
)


class Fitting(NamedTuple):
    """One call that fits a transformer.

    Attributes:
        call: fit_transform(…), or fit(…) before a transform(…).
        owner: The transformer's text.
        kind: The name of its class, "" where it is not known.
        made: The call that makes it, None where that is not seen.
    """

    call: ast.Call
    owner: str
    kind: str
    made: ast.Call | None


@check(REFITTED)
def check_refitted(case: Case) -> Iterator[Finding]:
    """Yield a finding for each call that fits on test's data what was fitted on train's."""
    parts = parts_of(case)
    if parts is None:
        return
    lineage, told = parts.lineage, set[int]()
    of_train = [_fittings(lineage, part) for part in parts.train]
    known = {id(each.call) for several in of_train for each in several}
    for place, part in parts.test:
        fitted = _fittings(lineage, part)
        mine = {id(each.call) for each in fitted}
        ours = [each for each in of_train[place] if id(each.call) not in mine]
        for again in fitted:
            first = _first_of(lineage, again, ours) if id(again.call) not in known | told else None
            severity = _severity(case, first.kind, place) if first is not None else ""
            if first is not None and severity:
                told.add(id(again.call))
                yield _found(parts, first, again, severity)
    for twice in called_for_both(parts):
        yield from _within(case, parts, twice)


def _fittings(lineage: Lineage, part: Part) -> list[Fitting]:
    """Return the calls whose fit tells what a part's numbers mean, in the order of lines."""
    calls = calls_in(part.values, AT_ONCE)
    for use in calls_in(part.values, *FITTED_FOR):
        owner = ast.unparse(use.func.value) if isinstance(use.func, ast.Attribute) else ""
        before = [
            each
            for each in lineage.text.calls(*FITTED_FOR[called(use)], AT_ONCE)
            if place_of(each) < place_of(use) and isinstance(each.func, ast.Attribute)
            and ast.unparse(each.func.value) == owner
        ]  # fmt: skip
        calls += before[-1:]
    calls += _adapted(lineage, part)
    unique = sorted({id(each): each for each in calls}.values(), key=place_of)
    return [fitting for each in unique if (fitting := _fitting(lineage, each)) is not None]


def _adapted(lineage: Lineage, part: Part) -> Iterator[ast.Call]:
    """Yield the calls of adapt() before the layers that a part is made by are called."""
    adapted = [each for each in lineage.text.calls("adapt") if isinstance(each.func, ast.Attribute)]
    owners = {ast.unparse(each.func.value): each.func.value for each in adapted if isinstance(each.func, ast.Attribute)}
    for use in calls_in(part.values, *(each.id for each in owners.values() if isinstance(each, ast.Name))):
        before = [
            each
            for each in adapted
            if place_of(each) < place_of(use) and isinstance(each.func, ast.Attribute)
            and ast.unparse(each.func.value) == ast.unparse(use.func)
        ]  # fmt: skip
        yield from before[-1:]


def _fitting(lineage: Lineage, call: ast.Call) -> Fitting | None:
    """Return a call as a fit of what learns from data, None of any other."""
    if not isinstance(call.func, ast.Attribute) or not call.args or _turns(call.args[0]):
        return None
    owner = call.func.value
    made = owner if isinstance(owner, ast.Call) else None
    if isinstance(owner, ast.Name):
        setting = next(lineage.before(owner.id, place_of(call)), None)
        made = setting.value if setting is not None and isinstance(setting.value, ast.Call) else None
    kind = called(made) if made is not None else type(lineage.text.value_of(owner)).__name__
    if _leaves_nothing(made) or not kind.endswith(LEARNING) or kind in NOT_LEARNING:
        return None
    return Fitting(call, ast.unparse(owner), kind, made)


def _turns(data: ast.expr) -> bool:
    """Whether the axes of data are exchanged: each example is then scaled by itself."""
    turned = any(isinstance(each, ast.Attribute) and each.attr == "T" for each in ast.walk(data))
    return turned or bool(calls_in([data], "transpose"))


def _first_of(lineage: Lineage, again: Fitting, ours: list[Fitting]) -> Fitting | None:
    """Return the fit on train's data that another one repeats: the last before it of the same transformer."""
    around = lineage.text.repeated_around
    before = [
        each
        for each in ours
        if each.kind == again.kind and place_of(each.call) < place_of(again.call)
        and around(each.call) == around(again.call) and ast.unparse(each.call) != ast.unparse(again.call)
    ]  # fmt: skip
    same = [each for each in before if _columns(each) == _columns(again)]
    mine = [each for each in same if each.owner == again.owner]
    return (mine or same)[-1] if mine or same else None


def _columns(fitting: Fitting) -> set[str]:
    """Return the texts that a fit's data are chosen by: names of columns."""
    found = (each for each in ast.walk(fitting.call.args[0]) if isinstance(each, ast.Constant))
    return {str(each.value) for each in found if isinstance(each.value, str)}


def _severity(case: Case, kind: str, place: int) -> str:
    """Return how grave a second fit is; "" where both have numbered the same classes.

    Args:
        case: Whose splits show whether they were numbered alike.
        kind: Of the transformer.
        place: 0 of inputs, 1 of targets.
    """
    if kind.endswith(WORDS):
        return "error"
    if not kind.endswith(NUMBERING):
        return REFITTED.severity
    arrays = [(each.labels if place else each.images) for each in (case.train, case.test) if each is not None]
    if len(arrays) < 2 or any(each is None for each in arrays):
        return "note"
    if len({each.shape[1:] for each in arrays if each is not None}) > 1:
        return "error"
    if place == 0:
        return "" if kind.endswith("OneHotEncoder") else REFITTED.severity
    ours, theirs = case.train.classes, case.test.classes if case.test is not None else None
    if ours is None or theirs is None or not (ours.tally.complete and theirs.tally.complete):
        return "note"
    return "error" if len(ours.tally.values) != len(theirs.tally.values) else ""


def _found(parts: Parts, first: Fitting, again: Fitting, severity: str) -> Finding:
    text = parts.lineage.text
    found = REFITTED.found(
        "test",
        severity=severity,
        expected=f"the {again.kind} as train's data fitted it ({text.at(first.call)})",
        received=f"`{ast.unparse(again.call)}` at {text.at(again.call)} fits it again, on test's data alone",
        fix=_fix(parts.lineage, first, again),
    )
    return replace(found, line=again.call.lineno)


def _fix(lineage: Lineage, first: Fitting, again: Fitting) -> str:
    """Return the statement that transforms test's data by what train's fitted."""
    text = lineage.text
    statement = text.statement_of(again.call)
    sentence = f"Fit the {again.kind} on train's data alone, and let it transform() test's."
    between = [
        each for each in text.calls(AT_ONCE, "fit", "fit_on_texts")
        if place_of(first.call) < place_of(each) < place_of(again.call) and isinstance(each.func, ast.Attribute)
        and ast.unparse(each.func.value) == first.owner
    ]  # fmt: skip
    if statement is None or between:
        return sentence
    if called(again.call) != AT_ONCE:
        alone = isinstance(statement, ast.Expr) and first.owner == again.owner
        return text.in_place("pass", statement) if alone else sentence
    owner = ast.parse(first.owner, mode="eval").body
    if isinstance(owner, ast.Call):  # made where it is used: made, and fitted, once more
        if not lineage.stands(first.call.args[0], place_of(first.call), place_of(statement)):
            return sentence
        owner = ast.Call(ast.Attribute(owner, "fit", ast.Load()), first.call.args, [])
    replaced = ast.Call(ast.Attribute(owner, "transform", ast.Load()), again.call.args, [])
    return text.with_expression(again.call, replaced) or sentence


def _within(case: Case, parts: Parts, twice: Twice) -> Iterator[Finding]:
    """Yield a finding for each call in a function of both sides that numbers words or classes anew."""
    text = parts.lineage.text
    for call, parameter in fit_within(twice):
        owner = call.func.value if isinstance(call.func, ast.Attribute) else call
        made = maker_within(twice, owner)
        kind = called(made) if made is not None else type(text.value_of(owner)).__name__
        severity = _severity(case, kind, twice.place) if kind.endswith(CODING) else ""
        if severity not in ("error", "warning") or kind in NOT_LEARNING or _leaves_nothing(made):
            continue
        name = f"{twice.function.name}()"
        yield REFITTED.found(
            "test",
            severity=severity,
            expected=f"one {kind}, fitted on train's data alone",
            received=f"`{ast.unparse(call)}` at {text.at(call)}, in {name}: called for train at "
            f"{text.at(twice.train)} and again for test at {text.at(twice.test)}",
            fix=fix_within(parts.lineage, twice, call, parameter)
            or f"Fit the {kind} on train's data once, outside {name}, which then only transforms.",
        )


def _leaves_nothing(made: ast.Call | None) -> bool:
    """Whether what a transformer numbers is stated where it is made."""
    return made is not None and any(keyword_of(made, each) is not None for each in STATED)
