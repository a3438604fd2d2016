"""The first step of fit, traced as fit traces it: the graph of the user's own layers, losses and data raises there.

Nothing is computed. A network of Keras's layers and losses alone, on arrays, is not traced: what it takes is read from
its configuration.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.crashes.crash import Crash
from deep_mnist.doctor.checks.training_code.live_batch import can_be_tried, rows_of
from deep_mnist.doctor.checks.training_code.raised import told
from deep_mnist.doctor.checks.training_code.steps.step_error import is_of_a_machine, placed
from deep_mnist.doctor.checks.training_code.steps.untraceable_step import OWN_WAYS, run_eagerly, runs_eagerly
from deep_mnist.doctor.evidence.live.own_code import all_layers, own_names
from deep_mnist.doctor.evidence.live.own_step import OwnStep, recording
from deep_mnist.doctor.evidence.live.restoring import unchanged, whole_tracebacks
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.evidence.live.statements.fix_statements import is_code
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope, check

ROWS = 2  # of a dataset that leaves open how many
BATCH = 32  # where fit is not told
LENGTH = 8  # of axes whose length a dataset leaves open
SURE = "Make the network"  # how sentences begin that nothing is to take the place of
DEFAULT_STRATEGY = "_DefaultDistributionStrategy"
OF_GRAPHS = "graph.mode"
OF_SCOPE = "strategy.scope()"
ONE_INPUT = "expects 1 input(s), but it received"

NOT_TRACED = Rule(
    code="P153",
    name="fit-cannot-be-traced",
    field="rehearsal.updates",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="The step of fit cannot be made a graph: a layer, loss or metric of one's own raises on tensors whose "
    "batch axis is not known yet, or the data or a strategy do not go with the network.",
    why="fit stops at its first step.",
    follows=(Follows(any_field=True, on=On.ANY_SPLIT, least="error"),),
)


@check(NOT_TRACED)
def check_fit_is_traceable(case: Case) -> Iterator[Finding]:
    """Yield what a step of fit raises when it is traced, where the program brings something of its own into it."""
    from deep_mnist.doctor.checks.crashes.explain import finding_of

    call = case.call
    if call is None or call.verb != "fit" or call.step is not None or not can_be_tried(case):
        return
    if OWN_WAYS & own_names(call.model) or runs_eagerly(call.model) or not _brings_its_own(case):
        return
    error = _error_of(case)
    if error is None or is_of_a_machine(error):
        return
    known = _of_parts(case, error) or finding_of(error, model=call.model, caller=case.frame)
    place = Crash(error).place
    fix = known.fix if known is not None else ""
    if fix and is_code(fix) and not (known is not None and known.field == OF_GRAPHS):  # which is told for all graphs
        fix = placed(fix, place) if place else fix
    elif not fix.startswith(SURE) and _ends_eagerly(case):
        fix = run_eagerly(case)
    yield NOT_TRACED.found(
        expected=known.expected if known is not None else "a step of fit that can be made a graph",
        received=known.received if known is not None else f"it {told(error)}",
        fix=fix or "Mend that line: fit ends there.",
    )


def _brings_its_own(case: Case) -> bool:
    """Whether anything takes part in a step that Keras has not written, or that it may not take."""
    call, tf = case.call, sys.modules["tensorflow"]
    if call is None:
        return False
    optimizer = getattr(call.model, "optimizer", None)
    parts = [call.model, *all_layers(call.model), optimizer, getattr(optimizer, "_learning_rate", None)]
    if any(not _is_of_keras(type(each)) or type(each).__name__ == "Lambda" for each in parts if each is not None):
        return True
    compiled = getattr(call.model, "_compile_config", None)
    stated = tf.nest.flatten(getattr(compiled, "config", None) or {})
    if any(callable(each) and not _is_of_keras(each) for each in stated):
        return True
    if any(hasattr(each, "row_splits") for each in (call.x, call.y)):
        return True
    if _is_of_columns(call.x) and type(call.model).__name__ == "Sequential":
        return True
    return _is_distributed(call.model)


def _is_distributed(model: Any) -> bool:
    """Whether a model or its optimizer was made within a strategy's scope."""
    optimizer = getattr(model, "optimizer", None)
    strategies = (model.distribute_strategy, getattr(optimizer, "_distribution_strategy", None))
    return any(type(each).__name__ not in ("NoneType", DEFAULT_STRATEGY) for each in strategies)


