"""Check of predictions that meet labels of another order behind the fit: the data shuffle at every reading."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.live.reshuffled import reshuffles
from deep_mnist.doctor.evidence.live.dataset_graph import below, is_dataset, paths_to
from deep_mnist.doctor.evidence.live.following import Use, after_fit
from deep_mnist.doctor.evidence.live.lineage import Lineage, Place, place_of
from deep_mnist.doctor.evidence.live.source_text import called, holds, keyword_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

READERS = (
    "flow_from_directory", "flow_from_dataframe", "flow", "image_dataset_from_directory", "text_dataset_from_directory",
)  # fmt: skip
OF_LABELS = ("classes", "labels")
PREDICTING = ("predict", "predict_generator")
ASKING = (*PREDICTING, "predict_on_batch", "predict_step", "call")
PLAIN = (  # calls that predict nothing
    "append", "extend", "numpy", "argmax", "int", "list", "tuple", "concatenate", "array", "asarray", "tolist", "item",
    "reshape", "flatten", "ravel", "squeeze", "astype", "cast", "stack", "vstack", "hstack", "print", "enumerate",
)  # fmt: skip
OF_ALL_ROWS = ("len", "bincount", "unique", "Counter", "mean", "sum", "max", "min", "set", "hist", "sorted", "type")
SIZES = ("shape", "dtype", "size", "ndim")
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


class Reading(NamedTuple):
    """One reading of data behind the fit.

    Attributes:
        use: The expression that reads.
        data: A dataset, or an iterator of Keras's.
        name: As the program calls it there.
        predicts: For predictions; else for labels alone.
    """

    use: Use
    data: Any
    name: str
    predicts: bool


@check(OTHER_ORDER)
def check_shuffled_predictions(case: Case) -> Iterator[Finding]:
    """Yield at most one finding: predictions and labels each read data that shuffle, and meet in a score."""
    call = case.call
    if call is None or call.verb != "fit":
        return
    readings: list[Reading] = []
    meetings: list[Use] = []
    for use in after_fit(case.frame, call.model):
        readings += [each for each in _readings(use, call.model) if shuffles(each.data)]
        meetings += [use] if isinstance(use.node, ast.Call | ast.Compare | ast.BinOp) else []
    for scores in (each for each in readings if each.predicts):
        for labels in (each for each in readings if not each.predicts and each.data is scores.data):
            if any(_meet(use, scores.use.node, labels.use.node) for use in meetings):
                yield _in_another_order(scores, labels, first=min(scores, labels, key=readings.index), x=call.x)
                return


def _readings(use: Use, model: Any) -> Iterator[Reading]:
    """Yield the data that an expression reads: for predictions of a model, or for labels alone."""
    node, statement = use.node, use.statement
    predicted = use.called_on(model, "predict")
    if predicted is not None and predicted.args:
        yield Reading(use, use.value(predicted.args[0]), ast.unparse(predicted.args[0]), True)
    elif isinstance(node, ast.Attribute) and node.attr in OF_LABELS:
        data = use.value(node.value)
        if not is_dataset(data):
            yield Reading(use, data, ast.unparse(node.value), False)
    elif isinstance(statement, ast.For) and node is statement.iter:
        yield from _read_in_turn(use, model, node, statement.body)
    elif isinstance(node, COMPREHENSIONS):
        yield from _read_in_turn(use, model, node.generators[0].iter, [ast.Expr(node.elt)])


def _read_in_turn(use: Use, model: Any, over: ast.expr, body: list[ast.stmt]) -> Iterator[Reading]:
    """Yield the dataset that a loop reads; nothing where it may predict by a call that is not looked into."""
    calls = [each for statement in body for each in ast.walk(statement) if isinstance(each, ast.Call)]
    predicts = any(_asks(use, model, each) for each in calls)
    for name in ast.walk(over):
        if isinstance(name, ast.Name) and is_dataset(use.value(name)):
            if predicts or all(called(each) in PLAIN for each in calls):
                yield Reading(use, use.value(name), name.id, predicts)


def _asks(use: Use, model: Any, call: ast.Call) -> bool:
    """Whether a call is of the model itself, or of what predicts by it."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) and call.func.attr in ASKING else call.func
    return use.value(owner) is model


