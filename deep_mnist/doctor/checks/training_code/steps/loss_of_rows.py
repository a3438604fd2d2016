"""Check of a loss of one's own that looks at the first examples of a batch, where it means parts of each output."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.program.steps import DEFAULT_BATCH, whole_number
from deep_mnist.doctor.checks.training_code.live_batch import step_of
from deep_mnist.doctor.checks.training_code.loss_lines import LossLines, lines_of
from deep_mnist.doctor.checks.training_code.loss_rows import Rows, trial_of, trial_rows
from deep_mnist.doctor.evidence.live.loss_trial import LossTrial
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

BATCHES, FEWEST = 6, 2  # tried, and those of them with a gradient: a hinge has none where it is met
FEW_ROWS = Rule(
    code="C041",
    name="loss-of-the-first-examples",
    field="contract.loss",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="A loss of one's own takes y_pred[0], y_pred[1], … for parts of an output: they are examples of the batch.",
    why="All other examples of every batch have no gradient, and those few are compared with one another.",
)


@check(FEW_ROWS)
def check_rows_of_loss(case: Case) -> Iterator[Finding]:
    """Yield a compiled loss whose gradient is 0 for all examples but those that it names by number."""
    call = case.call
    if call is None or call.verb != "fit" or call.y is None or step_of(case) is not None:
        return
    trial = trial_of(case)
    lines = lines_of(case, trial) if trial is not None else None
    named = _named(lines) if lines is not None else set()
    rows = trial_rows(case) if named else None
    batch = whole_number(call.arguments.get("batch_size")) or DEFAULT_BATCH
    if trial is None or lines is None or rows is None or len(rows.made) <= len(named) or batch <= len(named):
        return
    if not _reached(trial, rows) <= {each % len(rows.made) for each in named}:
        return
    listed = ", ".join(f"{lines.parameters[1]}[{each}]" for each in sorted(named))
    yield FEW_ROWS.found(
        expected=f"a loss with a gradient for each of the {batch} examples of a batch",
        received=f"{trial.name} has none but for {listed}, which are examples: the first axis is the batch's",
        fix=_by_columns(lines, named, rows),
    )


def _named(lines: LossLines) -> set[int]:
    """Return the numbers of the rows of the predictions that the source of a loss names, and no slice of them."""
    nodes = [each for statement in lines.statements for each in ast.walk(statement)]
    found = [_number(each, lines.parameters[1]) for each in nodes] if len(lines.parameters) == 2 else []
    return {each for each in found if each is not None}


def _number(node: ast.AST, name: str) -> int | None:
    """Return which row of an array a subscript takes, None of any other expression."""
    if not isinstance(node, ast.Subscript) or not isinstance(node.value, ast.Name) or node.value.id != name:
        return None
    try:
        number = ast.literal_eval(node.slice)
    except ValueError:
        return None
    return number if type(number) is int else None


def _reached(trial: LossTrial, rows: Rows) -> set[int]:
    """Return which rows have a gradient in any of several batches; all of them where it is 0 or none in most."""
    random, count = np.random.default_rng(0), len(rows.made)
    reached: list[set[int]] = []
    for _ in range(BATCHES):
        order = random.permutation(count)
        noise = random.normal(scale=rows.made.std() + 0.1, size=rows.made.shape)
        found = trial.evaluate(rows.y[order], (rows.made[order] + noise).astype(np.float32)).gradient
        if found is not None and np.isfinite(found).all() and found.any():
            reached.append(set(np.flatnonzero(found.reshape(count, -1).any(axis=1)).tolist()))
    return set.union(*reached) if len(reached) >= FEWEST else set(range(count))


def _by_columns(lines: LossLines, named: set[int], rows: Rows) -> str:
    """Return the lines with parts of each output in the place of examples; a sentence where the parts are not clear."""
    sides, parts = rows.made.shape[1:], len(named)
    words = f"Take parts of each output: {lines.parameters[1]}[:, 0:n] in the place of {lines.parameters[1]}[0]."
    if named != set(range(parts)) or not sides or sides[0] % parts or (len(sides) > 1 and sides[0] != parts):
        return words
    width = sides[0] // parts

    def change(node: ast.AST) -> ast.AST | None:
        at = _number(node, lines.parameters[1])
        if at is None:
            return None
        columns = f"{at}" if len(sides) > 1 else f"{at * width}:{(at + 1) * width}"
        return ast.parse(f"{lines.parameters[1]}[:, {columns}]", mode="eval").body

    return lines.changed(change) or words
