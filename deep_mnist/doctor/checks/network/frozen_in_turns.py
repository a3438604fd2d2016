"""Two models that train in turns, as a GAN's: one is frozen for the other, and when each must be set."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import FrameType, ModuleType
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called

STEPS = ("train_on_batch", "fit")


def set_in_turns(case: Case) -> str:
    """Return when a model that another one holds is to be frozen, "" where none does.

    Since Keras 3 a model's first step decides what it trains, and no longer its compile().
    """
    outer = _model_around(case)
    if not outer or case.frame is None:
        return ""
    text, line = ProgramText(case.frame), case.frame.f_lineno
    own = next((_receiver(each) for each in text.calls_on(line, *STEPS)), "")
    of_outer = [each.lineno for each in text.calls(*STEPS) if _receiver(each) == outer and own]
    since = "Keras 3 asks at a model's first step, and not at compile(), which stays where it is"
    if not of_outer:
        return f"Set model.trainable = True right before each call that trains it, and False before {outer}'s: {since}."
    before = f"before line {of_outer[0]} ({outer}.{_method(text, outer)})"
    return f"Set model.trainable = True right before line {line}, and model.trainable = False right {before}: {since}."


def _method(text: ProgramText, receiver: str) -> str:
    return next(called(each) for each in text.calls(*STEPS) if _receiver(each) == receiver)


def _receiver(call: ast.Call) -> str:
    return ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""


def _model_around(case: Case) -> str:
    """Return what the program calls a model that holds the one that is trained, as a GAN its discriminator; else ""."""
    if case.call is None or case.frame is None:
        return ""
    for name, value in named_in(case.frame):
        layers = getattr(value, "layers", None)
        if isinstance(layers, list) and any(each is case.call.model for each in layers):
            return name
    return ""


def named_in(frame: FrameType) -> Iterator[tuple[str, Any]]:
    """Yield the variables in reach by name, and the attributes of the objects among them."""
    held = {**frame.f_globals, **frame.f_locals}
    yield from held.items()
    for name, value in held.items():
        if not isinstance(value, ModuleType | type):
            own = getattr(value, "__dict__", {})
            yield from ((f"{name}.{each}", of) for each, of in own.items() if not each.startswith("_"))