def shuffles(data: Any) -> bool:
    """Whether data come in another order each time that they are read."""
    if is_dataset(data):
        mixed = [each for each in below(data) if reshuffles(each)]
        return any("Cache" not in way for each in mixed for way in paths_to(data, each))
    return getattr(data, "shuffle", None) is True and any(hasattr(data, each) for each in OF_LABELS)


def _meet(use: Use, scores: ast.expr, labels: ast.expr) -> bool:
    """Whether an expression is made of predictions and of labels, row by row, and neither of them holds the other."""
    text = use.scope.text
    lineage = Lineage(text, text.around(use.node))
    if holds(scores, labels) or holds(labels, scores) or holds(scores, use.node) or holds(labels, use.node):
        return False
    return all(_is_made_of(lineage, use.node, place_of(use.node), each, set()) for each in (scores, labels))


def _is_made_of(lineage: Lineage, node: ast.AST, at: Place, part: ast.expr, seen: set[int]) -> bool:
    """Whether a part's rows flow into an expression, also through a function of the program that it stands in."""
    if node is part or (isinstance(node, COMPREHENSIONS) and holds(node, part)):
        return True
    if isinstance(node, ast.Attribute) and node.attr in SIZES:
        return False
    if isinstance(node, ast.Call):
        if called(node) in OF_ALL_ROWS:
            return False
        if any(holds(each, part) for each in lineage.text.functions(called(node))):
            return True
    if isinstance(node, ast.Name):
        for setting in lineage.before(node.id, at):
            if id(setting.value) not in seen:
                seen.add(id(setting.value))
                if _is_made_of(lineage, setting.value, setting.at, part, seen):
                    return True
        return False
    parts: Iterable[ast.AST] = ast.iter_child_nodes(node)
    if isinstance(node, COMPREHENSIONS):
        names = [each for each in ast.walk(node) if isinstance(each, ast.Name)]
        own = {each.id for each in names if isinstance(each.ctx, ast.Store)}
        parts = [each for each in names if each.id not in own]
    return any(_is_made_of(lineage, each, at, part, seen) for each in parts)


def _in_another_order(scores: Reading, labels: Reading, first: Reading, x: Any) -> Finding:
    read, text = labels.use, scores.use.scope.text
    return OTHER_ORDER.found(
        expected="predictions and labels in one order",
        received=f"{_told(scores.use)}, at {text.at(scores.use.node)}, and the labels read by themselves at "
        f"{read.scope.text.at(read.node)}: {scores.name} is shuffled at each reading",
        fix=_fix(scores, labels, first, x),
    )


def _told(use: Use) -> str:
    return ast.unparse(use.statement if isinstance(use.statement, ast.For) else use.node).splitlines()[0]


def _fix(scores: Reading, labels: Reading, first: Reading, x: Any) -> str:
    """Return the statement that makes the data, without shuffling; or what keeps the order of their first reading."""
    text, data = scores.use.scope.text, scores.data
    names = {scores.name, text.name_of(data)}
    for call in text.calls(*READERS) if data is not x else ():
        statement = text.statement_of(call)
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        # Of files in order of their classes, the last share is the last class.
        if any(ast.unparse(each) in names for each in targets) and keyword_of(call, "validation_split") is None:
            if fix := text.rewritten(call, shuffle=ast.Constant(value=False)):
                return fix
    bodies = [text.around(each.use.node) for each in (scores, labels)]
    if is_dataset(data) and scores.name == labels.name and bodies[0] == bodies[1]:
        at = text.at(first.use.statement)
        return f"{scores.name} = {scores.name}.cache()  # read once, and kept in memory in this order; before {at}"
    return in_words(scores.name, data)


def in_words(name: str, data: Any) -> str:
    if is_dataset(data):
        return f"Take labels and predictions in one loop over the batches of {name}, or leave shuffle() out of it."
    return f"Make {name} with shuffle=False."
