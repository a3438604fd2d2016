"""What is frozen that should train: all of a network, or one of two models that train in turns, as a GAN's."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from types import FrameType, ModuleType
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called

STEPS = ("train_on_batch", "fit")
ENDS = re.compile(r"Flatten|Global\w+Pooling")  # of a pretrained part


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


def thawed(case: Case) -> str:
    """Return the statement that lets a network train: of layers frozen one by one, those behind the pretrained part.

    A model that was not frozen as a whole has trainable=True already, and setting it does nothing.
    """
    model = case.call.model if case.call is not None else None
    held = list(getattr(model, "layers", ()))
    if not held or not getattr(model, "trainable", False):
        return "model.trainable = True"
    ends = [at for at, each in enumerate(held) if hasattr(each, "layers") or ENDS.match(type(each).__name__)]
    head = held[ends[-1] + 1 :] if ends else []
    part = f"[-{len(head)}:]" if any(getattr(each, "weights", ()) for each in head) else ""
    return f'[setattr(each, "trainable", True) for each in model.layers{part}]'
