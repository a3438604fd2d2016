"""Check of the names that compile() is given for losses and metrics: Keras 3 looks them up at the first step alone."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.crashes.models import nearest
from deep_mnist.doctor.checks.program.compiled_metrics import stated_metrics
from deep_mnist.doctor.checks.training_code.live_batch import can_be_tried
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

OF_EVERY_LOSS = ("accuracy", "acc", "crossentropy", "ce")  # metrics that are looked up by the loss
MEANT = {("loss", "rmse"): "mean_squared_error", ("metric", "rmse"): "RootMeanSquaredError",
         ("loss", "l1"): "mean_absolute_error", ("loss", "l2"): "mean_squared_error",
         ("metric", "f1"): "F1Score"}  # fmt: skip

NO_SUCH_NAME = Rule(
    code="C045",
    name="name-that-keras-lacks",
    field="contract.loss",
    other_fields=("contract.metrics",),
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="A loss or metric is given to compile() by a name that Keras does not know.",
    why="compile() takes it, and fit stops at its first step: could not interpret identifier.",
)


@check(NO_SUCH_NAME)
def check_names(case: Case) -> Iterator[Finding]:
    """Yield names of losses and metrics that Keras refuses."""
    call = case.call
    if call is None or not can_be_tried(case) or not getattr(call.model, "compiled", False):
        return
    keras, tf = sys.modules["keras"], sys.modules["tensorflow"]
    rooms = {"loss": (keras.losses, getattr(call.model, "loss", None)),
             "metric": (keras.metrics, stated_metrics(call.model))}  # fmt: skip
    for kind, (room, stated) in rooms.items():
        for name in dict.fromkeys(each for each in tf.nest.flatten(stated) if isinstance(each, str)):
            if not _is_known(kind, room, name):
                yield NO_SUCH_NAME.found(
                    field="contract.loss" if kind == "loss" else "contract.metrics",
                    expected=f"a {kind} that Keras has by its name",
                    received=repr(name),
                    fix=_mended(case, kind, room, name)
                    or f"Give compile() the {kind} itself, or one of {room.__name__} by its name.",
                )


def _is_known(kind: str, room: Any, name: str) -> bool:
    if kind == "metric" and name in OF_EVERY_LOSS:
        return True
    try:
        return room.get(name) is not None
    except (ValueError, TypeError):
        return False


def _mended(case: Case, kind: str, room: Any, name: str) -> str:
    """Return the only line of compile() that says the name, with the one that is meant; "" of none."""
    known = [each for each in dir(room) if not each.startswith("_") and each not in ("deserialize", "get", "serialize")]
    meant = MEANT.get((kind, name.lower())) or nearest(name, known)
    text = ProgramText(case.frame) if case.frame is not None else None
    if text is None or meant is None or not _is_known(kind, room, meant):
        return ""
    said = [each for of in text.calls("compile") for each in ast.walk(of)
            if isinstance(each, ast.Constant) and each.value == name]  # fmt: skip
    return text.with_expression(said[0], ast.Constant(meant)) if len(said) == 1 else ""
