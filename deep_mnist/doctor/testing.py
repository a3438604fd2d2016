"""The doctor in a team's own tests.

from deep_mnist.doctor.testing import assert_fit

def test_the_data_fit_the_network():
    assert_fit(build_model(), *load_training_data())
"""

from __future__ import annotations

import sys
from typing import Any

from deep_mnist.doctor.acceptance import choices_of
from deep_mnist.doctor.capture.fit_call import FitCall, Verb
from deep_mnist.doctor.capture.live_call import call_of_check, judge_call
from deep_mnist.doctor.diagnosis import Diagnosis


def assert_fit(model: Any, x: Any, y: Any = None, **fit: Any) -> Diagnosis:
    """Return the diagnosis of model.fit(x, y, …) when it is fit.

    Args:
        model, x, y: As `deep_mnist.doctor.check` takes them.
        **fit: validation_data, accept, ignore, epochs, validation_split, …, as there.

    Raises:
        AssertionError: It is unfit; the message holds every error with its fix.
        NotUsableError: It is no Keras model, or there is nothing to judge.
    """
    __tracebackhide__ = True
    choices = choices_of(fit.pop("accept", None), fit.pop("ignore", ()))
    call: FitCall = call_of_check(Verb.ASSERT_FIT, model, x, y, fit)
    diagnosis = judge_call(call, sys._getframe(1), choices=choices)
    if diagnosis.verdict != "fit":
        raise AssertionError(f"Expected data that the network can be trained on. Received:\n{diagnosis}")
    return diagnosis
