"""Surveys that are begun while the rest of the doctor is still being loaded."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import numpy as np

from deep_mnist.doctor.survey import WORKERS, Survey, survey

LONG_WORK = 1 << 28  # bytes: some 0.2 s


class SurveysAhead:
    """Surveys of some arrays, one after the other, in a thread of its own: what needs none of them goes on meanwhile.

    numpy lets go of the interpreter's lock inside its loops, so a second core does most of it. One thread alone, where
    the caller will hardly have to wait: a second would take the core that the caller works on.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._found: dict[str, Survey | BaseException] = {}
        self._ready = {name: threading.Event() for name in arrays}
        self._thread = threading.Thread(target=self._work, args=(dict(arrays),), daemon=True)
        self._thread.start()

    def _work(self, arrays: Mapping[str, np.ndarray]) -> None:
        for name, images in arrays.items():
            try:
                self._found[name] = survey(images, WORKERS if images.nbytes > LONG_WORK else 1)
            except BaseException as error:  # carried to the thread that asks
                self._found[name] = error
            self._ready[name].set()

    def wait(self) -> None:
        """Return when all are done."""
        for ready in self._ready.values():
            ready.wait()

    def take(self, name: str) -> Survey:
        """Return one array's survey once, when it is done, and keep it no longer."""
        self._ready[name].wait()
        found = self._found.pop(name)
        if isinstance(found, BaseException):
            raise found
        return found
