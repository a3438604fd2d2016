"""Losses of one's own, one for each of several outputs: told by their source, as each has targets of its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import SimpleNamespace

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.training_code.live_batch import step_of
from deep_mnist.doctor.checks.training_code.loss_lines import LossLines, lines_of
from deep_mnist.doctor.checks.training_code.own_loss_rules import SWAPPED
from deep_mnist.doctor.evidence.live.loss_trial import LossTrial, of_compiled
from deep_mnist.doctor.evidence.live.source_text import called
from deep_mnist.doctor.finding import Finding

# Of which the order matters; the divergence of Kullback and Leibler is used in both directions.
ORDERED = ("binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy",
           "binary_focal_crossentropy", "categorical_focal_crossentropy")  # fmt: skip


def swapped_in_outputs(case: Case) -> Iterator[Finding]:
    """Yield the losses of outputs that give a cross-entropy of Keras the predictions first, and never second."""
    if not case.contract.outputs or step_of(case) is not None:
        return
    for trial in _trials(case):
        lines = lines_of(case, trial)
        if name := _turned(lines):
            yield SWAPPED.found(
                expected=f"{name}(y_true, y_pred): targets first",
                received=f"{trial.name}, the loss of an output, gives it the predictions first",
                fix=lines.with_arguments_swapped(),
            )


def _trials(case: Case) -> list[LossTrial]:
    """Return the user's own losses among those of compile(), each once."""
    stated = getattr(case.call.model, "loss", None) if case.call is not None else None
    values = list(stated.values()) if isinstance(stated, dict) else stated if isinstance(stated, list | tuple) else []
    found = [of_compiled(SimpleNamespace(loss=each)) for each in {id(each): each for each in values}.values()]
    return [each for each in found if each is not None]


def _turned(lines: LossLines) -> str:
    """Return the cross-entropy that is called with both parameters exchanged, "" where it is called rightly, too."""
    calls = [each for of in lines.statements for each in ast.walk(of) if isinstance(each, ast.Call)]
    due = [(called(each), [getattr(given, "id", "") for given in each.args[:2]]) for each in calls]
    due = [each for each in due if each[0] in ORDERED and sorted(each[1]) == sorted(lines.parameters)]
    names = [name for name, given in due if given == [*lines.parameters[::-1]]]
    return names[0] if names and len(names) == len(due) and len(lines.parameters) == 2 else ""
