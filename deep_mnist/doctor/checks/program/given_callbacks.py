"""The callbacks that a call of fit is given, and what they go by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.case import Case


def callbacks_of(case: Case) -> list[Any]:
    """Return the callbacks of the call, in order."""
    stated = case.call.arguments.get("callbacks") if case.call is not None else None
    return list(_flat(getattr(stated, "callbacks", stated)))


def _flat(stated: Any) -> Iterator[Any]:
    if isinstance(stated, list | tuple):
        for each in stated:
            yield from _flat(each)
    elif stated is not None:
        yield stated


def is_monitored(case: Case, name: str) -> bool:
    """Whether a callback of the call goes by a value of fit's logs, of train or of validation."""
    return any(getattr(each, "monitor", None) in (name, f"val_{name}") for each in callbacks_of(case))
