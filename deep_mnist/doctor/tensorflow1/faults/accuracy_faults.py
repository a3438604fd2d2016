"""What is wrong with how a graph measures accuracy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.tensorflow1.faults import program_rules as rules
from deep_mnist.doctor.tensorflow1.graph_walk import ancestors, behind, shaped_from
from deep_mnist.doctor.tensorflow1.session_case import SessionCase

UNROUNDED = ("Softmax", "Sigmoid", "MatMul", "BiasAdd", "Relu", "Tanh")


def accuracy_faults(case: SessionCase) -> Iterator[Finding]:
    """Yield what is wrong with each comparison of predictions and labels for equality."""
    trained = set(case.step.variables) if case.step is not None else set()
    for operation in case.run.graph.get_operations():
        if operation.type == "Equal" and trained & set(ancestors([operation], control=False)):
            found = next(_of_comparison(case, operation), None)
            if found is not None:
                yield found
                return


def _of_comparison(case: SessionCase, equal: Any) -> Iterator[Finding]:
    sides = [shaped_from(each) for each in equal.inputs]
    chosen = [each.op for each in sides if each.op.type == "ArgMax"]
    at = case.names.at(equal)
    if chosen and all(_axis(each) == 0 and each.inputs[0].shape.rank == 2 for each in chosen):
        scores = [case.names.of(each.inputs[0], "y") for each in chosen]
        yield rules.ACCURACY_OVER_EXAMPLES.found(
            expected="argmax over the classes, axis 1", received=f"argmax over axis 0{at}",
            fix=_equal(case, equal, [f"tf.argmax({each}, 1)" for each in scores], sides),
        )  # fmt: skip
    elif len(chosen) == 2 and sum(map(_is_of_one, chosen)) == 1:
        yield _numbers_chosen(case, equal, chosen)
    elif chosen and any(_is_of_one(each) for each in chosen):
        output = next(case.names.of(each.inputs[0], "y") for each in chosen if _is_of_one(each))
        yield rules.ACCURACY_OF_ONE.found(
            expected="a threshold for one unit", received=f"argmax over 1 unit{at}",
            fix=_measured(case, equal, f"tf.equal(tf.round({_probability(chosen, output)}), {_labels(case, sides)})"),
        )  # fmt: skip
    elif _are_floats(equal, sides):
        output = next(each for each in sides if each.op.type in UNROUNDED or _is_sum(each))
        other = next((each for each in equal.inputs if shaped_from(each) is not output), equal.inputs[1])
        yield rules.ACCURACY_OF_FLOATS.found(
            expected="classes against classes",
            received=f"{output.op.type}'s numbers compared for equality{at}",
            fix=_rounded(case, equal, output, other),
        )
    yield from _rounded_mean(case, equal)


def _numbers_chosen(case: SessionCase, equal: Any, chosen: list[Any]) -> Finding:
    """Return that argmax is taken of class numbers (n, 1), which are classes already."""
    numbers = next(each.inputs[0] for each in chosen if _is_of_one(each))
    scores = next(each.inputs[0] for each in chosen if not _is_of_one(each))
    name, labels = case.names.of(scores, "logits"), case.names.of(numbers, "y")
    classes = f"tf.cast(tf.reshape({labels}, [-1]), tf.int64)"
    return rules.ACCURACY_OF_ONE.found(
        expected="class numbers as they are",
        received=f"argmax over class numbers, 1 unit{case.names.at(equal)}",
        fix=_measured(case, equal, f"tf.equal(tf.argmax({name}, 1), {classes})"),
    )


def _rounded_mean(case: SessionCase, equal: Any) -> Iterator[Finding]:
    for cast in (one for output in equal.outputs for one in output.consumers()):
        for mean in (one for output in cast.outputs for one in output.consumers()):
            if cast.type == "Cast" and mean.type == "Mean" and cast.outputs[0].dtype.is_integer:
                accuracy, correct = case.names.of(mean, "accuracy"), _named(case, equal)
                yield rules.ACCURACY_ROUNDED.found(
                    expected="the mean of floats",
                    received=f"the mean of {cast.outputs[0].dtype.name}{case.names.at(mean)}",
                    fix=f"{accuracy} = tf.reduce_mean(tf.cast({correct}, tf.float32))",
                )
                return


def _named(case: SessionCase, equal: Any) -> str:
    """Return a comparison by its name, or as it is written."""
    if case.names.of(equal, ""):
        return case.names.of(equal, "")
    sides = []
    for each in map(shaped_from, equal.inputs):
        chosen = each.op.type == "ArgMax"
        name = case.names.of(each.op.inputs[0] if chosen else each, "y")
        sides.append(f"tf.argmax({name}, {_axis(each.op)})" if chosen else name)
    return f"tf.equal({', '.join(sides)})"


def _equal(case: SessionCase, equal: Any, chosen: list[str], sides: list[Any]) -> str:
    both = chosen if len(chosen) == 2 else [*chosen, _labels(case, sides)]
    return _measured(case, equal, f"tf.equal({both[0]}, {both[1]})")


def _rounded(case: SessionCase, equal: Any, output: Any, other: Any) -> str:
    name, labels = case.names.of(output, "y"), case.names.of(other, "y_")
    units = output.shape.as_list()[-1] if output.shape.rank else None
    if units and units > 1:
        return _measured(case, equal, f"tf.equal(tf.argmax({name}, 1), tf.argmax({labels}, 1))")
    return _measured(case, equal, f"tf.equal(tf.round({name}), {labels})")


def _measured(case: SessionCase, equal: Any, comparison: str) -> str:
    """Return the assignment of a comparison, or of the mean of it where the comparison has no name of its own."""
    if case.names.of(equal, ""):
        return f"{case.names.of(equal, '')} = {comparison}"
    casts = [one for output in equal.outputs for one in output.consumers() if one.type == "Cast"]
    means = [one for cast in casts for one in cast.outputs[0].consumers() if one.type == "Mean"]
    name = next((name for each in means if (name := case.names.of(each, ""))), "accuracy")
    return f"{name} = tf.reduce_mean(tf.cast({comparison}, tf.float32))"


def _probability(chosen: list[Any], output: str) -> str:
    operand = next(each.inputs[0] for each in chosen if _is_of_one(each))
    return output if shaped_from(operand).op.type in ("Sigmoid", "Placeholder") else f"tf.sigmoid({output})"


def _labels(case: SessionCase, sides: list[Any]) -> str:
    for each in reversed(sides):
        source = each.op.inputs[0] if each.op.type == "ArgMax" else each
        if not set(case.step.variables if case.step else ()) & set(ancestors([source.op], control=False)):
            return case.names.of(source, "y_")
    return "y_"


def _are_floats(equal: Any, sides: list[Any]) -> bool:
    if not equal.inputs[0].dtype.is_floating or any(each.op.type == "ArgMax" for each in sides):
        return False
    return any(each.op.type in UNROUNDED or _is_sum(each) for each in sides)


def _is_sum(tensor: Any) -> bool:
    """Whether a tensor is a product of matrices plus a bias."""
    return tensor.op.type in ("Add", "AddV2") and any(each.op.type == "MatMul" for each in tensor.op.inputs)


def _axis(argmax: Any) -> int | None:
    axis = behind(argmax.inputs[1])
    return None if axis is None else int(axis)


def _is_of_one(argmax: Any) -> bool:
    shape = argmax.inputs[0].shape
    axis = _axis(argmax)
    return bool(shape.rank == 2 and axis in (1, -1) and shape.as_list()[1] == 1)
