"""One call of fit (or of what stands for it), as it was made: the model, the data, the arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

FACTS = ("epochs", "batch_size", "shuffle", "validation_split", "steps_per_epoch", "validation_steps")


@dataclass
class FitCall:
    """What a call of fit says.

    Attributes:
        model: A Keras model.
        x, y: As given: arrays, tensors, lists, datasets, sequences, generators, loaders; y None where x holds labels.
        validation: validation_data as given, None without.
        facts: epochs, batch_size, shuffle, validation_split, steps_per_epoch, validation_steps, where given.
        verb: "fit", "train_on_batch", "evaluate", "a custom loop", "Session.run", "check" or "assert_fit".
        overrides: loss, from_logits that the source tells beside compile(), as a custom loop's loss object does.
        direct: x and y are the call's own arguments; else they were found where the call's batch came from.
    """

    model: Any
    x: Any
    y: Any = None
    validation: Any = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    verb: str = "fit"
    overrides: Mapping[str, Any] = field(default_factory=dict)
    direct: bool = True


def bound_call(verb: str, function: Callable[..., Any], model: Any, args: Any, kwargs: Any) -> FitCall | None:
    """Return the call that function(model, *args, **kwargs) makes; None when Python itself will refuse it."""
    try:
        bound = inspect.signature(function).bind(model, *args, **kwargs)
    except TypeError:
        return None
    stated = bound.arguments
    inner = stated.get("kwargs")
    if isinstance(inner, Mapping):
        stated = {**stated, **inner}
    facts = {name: stated[name] for name in (*FACTS, "return_dict") if stated.get(name) is not None}
    return FitCall(model, stated.get("x"), stated.get("y"), stated.get("validation_data"), facts, verb)
