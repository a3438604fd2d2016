"""What an error tells: what was expected, what was received, and the fix.

Every exception class of the three layers says "Expected …. Received: …. Fix: …" in its message, or carries the parts
as attributes `expected`, `received` and `fix`. A class whose errors share one remedy holds it as its own `fix`, which
serves where a message names none.
"""

from __future__ import annotations

import re
from typing import NamedTuple

LAYERS = ("deep_mnist", "components", "pipeline")
_SENTENCES = re.compile(
    r"\bExpected:?\s+(?P<expected>.*?)\.?\s+Received:?\s+(?P<received>.*?)(?:[.;,]?\s+Fix:\s+(?P<fix>.*))?", re.DOTALL
)


class Advice(NamedTuple):
    """The three things that a refusal owes its reader."""

    expected: str
    received: str
    fix: str


def advice_of(error: BaseException) -> Advice | None:
    """Return what an error tells, or None for one that neither is of this code nor was raised by it in its form.

    Example:
        >>> from deep_mnist.data.dataset import DatasetError
        >>> advice_of(DatasetError("Expected a folder. Received: a file. Fix: name the folder."))
        Advice(expected='a folder', received='a file', fix='name the folder')
        >>> advice_of(KeyError("x")) is None
        True
    """
    message = str(error).strip()
    found = _SENTENCES.fullmatch(message)
    if not _is_ours(type(error).__module__) and not (found and _is_ours(_raiser(error))):
        return None
    parts = found.groupdict(default="") if found else {}
    advice = {name: _part(error, name, parts) for name in Advice._fields}
    advice["received"] = advice["received"] or message
    return Advice(**advice)


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in LAYERS


def _raiser(error: BaseException) -> str:
    """Return the module whose code raised the error: Keras writes "Expected … Received: …", too."""
    place = error.__traceback__
    while place and place.tb_next:
        place = place.tb_next
    return str(place.tb_frame.f_globals.get("__name__", "")) if place else ""


def _part(error: BaseException, name: str, parts: dict[str, str]) -> str:
    """Return one part: the error's own, else the message's, else its class's."""
    part = vars(error).get(name) or parts.get(name, "").strip().rstrip(".") or getattr(type(error), name, "")
    return part if isinstance(part, str) else ""