def _is_of_columns(x: Any) -> bool:
    """Whether inputs are a dictionary, as of the columns of a table, by themselves or in a dataset."""
    spec = getattr(x, "element_spec", x)
    return isinstance(spec[0] if isinstance(spec, tuple) and spec else spec, Mapping)


def _side_by_side(case: Case) -> str:
    """Return what makes one tensor of columns of numbers in each batch, "" of arrays, or where there are others."""
    spec = getattr(case.call.x, "element_spec", None) if case.call is not None else None
    name = ProgramText(case.frame).name_of(case.call.x) if case.call is not None and case.frame is not None else None
    if not isinstance(spec, tuple) or len(spec) != 2 or name is None:
        return ""
    columns = list(spec[0].values())
    ranks = {getattr(getattr(each, "shape", None), "rank", None) for each in columns}
    if ranks not in ({1}, {2}) or not all(each.dtype.is_integer or each.dtype.is_floating for each in columns):
        return ""
    joined = "tf.stack" if ranks == {1} else "tf.concat"
    parts = "[tf.cast(each, 'float32') for each in x.values()]"
    return f"{name} = {name}.map(lambda x, y: ({joined}({parts}, axis=-1), y))"


def _is_of_keras(value: Any) -> bool:
    """Whether a class, function or object is of Keras."""
    module = getattr(value, "__module__", None) or type(value).__module__
    return str(module).startswith("keras.")


def _of_parts(case: Case, error: Exception) -> Finding | None:
    """Return what is known of an error by what the call is given, None where it is of other things."""
    call = case.call
    if call is None:
        return None
    if OF_SCOPE in str(error):
        return NOT_TRACED.found(
            expected="the network, its optimizer and compile() within one strategy.scope()",
            received="a network whose variables were made outside of the scope, or its optimizer was",
            fix=f"{SURE}, and compile it, within one `with strategy.scope():`.",
        )
    if _is_of_columns(call.x) and ONE_INPUT in str(error):
        return NOT_TRACED.found(
            expected="one array of all columns: a Sequential has one input",
            received="a dictionary of columns",
            fix=_side_by_side(case) or "Put the columns side by side in one array, of numbers alone.",
        )
    ragged = [name for name, each in (("x", call.x), ("y", call.y)) if hasattr(each, "row_splits")]
    if ragged and not Crash(error).place:
        text = ProgramText(case.frame) if case.frame is not None else None
        names = [text.name_of(getattr(call, each)) if text is not None else None for each in ragged]
        lines = [f"{name} = {name}.to_tensor()" for name in names if name]
        return NOT_TRACED.found(
            expected="dense tensors: Keras 3's layers take no ragged ones",
            received=f"a tf.RaggedTensor as {' and '.join(ragged)}, and the step {told(error)}",
            fix="; ".join(lines) + "  # padded with 0: keras.layers.Masking() in front leaves that out"
            if len(lines) == len(ragged)
            else "Give fit x.to_tensor(), and leave the padding out by keras.layers.Masking().",
        )
    return None


def _ends_eagerly(case: Case) -> bool:
    """Whether a step without a graph comes to its end, with a gradient for every weight."""
    call, given = case.call, _given(case)
    if call is None or given is None:
        return False
    model = call.model
    owners = (model.optimizer,) if model.optimizer is not None else ()
    record = OwnStep(model, None, None, lambda *_: _step(model, given, eagerly=True), owners).record()
    return record.error is None and bool(record.missing) and not any(record.missing)


def _error_of(case: Case) -> Exception | None:
    """Return what a step raises when fit's own graph of it is made, None where it is made or cannot be tried."""
    call, given = case.call, _given(case)
    if call is None or given is None:
        return None
    try:
        with whole_tracebacks(), recording(), unchanged(call.model):
            _step(call.model, given, eagerly=False)
    except Exception as error:  # the user's own code may raise anything
        return error
    return None


