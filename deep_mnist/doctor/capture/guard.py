"""Judge each fit in a block of code before its first step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from deep_mnist.doctor.acceptance import Accept, choices_of
from deep_mnist.doctor.capture.fit_call import FitCall, Verb
from deep_mnist.doctor.capture.intercept import inside, methods_watch
from deep_mnist.doctor.capture.live_call import judge_call
from deep_mnist.doctor.checks.program.earlier_fits import Fits
from deep_mnist.doctor.diagnosis import Diagnosis
from deep_mnist.doctor.report.own_fault import is_own_fault, tell_fault


@contextmanager
def guard(*, accept: Accept = None, ignore: Iterable[str] = ()) -> Iterator[list[Diagnosis]]:
    """Judge every fit in the block, of any Keras in this process; an unfit one is refused before its first step.

    Args:
        accept, ignore: As in `deep_mnist.doctor.check`, for every fit of the block.

    Yields:
        The diagnoses of the block's fits, in their order; the list grows.

    Raises:
        UnfitError: Out of the call of fit, with every error and its fix.

    Example:
        >>> with guard():  # doctest: +SKIP
        ...     model.fit(x_train, y_train, epochs=5)
    """
    diagnoses: list[Diagnosis] = []
    choices = choices_of(accept, ignore)
    fits = Fits()

    def before(call: FitCall, frame: FrameType | None, resume: Callable[[], Any]) -> Any:
        try:
            call.earlier = fits.earlier()
            with inside():
                diagnoses.append(judge_call(call, frame, choices=choices))
            fits.add(call, diagnoses[-1].case, ran=True)
        except Exception as error:
            if not is_own_fault(error):
                raise
            tell_fault(error, ["guard()"])  # which stops no training
        else:
            diagnoses[-1].raise_if_unfit()
        return resume()

    watch, remove = methods_watch((Verb.FIT,), before)
    watch.start()
    try:
        yield diagnoses
    finally:
        watch.stop()
        remove()
