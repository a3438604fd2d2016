"""Check of predictions that are compared with labels of another order: the data are shuffled anew at every reading."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.live.reshuffled import reshuffles
from deep_mnist.doctor.evidence.live.dataset_graph import below, is_dataset, paths_to
from deep_mnist.doctor.evidence.live.following import Use, after_fit
from deep_mnist.doctor.evidence.live.source_text import called
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

READERS = (
    "flow_from_directory", "flow_from_dataframe", "flow", "image_dataset_from_directory", "text_dataset_from_directory",
)  # fmt: skip
OF_LABELS = ("classes", "labels")
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
    return any(
        called(each) not in ("append", "extend", "numpy", "argmax", "int", "list", "concatenate") for each in calls
    )


def _fix(use: Use, data: Any) -> str:
    """Return the statement that makes the data, without shuffling."""
    text, name = use.scope.text, _name(use)
    for call in text.calls(*READERS):
        statement = text.statement_of(call)
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        if any(ast.unparse(each) == name for each in targets):
            if fix := text.rewritten(call, shuffle=ast.Constant(value=False)):
                return fix
    if is_dataset(data):
        return f"Leave shuffle() out of {name}, or take labels and predictions in one loop over its batches."
    return f"Make {name} with shuffle=False."
