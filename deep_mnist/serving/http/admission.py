"""How many requests are at work: a bounded pool of threads, and a count that a request that timed out still holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from deep_mnist.serving.http.limits import ServingLimits
from deep_mnist.serving.requests.error_response import RequestError

Result = TypeVar("Result")


class Admission:
    """Takes at most `limits.concurrent` requests at once; used on the event loop only.

    Attributes:
        at_work: Requests that hold memory or a thread now.
    """

    def __init__(self, limits: ServingLimits) -> None:
        self.limits = limits
        self.at_work = 0
        self._pool = ThreadPoolExecutor(limits.workers, thread_name_prefix="predict")

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Hold one of the places.

        Raises:
            RequestError: None is free.
        """
        if self.at_work >= self.limits.concurrent:
            raise RequestError(
                503,
                "request",
                f"at most {self.limits.concurrent} requests at once",
                "one more",
                "send it again in a second",
                headers={"retry-after": "1"},
            )
        self.at_work += 1
        try:
            yield
        finally:
            self.at_work -= 1

    async def run(self, work: Callable[[Future[Result]], None]) -> Result:
        """Run `work` in the pool and return its outcome, which may come from another thread after `work` has ended.

        Args:
            work: Is given the outcome to set; what it raises is the outcome too.

        Raises:
            RequestError: It took too long. What has begun cannot be stopped: it holds a place until it ends.
        """
        loop = asyncio.get_running_loop()
        outcome: Future[Result] = Future()
        self._pool.submit(_begin, work, outcome)
        try:
            async with asyncio.timeout(self.limits.seconds):
                return await asyncio.wrap_future(outcome)
        except TimeoutError:
            if outcome.running():
                self._hold(outcome, loop)
            expected, fix = f"predictions within {self.limits.seconds:g} s", "send fewer examples in a request"
            raise RequestError(504, "request", expected, "none so far", fix) from None

    def _hold(self, future: Future[Result], loop: asyncio.AbstractEventLoop) -> None:
        self.at_work += 1

        def free() -> None:
            self.at_work -= 1

        future.add_done_callback(lambda _: loop.call_soon_threadsafe(free))

    def close(self) -> None:
        """Wait for what is at work."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _begin(work: Callable[[Future[Result]], None], outcome: Future[Result]) -> None:
    if not outcome.set_running_or_notify_cancel():  # given up before a thread was free
        return
    try:
        work(outcome)
    except BaseException as error:
        outcome.set_exception(error)
