"""Why would training fail? Ask before the first step.

    from deep_mnist import doctor

    diagnosis = doctor.check(model, x_train, y_train, validation_data=(x_test, y_test), epochs=5)
    diagnosis.raise_if_unfit()

    doctor.suspects(model, x_train, y_train).examples  # single labels that are likely wrong

    with doctor.guard():          # every fit in the block is judged first, and refused when it is unfit
        model.fit(x_train, y_train, epochs=5)

Importing this package imports neither numpy nor TensorFlow; a name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deep_mnist.doctor.capture.guard import guard
    from deep_mnist.doctor.capture.live_call import check
    from deep_mnist.doctor.case import NotUsableError
    from deep_mnist.doctor.diagnosis import Diagnosis, UnfitError
    from deep_mnist.doctor.rehearsal.rehearse import Rehearsal, rehearse
    from deep_mnist.doctor.rehearsal.watchdog import UnhealthyTrainingError, Watchdog
    from deep_mnist.labels.live import suspects

_HOME = {
    "check": "capture.live_call",
    "guard": "capture.guard",
    "rehearse": "rehearsal.rehearse",
    "Diagnosis": "diagnosis",
    "NotUsableError": "case",
    "Rehearsal": "rehearsal.rehearse",
    "UnfitError": "diagnosis",
    "UnhealthyTrainingError": "rehearsal.watchdog",
    "Watchdog": "rehearsal.watchdog",
    "suspects": "deep_mnist.labels.live",  # a floor above: it uses what checks look at
}

__all__ = [
    "Diagnosis",
    "NotUsableError",
    "Rehearsal",
    "UnfitError",
    "UnhealthyTrainingError",
    "Watchdog",
    "check",
    "guard",
    "rehearse",
    "suspects",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOME[name]
    return getattr(importlib.import_module(home if home.startswith("deep_mnist.") else f"{__name__}.{home}"), name)
