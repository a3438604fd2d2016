"""What fit runs on its validation data, or evaluate() behind it, for a model that trains by a step of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.crashes.rules import NAMED_BY_OTHERS
from deep_mnist.doctor.checks.program.given_callbacks import callbacks_of
from deep_mnist.doctor.checks.training_code.live_batch import as_float, can_be_tried
from deep_mnist.doctor.checks.training_code.raised import told
from deep_mnist.doctor.checks.training_code.steps.step_error import is_of_a_machine, raises_as_graph
from deep_mnist.doctor.evidence.live.dataset_graph import is_dataset
from deep_mnist.doctor.evidence.live.following import after_fit
from deep_mnist.doctor.evidence.live.own_code import OF_KERAS, own_names
from deep_mnist.doctor.evidence.live.own_step import OwnStep
from deep_mnist.doctor.evidence.live.source_text import argument_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope, check

BATCH = 32  # examples, where fit is told no other number
OWN_WAYS = {"fit", "evaluate", "make_test_function"}  # that may leave test_step out

VALIDATION_RAISES = Rule(
    code="P078",
    name="validation-step-raises",
    field="fit.validation",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="A model that trains by a train_step of its own is validated or evaluated, and test_step raises: mostly it "
    "is Keras's own, which calls the model and takes the loss of compile().",
    why="The program stops with an error when the first epoch has been trained, or behind the training.",
    follows=(
        Follows(fields=NAMED_BY_OTHERS, on=On.ANY_SPLIT, least="error"),
        Follows(rules=("P070", "P074", "P076", "I140"), on=On.ANY_SPLIT),
    ),
)


class _Validated(NamedTuple):
    """Where test_step runs.

    Attributes:
        by: In words.
        data: As fit packs them: x, (x, y) or a dataset; None where they are not there yet.
    """

    by: str
    data: Any


@check(VALIDATION_RAISES)
def check_validation_step(case: Case) -> Iterator[Finding]:
    """Yield what test_step raises on its first batch, of a model whose train_step runs on train's."""
    model = case.call.model if case.call is not None and case.call.verb == "fit" else None
    if model is None or not can_be_tried(case):
        return
    own = own_names(model)
    validated = _validated(case, model) if "train_step" in own and OWN_WAYS.isdisjoint(own) else None
    if validated is None:
        return
    if _has_no_call(model, own):
        yield _found(model, own, validated, f"calls the model, and {type(model).__name__} has no call()")
    elif "test_step" in own and any(not type(each).__module__.startswith(OF_KERAS) for each in callbacks_of(case)):
        return  # such callbacks may prepare what it reads
    elif (error := _error_of(case, model, validated)) is not None:
        yield _found(model, own, validated, told(error))


def _found(model: Any, own: set[str], validated: _Validated, problem: str) -> Finding:
    name = type(model).__name__
    steps = {each: _place(model, each) for each in ("train_step", "test_step")}
    if "test_step" in own:
        return VALIDATION_RAISES.found(
            expected=f"{name}.test_step ({steps['test_step']}) to run on the first batch of {validated.by}",
            received=f"it {problem}",
            fix="Mend that line: the validation ends there.",
        )
    return VALIDATION_RAISES.found(
        expected=f"a test_step of {name}'s own beside its train_step ({steps['train_step']})",
        received=f"{validated.by}, for which Keras's own test_step {problem}",
        fix=f"Give {name} def test_step(self, data): the lines of train_step ({steps['train_step']}) without the tape, "
        "its gradients and the optimizer's step.",
    )


def _place(model: Any, method: str) -> str:
    """Return "train.py:12" of a method of the user's own, its name where that is not known."""
    code = getattr(getattr(type(model), method), "__code__", None)
    return f"{code.co_filename.rpartition('/')[2]}:{code.co_firstlineno}" if code is not None else method


def _has_no_call(model: Any, own: set[str]) -> bool:
    """Whether Keras's own test_step has no call() to run."""
    of_layers = any(each.__name__ in ("Functional", "Sequential") for each in type(model).__mro__)
    return not of_layers and own.isdisjoint({"call", "__call__", "test_step", "compute_loss"})


# --- where it runs ------------------------------------------------------------------------------------


def _validated(case: Case, model: Any) -> _Validated | None:
    """Return what fit validates on, or evaluate() behind it is given; None where neither surely is."""
    call = case.call
    if call is None:
        return None
    every, epochs = (call.arguments.get(each, 1) for each in ("validation_freq", "epochs"))
    is_reached = not isinstance(every, int) or not isinstance(epochs, int) or epochs >= every
    if call.validation is not None:
        return _Validated("validation_data", _packed(call.validation)) if is_reached else None
    if call.facts.get("validation_split"):
        return _Validated("validation_split", _given(case)) if is_reached else None
    for use in after_fit(case.frame, model):
        if use.scope.made_anew:
            return None
        node = use.called_on(model, "evaluate")
        if node is not None and use.sure:
            x, y = (argument_of(node, place, name) for place, name in enumerate("xy"))
            data = _packed((None if x is None else use.value(x), None if y is None else use.value(y)))
            return _Validated(f"evaluate() at {use.scope.text.at(node)}", data)
    return None


def _given(case: Case) -> Any:
    return _packed((case.call.x, case.call.y)) if case.call is not None else None


def _packed(data: Any) -> Any:
    """Return data as Keras hands them to a step: x alone where there is no y."""
    if not isinstance(data, tuple | list) or not data:
        return data
    x, *others = data
    while others and others[-1] is None:
        others.pop()
    return (x, *others) if others or isinstance(x, tuple | list) else x


# --- the trial ----------------------------------------------------------------------------------------


def _error_of(case: Case, model: Any, validated: _Validated) -> Exception | None:
    """Return what test_step raises, eagerly and as a graph, behind a train_step that runs; None where it does not."""
    size = case.fit.get("batch_size")
    size = size if isinstance(size, int) else BATCH
    train, held = (_first_batch(each, size) for each in (_given(case), validated.data))
    if train is None or held is None:
        return None
    trained: list[bool] = []

    def run(one: Any, other: Any) -> None:
        trained.clear()
        model.train_step(one)
        trained.append(True)
        model.test_step(other)

    step = OwnStep(model, train, held, run, is_whole=True)
    error = step.record().error
    if error is None or not trained or is_of_a_machine(error):
        return None
    if not model.run_eagerly and not (raises_as_graph(step) and trained):
        return None
    return error


def _first_batch(data: Any, size: int) -> Any:
    """Return the first batch of arrays or of a dataset, as tensors; None of what cannot be read twice."""
    tf = sys.modules["tensorflow"]
    try:
        if is_dataset(data):
            return next(iter(data.take(1)), None)
        leaves = tf.nest.flatten(data)
        if not leaves or not all(hasattr(each, "shape") and hasattr(each, "__getitem__") for each in leaves):
            return None
        return tf.nest.map_structure(lambda each: tf.convert_to_tensor(as_float(np.asarray(each[:size]))), data)
    except Exception:  # the program's own data, whose fault is another rule's
        return None
