"""Surveys that are begun while the rest of the doctor is still being loaded."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from deep_mnist.doctor.evidence.background import BackgroundCall
from deep_mnist.doctor.evidence.survey import WORKERS, Survey, survey

LONG_WORK = 1 << 27  # bytes: some 0.1 s, more than modules take to load


class BackgroundSurveys:
    """Surveys of some arrays, one after the other, in threads of their own: what needs none of them goes on meanwhile.

    numpy lets go of the interpreter's lock inside its loops, so a second core does most of it. One thread alone, where
    the caller will hardly have to wait: a second would take the core that the caller works on.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._found: dict[str, BackgroundCall[Survey]] = {}
        before: BackgroundCall[Survey] | None = None
        for name, images in arrays.items():
            before = self._found[name] = BackgroundCall(partial(_survey_after, before, images))

    def wait(self) -> None:
        """Return when all are done."""
        for each in list(self._found.values()):
            each.wait()

    def take(self, name: str) -> Survey:
        """Return one array's survey once, when it is done, and keep it no longer."""
        return self._found.pop(name).result()


def _survey_after(before: BackgroundCall[Survey] | None, images: np.ndarray) -> Survey:
    if before is not None:
        before.wait()
    return survey(images, WORKERS if images.nbytes > LONG_WORK else 1)
