"""A reshape whose sizes do not hold: known as the graph is made, or at the session's run alone."""

from __future__ import annotations

import ast
import math
import re
import sys
from typing import Any

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.layers import Shape, parsed_shape
from deep_mnist.doctor.checks.crashes.operands import bracketed, names_of, place_of
from deep_mnist.doctor.checks.crashes.rules import RESHAPE_SIZE
from deep_mnist.doctor.finding import Finding

AT_RUN = re.compile(
    r"Input to reshape is a tensor with (\d+) values, but the requested shape (?:has|requires a multiple of) (\d+)"
)


AT_NODE = re.compile(r"(?:Node: '|\{\{node )([\w./]+)")


def reshape_of(crash: Crash, step: TraceStep, _kind: str, shapes: list[Shape]) -> Finding | None:
    target = re.search(r"partial shapes: input\[1\] = (\[[^\]]*\])", crash.text)
    given = shapes[0]
    if target is None or None in given[1:]:
        return None
    return reshape_finding(step, given, parsed_shape(target.group(1)))


def reshape_finding(step: TraceStep, given: Shape, target: Shape) -> Finding:
    """Return the finding on a reshape of a batch whose examples hold another number of values."""
    have = math.prod(each for each in given[1:] if each)
    want = math.prod(each for each in target if each and each > 0)
    name = names_of(step, 1)[0]
    mended = _rearranged(target, have)
    return RESHAPE_SIZE.found(
        expected=f"tf.reshape to {bracketed(target)}: {want} values an example",
        received=f"{bracketed(given)} has {have}, at {place_of(step)}",
        fix=f"tf.reshape({name}, {mended})",
    )


def _rearranged(target: Shape, have: int) -> list[int]:
    """Return a target of as many values: one number of it changed where that is enough, else rows."""
    inner = [each for each in target[1:] if each and each > 0]
    if len(inner) == 3 and (side := math.isqrt(have // inner[2])) ** 2 * inner[2] == have:
        return [-1, side, side, inner[2]]
    for place in sorted(range(len(inner)), key=lambda index: -inner[index]):
        rest = math.prod(each for index, each in enumerate(inner) if index != place)
        if len(inner) == 1 or (rest and have % rest == 0):
            return [-1, *(have // rest if index == place else each for index, each in enumerate(inner))]
    return [-1, have]


def explain_reshape_at_run(crash: Crash) -> Finding | None:
    """Name a reshape whose sizes were known at the run alone: where it stands, and what it is given."""
    match = AT_RUN.search(crash.text)
    node = AT_NODE.search(crash.text)
    if match is None or crash.user is None:
        return None
    operation = operation_of(crash, node.group(1) if node else "")
    if operation is None:
        return None
    given = _static(operation.inputs[0])
    target = _static_value(operation.inputs[1])
    if given is None or target is None or None in given[1:] or not given:
        return None
    step = crash.user
    where = re.search(
        r'File "([^"]+)", line (\d+), in', crash.text.partition("defined at")[2].rpartition(step.file)[1] or ""
    )
    del where
    found = reshape_finding(step, given, target)
    have = math.prod(each for each in given[1:] if each)
    line = defined_at(crash)
    text = f"tf.reshape({operation.inputs[0].op.name}, {_rearranged(target, have)})"
    own = _call_at(step, line, "reshape")
    if own is not None and own.args:
        text = f"tf.reshape({ast.unparse(own.args[0])}, {_rearranged(target, have)})"
    return RESHAPE_SIZE.found(
        expected=found.expected, received=f"{bracketed(given)} has {have}{f', line {line}' if line else ''}", fix=text
    )


def operation_of(crash: Crash, name: str) -> Any:
    """Return an operation of the session's graph by its name, None where there is none."""
    session = next((each.held["self"] for each in crash.steps if hasattr(each.held.get("self"), "graph")), None)
    try:
        return session.graph.get_operation_by_name(name) if session is not None and name else None
    except (KeyError, ValueError):
        return None


def defined_at(crash: Crash) -> int | None:
    """Return the user's line on which a failed node of a graph was made."""
    if crash.user is None:
        return None
    found = re.findall(rf'File "{re.escape(crash.user.file)}", line (\d+)', crash.text)
    return int(found[0]) if found else None


def _call_at(step: TraceStep, line: int | None, name: str) -> ast.Call | None:
    for node in ast.walk(step.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == name:
            if line is not None and node.lineno <= line <= (node.end_lineno or node.lineno):
                return node
    return None


def _static(tensor: Any) -> Shape | None:
    return tuple(tensor.shape.as_list()) if tensor.shape.rank is not None else None


def _static_value(tensor: Any) -> Shape | None:

    util = sys.modules.get("tensorflow.python.framework.tensor_util")
    value = util.constant_value(tensor) if util is not None else None
    return tuple(int(each) for each in value) if value is not None else None
