"""Check of features that a network predicted on data that are shuffled anew at every reading, beside other labels."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.preparation.parts import Part, parts_of
from deep_mnist.doctor.checks.preparation.zipped_apart import labels_differ
from deep_mnist.doctor.checks.program.later.labels_apart import OF_LABELS, PREDICTING, READERS, in_words, shuffles
from deep_mnist.doctor.evidence.live.dataset_graph import is_dataset
from deep_mnist.doctor.evidence.live.lineage import Lineage, calls_in, names_in, place_of
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called, keyword_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

IN_ANY_ORDER = (*OF_LABELS, "samples", "n", "num_classes", "class_indices", "batch_size")  # the same at every reading
INDICES = "index_array"  # that an iterator of Keras read last

FEATURES = Rule(
    code="P124",
    name="features-in-another-order",
    field="labels.alignment",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.LOSS),
    summary="The examples are what a network predicted on data that shuffle, and the labels come in another order.",
    why="Nearly every example has another one's label: nothing can be learned.",
)


@check(FEATURES)
def check_features(case: Case) -> Iterator[Finding]:
    """Yield a finding for each split whose inputs were predicted in one order, and whose labels have another."""
    parts = parts_of(case)
    if parts is None or case.call is None or case.call.y is None:
        return
    sides: dict[str, list[Part]] = {"train": parts.train}
    if keyword_of(parts.fit, "validation_data") is not None and len(parts.test) > 1:
        sides["test"] = [each for _, each in parts.test[:2]]
    for split, (x, y) in sides.items():
        is_sorted_back = any(INDICES in ast.unparse(each) for each in x.values)
        for lineage, call in (
            _predicted(parts.lineage, x, y) if labels_differ(case, split) and not is_sorted_back else ()
        ):
            name = call.args[0] if call.args else None
            if not isinstance(name, ast.Name) or not _labels_apart(parts.lineage, y, name.id):
                continue
            if fix := _in_one_order(lineage, name):
                yield FEATURES.found(
                    split,
                    expected="predictions and labels in one order",
                    received=f"{ast.unparse(call)}, at {lineage.text.at(call)}, and labels of another order: "
                    f"{name.id} is shuffled at each reading",
                    fix=fix,
                )
                break


def _predicted(lineage: Lineage, inputs: Part, labels: Part) -> Iterator[tuple[Lineage, ast.Call]]:
    """Yield the calls that inputs were predicted by, and what they lie among: those of arrays that were saved too."""
    yield from ((lineage, each) for each in calls_in(inputs.values, *PREDICTING))
    if calls_in(labels.values, "load"):  # which may be of the same reading
        return
    loaded = {path for each in calls_in(inputs.values, "load") if (path := _path(each))}
    for save in lineage.text.calls("save"):
        if len(save.args) == 2 and _path(save) in loaded:
            there = Lineage(lineage.text, lineage.text.around(save))
            found = calls_in(there.of(save.args[1], place_of(save)), *PREDICTING)
            yield from ((there, each) for each in found)


def _path(call: ast.Call) -> str:
    """Return the file's name that a call of load() or save() states, within open() too; "" where it states none."""
    given = call.args[0] if call.args else None
    if isinstance(given, ast.Call) and called(given) == "open" and given.args:
        given = given.args[0]
    return ast.unparse(given) if given is not None else ""


def _labels_apart(lineage: Lineage, labels: Part, name: str) -> bool:
    """Whether labels come from elsewhere than from one reading of data: from files' order, or from other arrays."""
    nodes = [each for value in labels.values for each in ast.walk(value)]
    calls = [each for each in nodes if isinstance(each, ast.Call)]
    functions = [each for each in lineage.text.nodes if isinstance(each, ast.FunctionDef)]
    reading = [each.name for each in functions if name in names_in(each)]
    if any(called(each) in (*PREDICTING, *reading) for each in calls):
        return False
    mentioned = sum(isinstance(each, ast.Name) and each.id == name for each in nodes)
    plain = sum(
        isinstance(each, ast.Attribute) and each.attr in IN_ANY_ORDER and ast.unparse(each.value) == name
        for each in nodes
    )
    return mentioned == plain or is_dataset(lineage.text.value_of(ast.Name(name, ast.Load())))


def _in_one_order(lineage: Lineage, name: ast.Name) -> str:
    """Return what makes data that shuffle keep their order, "" of data that may not shuffle."""
    text = lineage.text
    settings = [each for each in lineage.settings if each.name == name.id]
    made = next(lineage.before(name.id, place_of(name)), None)
    call = made.value if made is not None else None
    if isinstance(call, ast.Call) and called(call) in READERS:
        stated = keyword_of(call, "shuffle")
        is_shuffled = stated is None or (isinstance(stated, ast.Constant) and stated.value is True)
        return (
            (text.rewritten(call, shuffle=ast.Constant(value=False)) or in_words(name.id, None)) if is_shuffled else ""
        )
    data = text.value_of(name)
    is_the_one = made is not None and made is settings[-1] and lineage.body == Lineage(text).body
    return _without_shuffle(text, call, name.id, data) if is_the_one and shuffles(data) else ""


def _without_shuffle(text: ProgramText, made: ast.expr | None, name: str, data: Any) -> str:
    """Return the statement that makes a dataset, without the only shuffle() in it."""
    shuffles = calls_in([made], "shuffle") if made is not None else []
    function = shuffles[0].func if len(shuffles) == 1 else None
    again = text.with_expression(shuffles[0], function.value) if isinstance(function, ast.Attribute) else ""
    return again or in_words(name, data)
