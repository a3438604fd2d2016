"""One call of fit (or of what stands for it), as it was made: the model, the data, the arguments."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from deep_mnist.doctor.checks.program.earlier_fits import EarlierFit
from deep_mnist.doctor.evidence.live.own_step import OwnStep

FACTS = ("epochs", "batch_size", "shuffle", "validation_split", "steps_per_epoch", "validation_steps")


class Verb(StrEnum):
    """What stood for training in the source: a method of Keras's Model, a loop, a session, or a call of the doctor."""

    FIT = "fit"
    TRAIN_ON_BATCH = "train_on_batch"
    EVALUATE = "evaluate"
    CUSTOM_LOOP = "a custom loop"
    SESSION_RUN = "Session.run"
    CHECK = "check"
    ASSERT_FIT = "assert_fit"


METHODS = (Verb.FIT, Verb.TRAIN_ON_BATCH, Verb.EVALUATE)  # of Keras's Model
LOOPS = (Verb.TRAIN_ON_BATCH, Verb.CUSTOM_LOOP)  # the program itself takes one batch after another
COMPILED = (Verb.FIT, Verb.CHECK, Verb.TRAIN_ON_BATCH)  # Keras refuses these before compile()


class Later(NamedTuple):
    """What evaluate() or predict() is given behind the fit.

    Attributes:
        x, y: Arrays, tensors or a dataset; y None where x holds labels, or nothing is compared with any.
        at: Their expressions.
        call: As it stands in the program.
    """

    x: Any
    y: Any
    at: tuple[ast.expr | None, ast.expr | None]
    call: ast.Call


@dataclass
class FitCall:
    """What a call of fit says.

    Attributes:
        model: A Keras model.
        x, y: As given: arrays, tensors, lists, datasets, sequences, generators, loaders; y None where x holds labels.
        validation: validation_data as given, None without.
        facts: epochs, batch_size, shuffle, validation_split, steps_per_epoch, validation_steps, where given.
        arguments: All that was stated, by the parameters' names: callbacks, class_weight, initial_epoch, …
        verb: What was called.
        overrides: loss, from_logits that the source tells apart from compile(), as a custom loop's loss object does.
        earlier: The fits before it, where these are followed.
        step: Of a custom loop, what can be run again; None of any other call.
        train_step: Of a model that overrides it, as it was last made ready to be run; None before.
        later: What the program tests the model on behind the fit, where that is to be judged as the test split.
        direct: x and y are the call's own arguments; else they were found where the call's batch came from.
        is_inner: The network's output goes into another network, and that one's into the loss.
        by_library: A library calls the method, as scikit-learn does for a wrapped network.
    """

    model: Any
    x: Any
    y: Any = None
    validation: Any = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    verb: Verb = Verb.FIT
    overrides: Mapping[str, Any] = field(default_factory=dict)
    direct: bool = True
    by_library: bool = False
    is_inner: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)
    earlier: tuple[EarlierFit, ...] = ()
    step: OwnStep | None = None
    train_step: OwnStep | None = None
    later: Later | None = None

    @property
    def held_out(self) -> Any:
        """Data that are judged as the test split, in the form of validation_data; None without."""
        if self.later is None:
            return self.validation
        return self.later.x if self.later.y is None else (self.later.x, self.later.y)


def bound_call(verb: Verb, function: Callable[..., Any], model: Any, args: Any, kwargs: Any) -> FitCall | None:
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
    arguments = {name: value for name, value in stated.items() if name not in ("self", "kwargs")}
    validation = stated.get("validation_data")
    return FitCall(model, stated.get("x"), stated.get("y"), validation, facts, verb, arguments=arguments)