def _step(model: Any, given: dict[str, Any], *, eagerly: bool) -> None:
    """Do what fit does before its first step, and make the graph of one, or run it as run_eagerly does."""
    tf, trainer = sys.modules["tensorflow"], sys.modules["keras.src.backend.tensorflow.trainer"]
    strategy = model.distribute_strategy
    batches = trainer.TFEpochIterator(shuffle=False, distribute_strategy=strategy, steps_per_execution=1, **given)
    model._maybe_symbolic_build(iterator=batches)
    batches.reset()

    if _updates_as_keras_does(model):
        vars(model.optimizer)["apply"] = partial(_without_update, model.optimizer)

    def step(iterator: Any) -> Any:
        return strategy.run(model.train_step, args=(iterator.get_next(),))

    if eagerly:
        strategy.run(model.train_step, args=(next(iter(batches._get_iterator())),))
        return
    tf.function(step, autograph=False).get_concrete_function(iter(batches._get_iterator()))


def _updates_as_keras_does(model: Any) -> bool:
    """Whether what a step does with its gradients is Keras's alone: half the time of a trace, and it raises nothing."""
    optimizer = model.optimizer
    return (
        optimizer is not None
        and _is_of_keras(type(optimizer))
        and _is_of_keras(type(getattr(optimizer, "_learning_rate", None)))
        and not _is_distributed(model)
        and not {"train_step", "make_train_function"} & own_names(model)
    )


def _without_update(optimizer: Any, gradients: Any, weights: Any) -> None:
    """Refuse what Keras's `apply` refuses of gradients and weights, and let the weights be."""
    if optimizer.built:
        optimizer._check_variables_are_known(list(weights))
    _, updated = optimizer._filter_empty_gradients(gradients, weights)
    for each in updated:
        if each.constraint is not None:
            each.constraint(each)


def _given(case: Case) -> dict[str, Any] | None:
    """Return the data of a call for one small batch, None where they are not at hand."""
    call, tf = case.call, sys.modules["tensorflow"]
    if call is None or call.x is None:
        return None
    weights = {name: call.arguments.get(name) for name in ("sample_weight", "class_weight")}
    if isinstance(call.x, tf.data.Dataset):
        return {"x": _batch_of(call.x), **weights} if call.y is None else None
    parts = {"x": call.x, "y": call.y, "sample_weight": weights["sample_weight"]}
    if not all(map(_is_of_rows, tf.nest.flatten(list(parts.values())))):
        return _drawn(case) if not any(each is not None for each in weights.values()) else None
    size = call.facts.get("batch_size") or BATCH
    count = int(tf.nest.flatten(call.x)[0].shape[0] * (1 - (call.facts.get("validation_split") or 0)))
    rows = size if count % size == 0 else size + 1  # whose last batch is a smaller one, too
    first = {name: tf.nest.map_structure(lambda each: _first(each, rows), each) for name, each in parts.items()}
    return {**weights, **first, "batch_size": size}


def _drawn(case: Case) -> dict[str, Any] | None:
    """Return rows that were drawn of a generator or sequence, None where they are not one array for each part."""
    call = case.call
    if call is None or call.y is not None or isinstance(call.x, list | tuple | dict):
        return None
    x, y = rows_of(case)
    first = sys.modules["tensorflow"].nest.flatten(x)[0] if x is not None and y is not None else ()
    return {"x": x, "y": y, "batch_size": len(first) - 1} if len(first) > 1 else None  # of which the last is smaller


def _is_of_rows(value: Any) -> bool:
    return (
        value is None
        or isinstance(value, np.ndarray)
        or hasattr(value, "row_splits")
        or hasattr(value, "iloc")
        or (hasattr(value, "shape") and hasattr(value, "numpy"))
    )


def _first(value: Any, rows: int) -> Any:
    return None if value is None else value[:rows]


def _batch_of(dataset: Any) -> Any:
    """Return a dataset of one batch of zeros, in the form that a dataset says it has; of ragged ones itself."""
    tf = sys.modules["tensorflow"]
    specs = tf.nest.flatten(dataset.element_spec)
    if any(type(each) is not tf.TensorSpec or each.shape.rank is None for each in specs):
        return dataset

    def zeros(spec: Any) -> Any:
        sizes = [length if length is not None else (LENGTH if axis else ROWS) for axis, length in enumerate(spec.shape)]
        return tf.zeros(sizes, spec.dtype) if spec.dtype != tf.string else tf.fill(sizes, "")

    def batches() -> Iterator[Any]:
        yield tf.nest.map_structure(zeros, dataset.element_spec)

    return tf.data.Dataset.from_generator(batches, output_signature=dataset.element_spec)
