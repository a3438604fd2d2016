"""Work in a background thread; numpy lets go of the interpreter's lock in its loops."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import numpy as np

Found = TypeVar("Found")
SWITCH = 0.0002  # seconds after which a thread passes the lock on; Python's own 0.005 is ten of numpy's loops here


class BackgroundCall(Generic[Found]):
    """One call, begun at once.

    >>> BackgroundCall(lambda: 6 * 7).result()
    42
    """

    def __init__(self, work: Callable[[], Found]) -> None:
        self._found: list[Found] = []
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)  # it forgets the work
        self._thread.start()

    def _run(self, work: Callable[[], Found]) -> None:
        try:
            with np.errstate(all="ignore"):  # of this thread
                self._found.append(work())
        except BaseException as error:  # carried to the thread that asks
            self._failed = error

    def wait(self) -> None:
        """Return when it is done, whatever came of it."""
        self._thread.join()

    def result(self) -> Found:
        """Return what the call returned, when it is done, or raise what it raised."""
        self.wait()
        if self._failed is not None:
            raise self._failed
        return self._found[0]


@contextmanager
def passing_the_lock_on_sooner() -> Iterator[None]:
    """Let threads that come out of numpy's loops go on after SWITCH seconds, while the block runs."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
