"""What a fit that was judged and not run returns, so that a script can go on to its next fit."""

from __future__ import annotations

import sys
from collections import defaultdict
from contextlib import suppress
from typing import Any

from deep_mnist.doctor.capture.fit_call import FitCall, Verb
from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.crashes.rules import FILE_MISSING, NOT_BUILT
from deep_mnist.doctor.checks.training_code.live_batch import can_be_tried, rows_of
from deep_mnist.doctor.finding import Finding

NOT_RUN = float("nan")


def result_of(call: FitCall) -> Any:
    """Return what the call would have: a History whose every metric is NaN, or NaN for each metric."""
    if call.verb is Verb.FIT:
        epochs = call.facts.get("epochs") or 1
        package = "tf_keras" if type(call.model).__mro__[-2].__module__.startswith("tf_keras") else "keras"
        history = _history(package)
        history.history = defaultdict(lambda: [NOT_RUN] * epochs)
        history.epoch = list(range(epochs))
        history.set_model(call.model)
        return history
    if call.facts.get("return_dict"):
        return defaultdict(lambda: NOT_RUN)
    compiled = getattr(call.model, "_compile_metrics", None)  # tf_keras names it alike
    count = 1 + len(getattr(compiled, "_user_metrics", None) or ())
    return [NOT_RUN] * count if count > 1 else NOT_RUN


def build_as_fit_would(case: Case) -> None:
    """Give the model of a fit that does not run its weights, where its first batch would have made them."""
    model = case.call.model if case.call is not None else None
    if model is None or model.built or not can_be_tried(case):
        return
    x, _ = rows_of(case)
    if x is None:
        return
    with suppress(Exception):  # the user's own code may raise anything; the diagnosis has told it
        if type(model).__name__ == "Sequential" and hasattr(x, "shape"):
            model.build((None, *x.shape[1:]))
        else:
            model(sys.modules["tensorflow"].nest.map_structure(sys.modules["tensorflow"].convert_to_tensor, x))


def lacks_a_run(error: BaseException, finding: Finding | None) -> str:
    """Return the sentence on an error that a fit which ran may have prevented, "" of any other error.

    Args:
        error: That ended the program behind a fit that was judged and not run.
        finding: What is known of it.
    """
    is_known = finding is not None and finding.rule.code in (FILE_MISSING.code, NOT_BUILT.code)
    if not is_known and not isinstance(error, FileNotFoundError):
        return ""
    return "No fit has run, as --all judges fits alone, and a run makes files and weights. --train runs sound fits."


def _history(package: str) -> Any:
    module = sys.modules.get(package) or sys.modules["keras"]
    return module.callbacks.History()
