"""What a TensorFlow 1 graph and its feeds show apart from shapes and labels; rates and dropout in evaluation here."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np

from deep_mnist.doctor.capture.source import Source
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Scope
from deep_mnist.doctor.tensorflow1.faults.accuracy_faults import accuracy_faults
from deep_mnist.doctor.tensorflow1.faults.layer_faults import layer_faults
from deep_mnist.doctor.tensorflow1.faults.loss_faults import loss_faults
from deep_mnist.doctor.tensorflow1.faults.loss_words import cross_entropy
from deep_mnist.doctor.tensorflow1.faults.program_faults import program_faults
from deep_mnist.doctor.tensorflow1.graph_walk import consumers, rates_of, trains
from deep_mnist.doctor.tensorflow1.rules import (
    DROPOUT_IN_EVALUATION,
    GRAPH_RATE_NOT_POSITIVE,
    GRAPH_RATE_TOO_HIGH,
    LOG_OF_SOFTMAX,
)
from deep_mnist.doctor.tensorflow1.session_case import SessionCase
from deep_mnist.doctor.tensorflow1.steps.rehearsal import rehearsal_findings
from deep_mnist.doctor.tensorflow1.steps.trial import BUDGET, StepFailedError
from deep_mnist.doctor.tensorflow1.training_words import minimized

if TYPE_CHECKING:
    from deep_mnist.doctor.tensorflow1.graph_mode import FedRun

CAUSES = ("contract.loss", "contract.from_logits", "model.output_activation", "model.optimizer", "model.dropout")
HIGHEST_RATE = {"Adam": 0.01, "RMSProp": 0.01, "GradientDescent": 1.0, "Momentum": 0.5, "Adagrad": 1.0}
USUAL_RATE = {"Adam": 1e-4, "RMSProp": 1e-3, "GradientDescent": 0.5, "Momentum": 0.01, "Adagrad": 0.01}


def faults_of(
    case: SessionCase, frame: FrameType | None, earlier: Sequence[FedRun] = (), budget: float = BUDGET
) -> tuple[list[Finding], bool]:
    """Return what is wrong with the graph and its training, and whether the run itself raises.

    Args:
        case: Of the run.
        frame: Of the code that makes it.
        earlier: Runs before it that only read.
        budget: Multiplications that one trial of the rehearsal may take.
    """
    met = case.supervision
    found = [*loss_faults(case), *accuracy_faults(case), *layer_faults(case), *program_faults(case, frame)]
    if case.run.loss is not None and case.run.loss.unprotected and not (met and met.takes_logits):
        found.append(_log_of_softmax(case))
    found += [*_rates(case)]
    found += next(([each] for run in (case.run, *earlier) for each in _dropout_in_evaluation(run, frame)), [])
    try:
        found += rehearsal_findings(case, budget=budget)
    except StepFailedError:
        return _causes(found), True
    return _causes(found), False


def _causes(found: list[Finding]) -> list[Finding]:
    """Leave out what a run showed where the graph had named its cause, and a cause that was named twice."""
    once = list({each.rule.code: each for each in found}.values())
    named = any(each.severity != "note" and each.rule.scope is Scope.GRAPH and each.field in CAUSES for each in once)
    return [each for each in once if not (named and each.rule.scope is Scope.RUN)]


def _log_of_softmax(case: SessionCase) -> Finding:
    met = case.supervision
    loss = case.names.of(case.step.loss, "loss") if case.step is not None and case.step.loss is not None else "loss"
    entropy = (
        cross_entropy(case, met)
        if met is not None and met.kind == "product"
        else ("tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=logits))")
    )
    return LOG_OF_SOFTMAX.found(
        expected="softmax_cross_entropy_with_logits, which never takes log(0)",
        received="log(softmax(…)) with nothing that keeps it from 0",
        fix=f"{loss} = {entropy}",
    )


def _rates(case: SessionCase) -> Iterator[Finding]:
    for name, rate in dict.fromkeys(rates_of(case.run.graph)):
        usual = USUAL_RATE.get(name, 1e-3)
        is_own = case.step is not None and case.step.optimizer == name
        if rate > HIGHEST_RATE.get(name, np.inf) or rate <= 0:
            yield (GRAPH_RATE_TOO_HIGH if rate > 0 else GRAPH_RATE_NOT_POSITIVE).found(
                expected=f"a rate of at most {HIGHEST_RATE.get(name, 1.0):g} for {name}",
                received=f"{rate:g}",
                fix=minimized(case, rate=usual) if is_own else f"tf.train.{name}Optimizer({usual:g})",
            )


def _dropout_in_evaluation(run: FedRun, frame: FrameType | None) -> Iterator[Finding]:
    """A run that only reads, with dropout at work: this one, or one that the source shows further on."""
    for placeholder, value in run.fed.items():
        keeps = _is_keep_probability(placeholder)
        if keeps is None:
            continue
        here = not run.is_training and np.ndim(value) == 0 and _drops(float(value), keeps)
        lines = [frame.f_lineno] if here and frame is not None else list(_evaluations(placeholder, keeps, frame))
        if here or lines:
            yield _dropping(placeholder, keeps, lines)
            return


def _dropping(placeholder: Any, keeps: bool, lines: list[int]) -> Finding:
    name, off = placeholder.op.name, "1.0" if keeps else "0.0"
    where = f" on line {', '.join(map(str, lines[:3]))}" if lines else ""
    return DROPOUT_IN_EVALUATION.found(
        expected=f"dropout off in evaluation: {name} fed with {off}",
        received=f"units left out while accuracy is measured{where}",
        fix=f"accuracy.eval(feed_dict={{…, {name}: {off}}})",
    )


def _drops(value: float, keeps: bool) -> bool:
    return value < 1.0 if keeps else value > 0.0


def _is_keep_probability(placeholder: Any) -> bool | None:
    """Whether a scalar placeholder is dropout's keep_prob (True) or rate (False); None when it is neither."""
    if placeholder.shape.rank not in (None, 0) or not placeholder.dtype.is_floating:
        return None
    near = [(operation, operation.name) for operation in consumers(placeholder)]
    behind = [(first, each.name) for first, _ in near for output in first.outputs for each in consumers(output)]
    for first, name in (*near, *behind):
        if "dropout" in name.lower():
            return first.type == "Sub" and "dropout" not in first.name.lower()
    return None


