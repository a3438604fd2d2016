"""Puts the doctor before the runs of a TensorFlow 1 session that feed examples, train, or would wait for ever."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import Any

from deep_mnist.doctor.capture.intercept import ImportWatch, is_inside
from deep_mnist.doctor.evidence.live.own_code import users_frame
from deep_mnist.doctor.tensorflow1.graph_mode import FedRun, session_run
from deep_mnist.doctor.tensorflow1.session_notes import notes_of

SESSION_MODULE = "tensorflow.python.client.session"

# Called before such a run with it, the caller's frame, and the run itself; what it returns is the run's result.
BeforeRun = Callable[[FedRun, FrameType | None, Callable[[], Any]], Any]


def watch_sessions(
    before: BeforeRun, wanted: Callable[[], bool] = lambda: True
) -> tuple[ImportWatch, Callable[[], None]]:
    """Return a watch that puts `before` before every run that is to be judged, and what takes it away.

    Args:
        before: Gets the runs.
        wanted: Whether runs are still looked at: once one was judged, those that follow cost nothing.
    """
    undo: list[Callable[[], None]] = []

    def patch(module: ModuleType) -> None:
        session = module.BaseSession
        own = session.run

        @functools.wraps(own)
        def run(self: Any, fetches: Any, feed_dict: Any = None, *args: Any, **kwargs: Any) -> Any:
            def resume() -> Any:
                return own(self, fetches, feed_dict, *args, **kwargs)

            if is_inside() or not wanted():
                return resume()
            seen = session_run(self, fetches, feed_dict)
            if seen.is_judged:
                return before(seen, users_frame(sys._getframe(1)), resume)
            notes = notes_of(self)
            notes.before(seen.fetches, seen.fed)
            result = resume()
            notes.after(fetches, result)
            return result

        session.run = run
        undo.append(lambda: setattr(session, "run", own))

    def remove() -> None:
        while undo:
            undo.pop()()

    return ImportWatch({SESSION_MODULE: patch}), remove
