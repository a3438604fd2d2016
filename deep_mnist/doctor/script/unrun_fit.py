"""What a fit that was judged and not run returns, so that a script can go on to its next fit."""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import Any

from deep_mnist.doctor.capture.fit_call import FitCall, Verb

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


def _history(package: str) -> Any:
    module = sys.modules.get(package) or sys.modules["keras"]
    return module.callbacks.History()
