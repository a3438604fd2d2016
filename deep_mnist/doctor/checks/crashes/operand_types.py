"""Operations that are given numbers of another type, arguments in another order, or labels of another rank."""

from __future__ import annotations

import ast
import re

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.operands import argument_named, names_of
from deep_mnist.doctor.checks.crashes.rules import DTYPE_REFUSED, OPERANDS
from deep_mnist.doctor.finding import Finding

TYPES = re.compile(r"Input '(\w+)' of '(\w+)' Op has type (\w+) that does not match (?:expected )?type (?:of )?(\w+)")


EAGER_TYPES = re.compile(
    r"cannot compute (\w+) as input #(\d+)\(zero-based\) was expected to be a (\w+) tensor but is a (\w+) tensor"
)


ALLOWED = re.compile(r"Value passed to parameter '(\w+)' has DataType (\w+) not in list of allowed values: ([\w, ]+)")


SIZES = re.compile(
    r"logits and labels must be (?:broadcastable|same size): logits_size=\[([\d,]+)\] labels_size=\[([\d,]+)\]"
)
RANKS = re.compile(r"labels\.shape=(\([^)]*\)) of rank \d+ and logits\.shape=(\([^)]*\))")


OLD_ORDER = {"concat": (1, 0), "split": (2, 1, 0)}  # TensorFlow 0.12's order of arguments, as places in today's


C_TYPES = {"double": "float64", "float": "float32", "half": "float16", "int32": "int32", "int64": "int64"}


def explain_types(crash: Crash) -> Finding | None:
    """Name an operation's argument of another type than it takes, and the cast."""
    step = crash.user
    if step is None or crash.is_inside_a_layer:
        return None
    if (match := SIZES.search(crash.text)) is not None:
        scores, labels = match.groups()
        return OPERANDS.found(
            expected="a score for each column of the labels: logits and labels of one shape",
            received=f"logits [{scores}], labels [{labels}]",
            fix=f"Make the last weights and bias {labels.rpartition(',')[2]} wide, as the labels are.",
        )
    old = _old_order(step)
    if old is not None:
        return OPERANDS.found(expected="the values first, the axis last", received=step.text, fix=old)
    if (match := TYPES.search(crash.text)) is not None:
        name, kind, has, wants = match.groups()
        return _cast(crash, step, kind, 1 if name in ("b", "y") else 0, has, wants)
    if (match := EAGER_TYPES.search(crash.text)) is not None:
        kind, place, wants, has = match.groups()
        return _cast(crash, step, kind, int(place), C_TYPES.get(has, has), C_TYPES.get(wants, wants))
    if (match := ALLOWED.search(crash.text)) is not None:
        name, has, allowed = match.groups()
        wants = allowed.split(", ")[-1]
        value = argument_named(step, name) or names_of(step, 1)[0]
        return DTYPE_REFUSED.found(
            expected=f"{name} of {allowed}",
            received=f"{has}, at {crash.place}",
            fix=f"{value} = tf.cast({value}, tf.{wants})",
        )
    if (match := RANKS.search(crash.text)) is not None:
        labels = argument_named(step, "labels") or "labels"
        return OPERANDS.found(
            expected="class numbers, one for each row of logits",
            received=f"labels {match.group(1)}, logits {match.group(2)}",
            fix=f"{labels} = tf.argmax({labels}, axis=-1)  # one-hot rows as class numbers",
        )
    return None


def _cast(crash: Crash, step: TraceStep, kind: str, place: int, has: str, wants: str) -> Finding:
    value = names_of(step, 2)[place] if place < 2 else "it"
    return DTYPE_REFUSED.found(
        expected=f"{kind}: both of {wants}",
        received=f"{value} of {has}, at {crash.place}",
        fix=f"{value} = tf.cast({value}, tf.{wants})",
    )


def _old_order(step: TraceStep) -> str | None:
    """Return tf.concat(1, [a, b]) and tf.split(0, 2, x) in the order of today, None where they are in it."""
    call = step.call
    if call is None or not isinstance(call.func, ast.Attribute) or call.func.attr not in OLD_ORDER or call.keywords:
        return None
    order = OLD_ORDER[call.func.attr]
    is_number = isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, int) if call.args else False
    if not is_number or len(call.args) != len(order):
        return None
    return ast.unparse(ast.Call(call.func, [call.args[index] for index in order], []))
