"""Graphs of TensorFlow 1: variables, loops, gradients and sessions that do not fit one another."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep, shape_of
from deep_mnist.doctor.checks.crashes.files.lines import line_changed
from deep_mnist.doctor.checks.crashes.layers import parsed_shape
from deep_mnist.doctor.checks.crashes.rules import (
    GRAPH_MODE,
    LOOP_SHAPE,
    NO_GRADIENT,
    NOT_INITIALIZED,
    OTHER_GRAPH,
    TAPE_ASKED_TWICE,
    VARIABLE_EXISTS,
)
from deep_mnist.doctor.checks.crashes.sessions import feed_shape_text, own_name, session_name, tensorflow_name
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.evidence.live.statements.tape_blocks import blocks_of, way_out
from deep_mnist.doctor.finding import Finding

LOOP = re.compile(
    r"Input tensor ['`]([\w/:.]+)['`] enters the loop with shape (\([^)]*\)), "
    r"but has shape (\S+(?: ?\S+)*?) after one iteration"
)


GRADIENTS = re.compile(r"No gradients provided for any variable")


UNREAD = re.compile(
    r"Attempting to use uninitialized value ([\w/.]+)|Could not find variable ([\w/.]+)\. This could mean|"
    r"Error while reading resource variable ([\w/.]+) from Container"
)


EXISTS = re.compile(r"Variable ([\w/.]+) already exists, disallowed")


NEEDS_GRAPH = re.compile(
    r"tf\.placeholder\(\) is not compatible with eager|not (?:supported|compatible) when eager|"
    r"The Session graph is empty|"
    r"`loss` passed to Optimizer\.compute_gradients should be a function when eager"
)


NEEDS_EAGER = re.compile(
    r"'(?:Symbolic)?Tensor' object has no attribute 'numpy'|numpy\(\) is only available when eager"
)


AS_BOOL = re.compile(r"Using a symbolic `tf\.Tensor` as a Python `bool`")
ITERATED = re.compile(r"[Ii]terating over (?:a symbolic )?`?tf\.Tensor`?")


ELSEWHERE = re.compile(r"is not an element of this graph|must be from the same graph")


def explain_variables(crash: Crash) -> Finding | None:
    """Name a variable that is read before it is initialized, or made twice."""
    if (match := UNREAD.search(crash.text)) is not None:
        name = next(each for each in match.groups() if each)
        own = own_name(crash, f"{name}:0")
        tf = tensorflow_name(crash)
        local = _is_local(crash, name)
        which = "local" if local else "global"
        return NOT_INITIALIZED.found(
            expected=f"{own} initialized before {crash.place}",
            received="no initializer has run for it",
            fix=f"{session_name(crash)}.run({tf}.{which}_variables_initializer())"
            "  # before it, when all of the graph is made",
        )
    if (match := EXISTS.search(crash.text)) is not None:
        tf = tensorflow_name(crash)
        scope, _, _ = match.group(1).rpartition("/")
        inside = f'"{scope}"' if scope else f"{tf}.get_variable_scope()"
        return VARIABLE_EXISTS.found(
            expected="one variable of each name",
            received=f"'{match.group(1)}' a second time, at {crash.place}",
            fix=f"with {tf}.variable_scope({inside}, reuse={tf}.AUTO_REUSE):  # around it; "
            f"in a notebook: {tf}.reset_default_graph() first",
        )
    return None


def _is_local(crash: Crash, name: str) -> bool:
    session = next((each.held["self"] for each in crash.steps if hasattr(each.held.get("self"), "graph")), None)
    held = session.graph.get_collection("local_variables") if session is not None else []
    return any(each.op.name == name for each in held)


def explain_loop(crash: Crash) -> Finding | None:
    """Name a loop variable that changes its shape, and the axes that do."""
    match = LOOP.search(crash.text)
    if match is None:
        return None
    before, after = parsed_shape(match.group(2)), match.group(3)
    later = parsed_shape(after) if after.startswith("(") else (None,) * len(before)
    if len(later) != len(before):
        return LOOP_SHAPE.found(
            expected=f"{own_name(crash, match.group(1))} of {feed_shape_text(before)} after every turn too",
            received=after,
            fix="Give the body's result the rank that it came with: tf.reshape(…).",
        )
    free = [one if one == two else None for one, two in zip(before, later, strict=True)]
    return LOOP_SHAPE.found(
        expected=f"{own_name(crash, match.group(1))} of {feed_shape_text(before)} after every turn too",
        received=after,
        fix=_with_invariants(crash, before, free),
    )


def _with_invariants(crash: Crash, before: tuple[Any, ...], free: list[Any]) -> str:
    tf = tensorflow_name(crash)
    call = crash.user.call if crash.user is not None else None
    variables = crash.find("loop_vars")
    shapes = []
    for each in variables if isinstance(variables, list | tuple) else ():
        own = shape_of(each) if getattr(each, "shape", None) is not None else ()
        shapes.append(free if own == before and before else list(own or ()))
    stated = [each.elts for each in call.args if isinstance(each, ast.List | ast.Tuple)] if call is not None else []
    shapes = shapes[-len(stated[0]) :] if stated and stated[0] else shapes  # TensorFlow puts counters of its own first
    text = ", ".join(f"{tf}.TensorShape({each})" for each in shapes)
    if call is None:
        return f"shape_invariants=[{text}]"
    invariants = ast.parse(f"[{text}]", mode="eval").body
    return ast.unparse(ast.Call(call.func, call.args, [*call.keywords, ast.keyword("shape_invariants", invariants)]))


def explain_gradients(crash: Crash) -> Finding | None:
    """Say which operation between the loss and the variables has no gradient."""
    if GRADIENTS.search(crash.text) is None:
        return None
    if (found := _left_tape(crash)) is not None:
        return found
    loss = crash.find("loss")
    blocking = _blocking(loss)
    return NO_GRADIENT.found(
        expected="differentiable operations from the weights to the loss",
        received=f"{blocking}, which has no gradient, behind the loss"
        if blocking
        else "a loss that no variable leads to",
        fix="Take the loss of the scores, before argmax, round, cast or comparison: "
        "tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=logits))"
        if blocking
        else "Compute the loss from the variables that are to be trained.",
    )


def _left_tape(crash: Crash) -> Finding | None:
    """Name the line of the tape's block that turns its output into numpy."""
    step = crash.user
    before = [each for each in blocks_of(step.tree) if each.lineno < step.line] if step is not None else []
    out = way_out(before[-1]) if before else None
    if out is None or step is None:
        return None
    place = f"{Path(step.file).name}:{out.statement.lineno}"
    return NO_GRADIENT.found(
        expected="differentiable operations from the weights to the loss, on tensors",
        received=f"{out.left_by}, which gives numpy, at {place}: the tape does not see it",
        fix=f"{out.kept}  # in place of {place}",
    )


