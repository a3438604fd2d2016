"""Checks of predictions that meet labels of another order: the data are shuffled anew at every reading."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.live.reshuffled import reshuffles
from deep_mnist.doctor.checks.preparation.parts import Part, parts_of
from deep_mnist.doctor.checks.preparation.zipped_apart import labels_differ
from deep_mnist.doctor.evidence.live.dataset_graph import below, is_dataset, paths_to
from deep_mnist.doctor.evidence.live.following import Use, after_fit
from deep_mnist.doctor.evidence.live.lineage import Lineage, calls_in, names_in, place_of
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called, keyword_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

READERS = (
    "flow_from_directory", "flow_from_dataframe", "flow", "image_dataset_from_directory", "text_dataset_from_directory",
)  # fmt: skip
OF_LABELS = ("classes", "labels")
IN_ANY_ORDER = (*OF_LABELS, "samples", "n", "num_classes", "class_indices", "batch_size")  # the same at every reading
INDICES = "index_array"  # that an iterator of Keras read last
PREDICTING = ("predict", "predict_generator")
PLAIN = ("append", "extend", "numpy", "argmax", "int", "list", "concatenate")  # calls that predict nothing
COMPREHENSIONS = (ast.ListComp, ast.GeneratorExp, ast.SetComp)

OTHER_ORDER = Rule(
    code="P087",
    name="predictions-in-another-order",
    field="fit.afterwards",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="Behind the fit predictions are compared with labels that were read in another order: the data shuffle.",
    why="The confusion matrix and every score of it are those of chance, however well the network does.",
)
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


@check(OTHER_ORDER)
def check_shuffled_predictions(case: Case) -> Iterator[Finding]:
    """Yield at most one finding: predict() and the labels each read data that shuffle."""
    call = case.call
    if call is None or call.verb != "fit":
        return
    predicted: list[tuple[Use, Any]] = []
    for use in after_fit(case.frame, call.model):
        data = _predicted_on(use, call.model)
        if data is not None and _shuffles(data):
            predicted.append((use, data))
        for earlier, each in predicted:
            if use.statement is not earlier.statement and _reads_labels(use, each):
                text = earlier.scope.text
                yield OTHER_ORDER.found(
                    expected="predictions and labels in one order",
                    received=f"{ast.unparse(earlier.node)}, at {text.at(earlier.node)}, and the labels read again at "
                    f"{use.scope.text.at(use.node)}: {_name(earlier)} is shuffled at each reading",
                    fix=_fix(earlier, each),
                )
                return


def _predicted_on(use: Use, model: Any) -> Any:
    """Return what predict() of the model is given, None of any other expression."""
    node = use.called_on(model, "predict")
    return use.value(node.args[0]) if node is not None and node.args else None


def _name(use: Use) -> str:
    return ast.unparse(use.node.args[0]) if isinstance(use.node, ast.Call) else ""


def _shuffles(data: Any) -> bool:
    """Whether data come in another order each time that they are read."""
    if is_dataset(data):
        mixed = [each for each in below(data) if reshuffles(each)]
        return any("Cache" not in way for each in mixed for way in paths_to(data, each))
    return getattr(data, "shuffle", None) is True and any(hasattr(data, each) for each in OF_LABELS)


def _reads_labels(use: Use, data: Any) -> bool:
    """Whether an expression reads the labels of data apart from the predictions."""
    node = use.node
    if isinstance(node, ast.Attribute):
        return node.attr in OF_LABELS and not is_dataset(data) and use.value(node.value) is data
    if not is_dataset(data):
        return False
    if isinstance(use.statement, ast.For) and node is use.statement.iter:
        return _is_of(use, node, data) and not _predicts(use.statement.body)
    if isinstance(node, COMPREHENSIONS):
        return _is_of(use, node.generators[0].iter, data) and not _predicts([ast.Expr(node.elt)])
    return False


def _is_of(use: Use, node: ast.expr, data: Any) -> bool:
    return any(isinstance(each, ast.Name) and use.value(each) is data for each in ast.walk(node))


def _predicts(body: list[ast.stmt]) -> bool:
    """Whether statements take predictions as they read, which keeps both in one order, or may do so in a call."""
    calls = (each for statement in body for each in ast.walk(statement) if isinstance(each, ast.Call))
    return any(called(each) not in PLAIN for each in calls)


def _fix(use: Use, data: Any) -> str:
    """Return the statement that makes the data, without shuffling."""
    text, name = use.scope.text, _name(use)
    for call in text.calls(*READERS):
        statement = text.statement_of(call)
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        if any(ast.unparse(each) == name for each in targets):
            if fix := text.rewritten(call, shuffle=ast.Constant(value=False)):
                return fix
    return _words(name, data)


def _words(name: str, data: Any) -> str:
    if is_dataset(data):
        return f"Leave shuffle() out of {name}, or take labels and predictions in one loop over its batches."
    return f"Make {name} with shuffle=False."


# --- features that fit is given -------------------------------------------------------------------------


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
        return (text.rewritten(call, shuffle=ast.Constant(value=False)) or _words(name.id, None)) if is_shuffled else ""
    data = text.value_of(name)
    is_the_one = made is not None and made is settings[-1] and lineage.body == Lineage(text).body
    return _without_shuffle(text, call, name.id, data) if is_the_one and _shuffles(data) else ""


def _without_shuffle(text: ProgramText, made: ast.expr | None, name: str, data: Any) -> str:
    """Return the statement that makes a dataset, without the only shuffle() in it."""
    shuffles = calls_in([made], "shuffle") if made is not None else []
    function = shuffles[0].func if len(shuffles) == 1 else None
    again = text.with_expression(shuffles[0], function.value) if isinstance(function, ast.Attribute) else ""
    return again or _words(name, data)
