"""What is wrong with a graph's layers: no activation between them, weights that nothing updates, dropout misused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.tensorflow1.faults import loss_rules as rules
from deep_mnist.doctor.tensorflow1.faults import program_rules
from deep_mnist.doctor.tensorflow1.graph_walk import VARIABLES, ancestors, behind, shaped_from, variable_shape
from deep_mnist.doctor.tensorflow1.rules import DROPOUT_IN_EVALUATION
from deep_mnist.doctor.tensorflow1.session_case import SessionCase
from deep_mnist.doctor.tensorflow1.training_words import minimized

RANDOM = ("RandomStandardNormal", "TruncatedNormal", "RandomUniform")
READING = ("Identity", "ReadVariableOp", "VarIsInitializedOp", "IsVariableInitialized")
LEAST_KEPT = 0.25


def layer_faults(case: SessionCase) -> Iterator[Finding]:
    """Yield what is wrong with the layers that the loss comes from."""
    if case.step is None or case.step.loss is None:
        return
    yield from _linear(case)
    yield from _never_updated(case)
    yield from _dropout(case)


def _linear(case: SessionCase) -> Iterator[Finding]:
    """A product with weights whose result, plus a bias, is multiplied by weights again; of classes alone."""
    met = case.supervision
    if met is None or met.kind == "difference" or case.step is None:
        return
    layers = [each for each in sorted(case.step.of_loss, key=lambda each: each._id) if _follows_linear(case, each)]
    if not layers:
        return
    names = dict.fromkeys(case.names.of(each.inputs[0], "hidden") for each in layers)
    yield rules.LINEAR_HIDDEN.found(
        expected="an activation between two layers of weights",
        received=f"none{case.names.at(layers[0].inputs[0])}",
        fix="; ".join(f"{name} = tf.nn.relu({name})" for name in names),
    )


def _follows_linear(case: SessionCase, operation: Any) -> bool:
    """Whether a product with weights takes another one as it is."""
    if operation.type != "MatMul" or not _is_weights(operation.inputs[1]):
        return False
    before = _without_bias(operation.inputs[0])
    return before.op.type == "MatMul" and _is_weights(before.op.inputs[1]) and not _is_one_hot(case, before)


def _without_bias(tensor: Any) -> Any:
    """Return the product behind the sum with a bias."""
    tensor = shaped_from(tensor)
    if tensor.op.type in ("Add", "AddV2", "BiasAdd"):
        products = [each for each in tensor.op.inputs if shaped_from(each).op.type == "MatMul"]
        others = [each for each in tensor.op.inputs if _is_weights(each)]
        if len(products) == 1 and others:
            return shaped_from(products[0])
    return tensor


def _is_weights(tensor: Any) -> bool:
    operation = tensor.op
    while operation.type in ("Identity", "ReadVariableOp") and operation.inputs:
        operation = operation.inputs[0].op
    return operation.type in VARIABLES


def _is_one_hot(case: SessionCase, product: Any) -> bool:
    """Whether a product takes one-hot rows: it then looks words up, which needs no activation."""
    given = case.value(product.op.inputs[0])
    if given is None:
        return True
    return bool(given.ndim == 2 and ((given == 0) | (given == 1)).all() and (given.sum(axis=1) == 1).all())


def _never_updated(case: SessionCase) -> Iterator[Finding]:
    """Weights of random start that the loss depends on and that nothing in the graph assigns but their initializer."""
    if any(each.type in ("RestoreV2", "Restore") for each in case.run.graph.get_operations()) or case.step is None:
        return
    for variable in sorted(case.step.of_loss, key=lambda each: each._id):
        if variable.type not in VARIABLES or variable in case.step.variables:
            continue
        if len(variable_shape(variable) or ()) < 2:
            continue
        users = [one for one in variable.outputs[0].consumers() if one.type not in READING]
        if len(users) == 1 and any(each.type in RANDOM for each in ancestors(users, control=False)):
            name = case.names.of(variable, variable.name)
            trainable = case.run.graph.get_collection("trainable_variables")
            listed = any(getattr(each, "op", None) is variable for each in trainable)
            yield rules.NEVER_UPDATED.found(
                expected="every random weight among those that training updates",
                received=f"{name}{case.names.at(variable)}: {'not in var_list' if listed else 'trainable=False'}",
                fix=minimized(case) if listed else f"{name} = tf.Variable({_initial(case, users[0])})",
            )
            return


def _initial(case: SessionCase, assign: Any) -> str:
    shape = assign.inputs[1].shape.as_list()
    return case.names.of(assign.inputs[1], f"tf.truncated_normal({shape}, stddev=0.1)")


# --- dropout ---------------------------------------------------------------------------------------


def _dropout(case: SessionCase) -> Iterator[Finding]:
    met = case.supervision
    for comparison, rate in _dropouts(case):
        dropped = behind(rate) if behind(rate) is not None else _number(case.value(rate))
        if dropped is None:
            continue
        fed = next((each for each in ancestors([rate.op], control=False) if each.type == "Placeholder"), None)
        if 1 - LEAST_KEPT < dropped and case.run.is_training:
            yield _keeps_little(case, comparison, fed, 1 - dropped)
            return
        if met is not None and dropped > 0 and _makes(comparison, met):
            yield _dropped_output(case, comparison, met)
            return
        if behind(rate) is not None and dropped > 0 and _is_evaluated(case, comparison):
            yield DROPOUT_IN_EVALUATION.found(
                expected="dropout off in evaluation: a placeholder that is fed with 1.0 there",
                received=f"units left out while accuracy is measured{case.names.at(comparison)}",
                fix=f"keep_prob = tf.placeholder_with_default({1 - dropped:g}, [])  # 1.0 in evaluation",
            )
            return


def _dropouts(case: SessionCase) -> Iterator[tuple[Any, Any]]:
    """Yield (comparison of the random numbers, tensor of the rate) of each dropout that the loss comes from."""
    for operation in sorted(case.step.of_loss if case.step else (), key=lambda each: each._id):
        if operation.type == "GreaterEqual" and operation.inputs[0].op.type in ("RandomUniform", "Add", "AddV2"):
            if any(each.type == "RandomUniform" for each in ancestors([operation.inputs[0].op], control=False)):
                yield operation, operation.inputs[1]


def _keeps_little(case: SessionCase, comparison: Any, fed: Any, kept: float) -> Finding:
    name = case.names.of(fed.outputs[0], fed.name) if fed is not None else "keep_prob"
    fix = f"feed_dict={{…, {name}: {1 - kept:g}}}" if fed is not None else f"keep_prob={1 - kept:.2g}"
    return program_rules.KEEPS_LITTLE.found(
        expected="most units kept: keep_prob of 0.5 to 0.9",
        received=f"{kept:.0%} of a layer kept{case.names.at(comparison)}",
        fix=f"{fix}  # the share to keep; rate= is the share to drop",
    )


def _dropped_output(case: SessionCase, comparison: Any, met: Any) -> Finding:
    dropped = shaped_from(met.output).op
    name = case.names.shaped(met.output, "logits")
    return program_rules.DROPPED_OUTPUT.found(
        expected="dropout between hidden layers",
        received=f"dropout on {name}{case.names.at(comparison)}",
        fix=f"{name} = {case.names.of(_before_dropout(dropped), 'logits')}  # without dropout",
    )


def _before_dropout(dropped: Any) -> Any:
    """Return what dropout takes: it is divided or multiplied by the share kept, then selected or multiplied."""
    scaled = next((each for each in dropped.inputs if each.op.type in ("Mul", "RealDiv")), dropped.inputs[0])
    return scaled.op.inputs[0] if scaled.op.inputs else scaled


def _makes(comparison: Any, met: Any) -> bool:
    """Whether a dropout's choice is the last thing that happens to the output."""
    last = shaped_from(met.output).op
    if last.type in ("Softmax", "Sigmoid"):
        last = shaped_from(last.inputs[0]).op
    return last.type in ("SelectV2", "Mul") and any(shaped_from(each).op is comparison for each in last.inputs)


def _is_evaluated(case: SessionCase, comparison: Any) -> bool:
    """Whether an accuracy, a comparison for equality, comes from this dropout."""
    graph = case.run.graph
    return any(
        each.type == "Equal" and comparison in ancestors([each], control=False) for each in graph.get_operations()
    )


def _number(value: Any) -> float | None:
    return float(value) if value is not None and np.ndim(value) == 0 and np.asarray(value).dtype.kind == "f" else None