def _blocking(loss: Any) -> str:
    """Return the kind of the nearest operation without a gradient behind a loss of a graph."""
    queue, seen = [loss.op] if hasattr(loss, "op") else [], set[str]()
    while queue and len(seen) < 500:
        operation = queue.pop(0)
        if operation.name in seen:
            continue
        seen.add(operation.name)
        if operation.type in (
            "ArgMax",
            "ArgMin",
            "Round",
            "Sign",
            "Floor",
            "Equal",
            "Greater",
            "Less",
            "OneHot",
            "StopGradient",
        ):
            return str(operation.type)
        queue += [each.op for each in operation.inputs]
    return ""


def explain_mode(crash: Crash) -> Finding | None:
    """Say that a program is written for graphs and runs eagerly, or the other way round."""
    step = crash.user
    asked = crash.find("fetches")
    if ELSEWHERE.search(crash.text) is not None or ("graph is empty" in crash.text and hasattr(asked, "graph")):
        call = step.call if step is not None else None
        name = ast.unparse(call.args[0]) if call is not None and call.args else "the tensor"
        return OTHER_GRAPH.found(
            expected="tensors of the session's own graph",
            received=f"{name} of another graph, at {crash.place}",
            fix=f"{tensorflow_name(crash)}.Session(graph={name}.graph)  # or make all of it in one graph",
        )
    if NEEDS_GRAPH.search(crash.text) is not None:
        tf = tensorflow_name(crash)
        return GRAPH_MODE.found(
            expected="a graph, which placeholders, sessions and optimizers of TensorFlow 1 need",
            received="eager execution",
            fix=f"{tf}.{'disable_v2_behavior' if tf != 'tf.compat.v1' else 'disable_eager_execution'}()"
            "  # straight after the import of tensorflow",
        )
    if NEEDS_EAGER.search(crash.text) is not None and step is not None:
        value = _before(step, ".numpy")
        return GRAPH_MODE.found(
            expected="a tensor that has its numbers",
            received=f"{value}, a symbol of a graph, at {crash.place}",
            fix=f"sess.run({value})"
            if "Session" in "".join(map(ast.unparse, step.tree.body))
            else f"tf.print({value})  # in a graph or tf.function; .numpy() outside of it",
        )
    if ITERATED.search(crash.text) is not None and step is not None:
        return GRAPH_MODE.found(
            expected="a number of elements that Python knows, where a line goes over them one by one",
            received=f"a tensor of a graph in {step.text}, at {crash.place}",
            fix="tf.unstack(tensor) of a known length, or tf.map_fn, in the place of for"
            if re.search(r"\bfor\b|=.*\*|^\w+(, ?\w+)+ *=", step.text)
            else "Give it a tuple or list of numbers, such as (rows, 1, 1), where it takes sizes one by one.",
        )
    if AS_BOOL.search(crash.text) is not None and step is not None:
        return GRAPH_MODE.found(
            expected="tf.cond or tf.where on a tensor of a graph",
            received=f"{step.text}, at {crash.place}",
            fix="tf.where(condition, value_if, value_else)  # in the place of if; or sess.run(…) of the condition",
        )
    return None


def _before(step: TraceStep, method: str) -> str:
    match = re.search(rf"([\w.\[\]]+){re.escape(method)}\(", step.text)
    return match.group(1) if match else "the tensor"


def explain_tape(crash: Crash) -> Finding | None:
    """Name the tape that forgets what it recorded, and its line as one that keeps it."""
    step = crash.user
    if step is None or "non-persistent GradientTape" not in crash.text:
        return None
    names = {ast.unparse(each.value) for each in step.on_line(ast.Attribute) if each.attr in ("gradient", "jacobian")}
    blocks = [each for each in ProgramText(step.frame, step.file).nodes if isinstance(each, ast.With)]
    tapes = [of.context_expr for each in blocks for of in each.items if each.lineno <= step.line
             and of.optional_vars is not None and ast.unparse(of.optional_vars) in names]  # fmt: skip
    fix = "tf.GradientTape(persistent=True), where the tape is made"
    if tapes and isinstance(tapes[-1], ast.Call):
        keywords = [*tapes[-1].keywords, ast.keyword("persistent", ast.Constant(value=True))]
        fix = line_changed(step, [(tapes[-1], ast.unparse(ast.Call(tapes[-1].func, tapes[-1].args, keywords)))])
    return crash.found(
        TAPE_ASKED_TWICE, "persistent=True of a tape that is asked more than once", f"{step.text}, the second time", fix
    )
