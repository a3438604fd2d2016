"""Dynamic batching: requests that wait at the same time are predicted together.

Whoever comes while nobody predicts, predicts: at once where `seconds` is 0, so that a caller who is alone waits for
nobody. What comes in the meantime waits, and is the next batch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from deep_mnist.serving.requests.prediction import PendingPrediction


class DynamicBatcher:
    """Hands on requests in batches, from the threads that bring them.

    Args:
        predict: Predicts a batch, requests of one key, and gives each its outcome; raises nothing of a request's own.
        rows: Examples in a batch, at most; a request that has as many is a batch of its own.
        seconds: That the first request of a batch waits for others.
    """

    def __init__(self, predict: Callable[[Sequence[PendingPrediction]], None], rows: int, seconds: float) -> None:
        self._predict, self.rows, self.seconds = predict, rows, seconds
        self._waiting: list[PendingPrediction] = []
        self._came = threading.Condition()
        self._predicting = False

    def put(self, request: PendingPrediction) -> None:
        """Predict a request, or leave it to the thread that predicts already."""
        request.stages.wait()
        if len(request.images) >= self.rows:
            self._run([request])
            return
        with self._came:
            self._waiting.append(request)
            self._came.notify()
            if self._predicting:
                return
            self._predicting = True
        while batch := self._next():
            self._run(batch)

    def _next(self) -> list[PendingPrediction]:
        """Return the next batch; when there is none, leave the place to the next thread."""
        with self._came:
            if self._waiting and self.seconds:
                self._came.wait_for(self._is_full, self.seconds)
            batch: list[PendingPrediction] = []
            others: list[PendingPrediction] = []
            rows = 0
            for each in self._waiting:
                fits = rows + len(each.images) <= self.rows and (not batch or each.key == batch[0].key)
                (batch if fits else others).append(each)
                rows += len(each.images) if fits else 0
            self._waiting = others
            self._predicting = bool(batch)
            return batch

    def _is_full(self) -> bool:
        return sum(len(each.images) for each in self._waiting) >= self.rows

    def _run(self, batch: list[PendingPrediction]) -> None:
        for each in batch:
            each.stages.waited()
        try:
            self._predict(batch)
        except Exception as error:  # a fault of the server's own: every request of the batch is told
            for each in batch:
                if not each.outcome.done():
                    each.outcome.set_exception(error)
