"""What is wrong with a TensorFlow 1 program around its loss: what it draws, restores, counts and runs in its loops."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import FrameType, ModuleType
from typing import Any

from deep_mnist.doctor.capture.source import Source
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.tensorflow1.faults import loss_rules
from deep_mnist.doctor.tensorflow1.faults import program_rules as rules
from deep_mnist.doctor.tensorflow1.graph_walk import VARIABLES, ancestors, trains
from deep_mnist.doctor.tensorflow1.session_case import SessionCase
from deep_mnist.doctor.tensorflow1.session_notes import notes_of
from deep_mnist.doctor.tensorflow1.supervision import SOURCES
from deep_mnist.doctor.tensorflow1.training_words import minimized, name_of_step

INITIALIZERS = ("global_variables_initializer", "initialize_all_variables", "variables_initializer")
GROWING = ("minimize", "get_next", "gradients", "argmax", "reduce_mean", "equal", "matmul", "cast", "constant",
           "global_variables_initializer", "initialize_all_variables", "one_hot", "assign", "Variable")  # fmt: skip


def program_faults(case: SessionCase, frame: FrameType | None) -> Iterator[Finding]:
    """Yield what is wrong around the loss."""
    yield from _drawn_apart(case)
    yield from _without_labels(case)
    yield from _restored(case)
    yield from _never_decays(case)
    yield from _averages(case)
    if frame is not None:
        yield from _of_source(case, frame)


def _drawn_apart(case: SessionCase) -> Iterator[Finding]:
    """Images of one draw from a pipeline, labels of another draw from the same, or of another random queue."""
    met = case.supervision
    if met is None:
        return
    labels = [each for each in ancestors([met.labels.op], control=False) if each.type in SOURCES]
    images = [each for each in ancestors([met.output.op], control=False) if each.type in SOURCES]
    if len(labels) != 1 or len(images) != 1 or labels[0] is images[0]:
        return
    same = labels[0].inputs[0] is images[0].inputs[0]
    queues = [each.inputs[0].op.type.startswith("RandomShuffleQueue") for each in (labels[0], images[0])]
    if same or all(queues):
        x, y = case.names.of(images[0].outputs[0], "x"), case.names.of(labels[0].outputs[0], "y")
        call = "iterator.get_next()" if same else "tf.train.shuffle_batch([image, label], …)"
        yield rules.DRAWN_APART.found(
            "train",
            expected="images and labels of one element",
            received=f"two draws{case.names.at(images[0])}{case.names.at(labels[0])}",
            fix=f"{x}, {y} = {call}  # once, for both",
        )


def _without_labels(case: SessionCase) -> Iterator[Finding]:
    """A fed tensor that only the accuracy takes, while the loss takes but one other."""
    if case.step is None or case.step.loss is None or case.run.labels is None:
        return
    labels = case.run.labels
    if labels.op in case.step.of_loss or len(case.run.fed) < 2:
        return
    compared = [each for each in case.run.graph.get_operations() if each.type == "Equal"]
    behind_them = [set(ancestors([each], control=False)) for each in compared]
    if any(labels.op in each and set(case.step.variables) & each for each in behind_them):
        name = case.names.of(labels, labels.op.name)
        yield loss_rules.LOSS_WITHOUT_LABELS.found(
            expected=f"a loss of predictions and {name}",
            received=f"a loss that does not depend on {name}{case.names.at(case.step.loss)}",
            fix=f"Give {name} to the loss: it is now computed of other tensors alone.",
        )


def _restored(case: SessionCase) -> Iterator[Finding]:
    lost = notes_of(case.run.session).reset if case.run.session is not None else set()
    if lost:
        yield rules.RESTORED_LOST.found(
            expected="variables initialized, then restored",
            received=f"{len(lost)} variables restored, then initialized again",
            fix="session.run(tf.global_variables_initializer()); saver.restore(session, path)  # in this order",
        )


def _never_decays(case: SessionCase) -> Iterator[Finding]:
    """A rate computed of a whole-number variable that no operation but its initializer assigns."""
    rate = case.step.rate if case.step is not None else None
    if rate is None or rate.op.type == "Placeholder":
        return
    for variable in ancestors([rate.op], control=False):
        if variable.type not in VARIABLES or _dtype_of(variable).is_floating:
            continue
        changed = [one for one in variable.outputs[0].consumers() if one.type.startswith("Assign")]
        counted = [each for each in changed if each.type in ("AssignAdd", "AssignAddVariableOp")]
        if not counted and len(changed) <= 1:
            name = case.names.of(variable, "global_step")
            yield rules.NEVER_DECAYS.found(
                expected=f"{name} counted up by the training",
                received="nothing counts it",
                fix=minimized(case, more=f", global_step={name}"),
            )
            return


def _dtype_of(variable: Any) -> Any:
    return variable.outputs[0].dtype.base_dtype if variable.type != "VarHandleOp" else _as_dtype(variable)


def _as_dtype(variable: Any) -> Any:
    return next(
        (one.outputs[0].dtype for one in variable.outputs[0].consumers() if one.type == "ReadVariableOp"),
        variable.outputs[0].dtype,
    )


def _averages(case: SessionCase) -> Iterator[Finding]:
    """Updates in UPDATE_OPS that the run of the training does not run."""
    updates = [getattr(each, "op", each) for each in case.run.graph.get_collection("update_ops")]
    if not updates or not case.run.is_training:
        return
    left_out = set(updates) - set(ancestors(case.run.fetches))
    if len(left_out) == len(updates):
        yield rules.AVERAGES_NEVER_UPDATED.found(
            expected="the updates of tf.GraphKeys.UPDATE_OPS run with the training",
            received=f"{len(left_out)} updates that nothing runs",
            fix=f"{name_of_step(case)} = tf.group({name_of_step(case)}, tf.get_collection(tf.GraphKeys.UPDATE_OPS))",
        )


# --- the source ------------------------------------------------------------------------------------


def _of_source(case: SessionCase, frame: FrameType) -> Iterator[Finding]:
    tree = Source(frame).tree
    space = {**frame.f_globals, **frame.f_locals}
    yield from _never_run(case, tree, space)
    for loop in (node for node in ast.walk(tree) if isinstance(node, ast.For | ast.While)):
        reset = next(_resets(loop, space), None)
        if reset is not None and _trains_itself(loop, space):
            yield rules.RESET_IN_LOOP.found(
                expected="variables initialized once, before the loop",
                received=f"an initializer on line {reset}, in the loop that trains",
                fix=f"Move line {reset} before the loop of line {loop.lineno}.",
            )
            return
        grown = next(_grows(loop, space), None)
        if grown is not None and _runs(loop):
            yield rules.GROWS.found(
                expected="a graph that is built once, before the loop",
                received=f"{grown[1]} on line {grown[0]}, at every turn of the loop",
                fix=f"Build it before the loop of line {loop.lineno}, and only run it there.",
            )
            return


def _never_run(case: SessionCase, tree: ast.AST, space: dict[str, Any]) -> Iterator[Finding]:
    """A training operation that is assigned to a name which nothing reads, while the run only reads."""
    if case.run.is_training:
        return
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    for name, value in space.items():
        if not hasattr(value, "control_inputs") or not trains(value):
            continue
        uses = [each for each in names if each.id == name]
        if uses and not any(isinstance(each.ctx, ast.Load) for each in uses):
            fetch = case.names.of(case.run.fetches[0], "loss") if case.run.fetches else "loss"
            yield rules.NEVER_RUN.found(
                expected=f"{name} run at every step",
                received=f"{name} assigned on line {uses[0].lineno} and never run",
                fix=f"session.run([{name}, {fetch}], feed_dict={{…}})",
            )
            return


def _resets(loop: ast.AST, space: dict[str, Any]) -> Iterator[int]:
    for call in _calls(loop, apart=(ast.If, ast.FunctionDef)):
        fetched = (
            call.func.value if _verb(call) == "run" and isinstance(call.func, ast.Attribute) and not call.args else None
        )
        fetched = call.args[0] if _verb(call) == "run" and call.args else fetched
        if isinstance(fetched, ast.Call) and _verb(fetched) in INITIALIZERS:
            yield call.lineno
        elif isinstance(fetched, ast.Name) and _initializes(space.get(fetched.id)):
            yield call.lineno


def _initializes(value: Any) -> bool:
    """Whether a value is an operation that assigns variables, and only does so."""
    if getattr(value, "type", "") != "NoOp" or not value.control_inputs:
        return False
    return all(
        each.type.startswith("Assign") and each.inputs and each.inputs[0].op.type in VARIABLES
        for each in value.control_inputs
    )  # fmt: skip


def _trains_itself(loop: ast.For | ast.While, space: dict[str, Any]) -> bool:
    """Whether the loop runs the training with no loop in between, or counts epochs with one in between."""
    inner = (ast.For, ast.While, ast.FunctionDef)
    direct = [call for call in _calls(loop, apart=inner) if _fetches_training(call, space)]
    if direct:
        return True
    counts_epochs = (
        isinstance(loop, ast.For) and isinstance(loop.target, ast.Name) and "epoch" in loop.target.id.lower()
    )
    return counts_epochs and any(_fetches_training(call, space) for call in _calls(loop))


def _fetches_training(call: ast.Call, space: dict[str, Any]) -> bool:
    if _verb(call) != "run":
        return False
    names = [each.id for each in ast.walk(call) if isinstance(each, ast.Name)]
    return any(hasattr(value, "control_inputs") and trains(value) for value in map(space.get, names))


def _grows(loop: ast.AST, space: dict[str, Any]) -> Iterator[tuple[int, str]]:
    for call in _calls(loop):
        root = call.func
        while isinstance(root, ast.Attribute | ast.Call):
            root = root.value if isinstance(root, ast.Attribute) else root.func
        value = space.get(root.id) if isinstance(root, ast.Name) else None
        of_tf = isinstance(value, ModuleType) and value.__name__.startswith("tensorflow")
        if _verb(call) in GROWING and (of_tf or (_verb(call) in ("minimize", "get_next") and value is not None)):
            yield call.lineno, _verb(call)


def _runs(loop: ast.AST) -> bool:
    return any(_verb(call) in ("run", "eval") for call in _calls(loop))


def _verb(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _calls(loop: ast.AST, *, apart: tuple[type[ast.AST], ...] = ()) -> Iterator[ast.Call]:
    """Yield the calls in a loop, but for those inside of nodes of some types."""
    waiting = list(ast.iter_child_nodes(loop))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call):
            yield node
        if not isinstance(node, apart):
            waiting += list(ast.iter_child_nodes(node))