def _evaluations(placeholder: Any, keeps: bool, frame: FrameType | None) -> Iterator[int]:
    """Yield the lines of evaluations in the source that feed the placeholder a number at which dropout works."""
    if frame is None:
        return
    space = {**frame.f_globals, **frame.f_locals}
    for node in ast.walk(Source(frame).tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        fed = next((each.value for each in node.keywords if each.arg == "feed_dict"), None)
        if not isinstance(fed, ast.Dict):
            continue
        for key, value in zip(fed.keys, fed.values, strict=True):
            known = isinstance(key, ast.Name) and space.get(key.id) is placeholder and isinstance(value, ast.Constant)
            if known and isinstance(value, ast.Constant) and isinstance(value.value, int | float):
                if _drops(float(value.value), keeps) and _only_reads(node, space):
                    yield node.lineno


def _only_reads(node: ast.Call, space: dict[str, Any]) -> bool:
    """Whether x.eval(…) or session.run(x, …) fetches nothing that trains."""
    if not isinstance(node.func, ast.Attribute):
        return False
    fetched: ast.expr | None = node.func.value if node.func.attr == "eval" else node.args[0] if node.args else None
    names = fetched.elts if isinstance(fetched, ast.List | ast.Tuple) else [fetched]
    values = [space.get(each.id) if isinstance(each, ast.Name) else None for each in names]
    operations = [getattr(each, "op", each) for each in values]
    known = all(hasattr(each, "control_inputs") for each in operations)
    return known and node.func.attr in ("eval", "run") and not any(trains(each) for each in operations)
