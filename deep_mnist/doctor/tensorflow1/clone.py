"""A copy of a session: its graph, its variables' values, its iterators and queues, to run what must not touch the own.

Feeding any tensor, stepping, drawing from an iterator: nothing of it reaches the user's session. Generators of the
user's (py_func) are called anew by a copy, so whoever lets the script go on afterwards asks `calls_python` first.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from deep_mnist.doctor.capture.intercept import inside
from deep_mnist.doctor.tensorflow1.graph_walk import VARIABLES
from deep_mnist.doctor.tensorflow1.session_notes import SessionNotes, notes_of

MOST_BYTES = 1 << 30  # of variables that are copied
LONGEST_MS = 20_000  # of one run; it ends a queue that nobody fills and decides nothing else


class NotCopiedError(Exception):
    """The session cannot be copied, or the copy cannot do what was asked."""


class Clone:
    """A copy of a session; `run` takes names, as of the user's own graph.

    Args:
        session: Of the user; it is read, never changed.
    """

    def __init__(self, session: Any) -> None:
        self.tf = sys.modules["tensorflow"].compat.v1
        self.own, notes = session, notes_of(session)
        self.graph = self.tf.Graph()
        with self.graph.as_default(), self.graph.device(None):
            self.tf.import_graph_def(_seeded(session.graph.as_graph_def()), name="")
            self.start = _values(session)
            self._assigns = {name: self._assign(name, value) for name, value in self.start.items()}
        config = self.tf.ConfigProto(device_count={"GPU": 0}, allow_soft_placement=True)
        config.graph_options.rewrite_options.disable_meta_optimizer = True  # costs more than these few runs
        config.graph_options.optimizer_options.opt_level = -1
        self.session = self.tf.Session(graph=self.graph, config=config)
        self.handles: dict[bytes, bytes] = {}
        self._begin(notes)

    def run(self, names: Any, feed: Mapping[str, Any] | None = None) -> Any:
        """Return the values of tensors or operations by name.

        Raises:
            tensorflow.errors.OpError, ValueError, TypeError: As the user's own run would.
        """
        given = {key: self._own_handle(value) for key, value in (feed or {}).items()}
        options = self.tf.RunOptions(timeout_in_ms=LONGEST_MS)
        with inside(), np.errstate(all="ignore"):
            return self.session.run(names, given, options=options)

    def rewind(self) -> None:
        """Give the variables the values that they have in the user's session."""
        if self.start:
            given = {self._assigns[name][0]: value for name, value in self.start.items()}
            self.run([assign for _, assign in self._assigns.values()], given)

    def values(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """Return the values of variables by the names of their operations."""
        operations = {name: self.graph.get_operation_by_name(name) for name in names}
        reads = {name: read.name for name, each in operations.items() if (read := _read(each)) is not None}
        return dict(zip(reads, self.run(list(reads.values())), strict=True)) if reads else {}

    def close(self) -> None:
        with inside():
            self.session.close()

    def _own_handle(self, value: Any) -> Any:
        return self.handles.get(value, value) if isinstance(value, bytes) else value

    def _assign(self, name: str, value: np.ndarray) -> tuple[str, str]:
        """Add a placeholder and what assigns it to a variable; return their names."""
        tf, variable = self.tf, self.graph.get_operation_by_name(name)
        given = tf.placeholder(value.dtype, value.shape)
        if variable.type == "VarHandleOp":
            return given.name, tf.raw_ops.AssignVariableOp(resource=variable.outputs[0], value=given).name
        assign = tf.raw_ops.Assign(ref=variable.outputs[0], value=given, validate_shape=False)
        return given.name, assign.op.name

    def _begin(self, notes: SessionNotes) -> None:
        graph = self.own.graph
        self.rewind()
        locally = [each.initializer.name for each in graph.get_collection("local_variables")]
        tables = [each.name for each in graph.get_collection("table_initializer")]
        for name in (*locally, *tables):
            self.run(name)
        for name, fed in notes.begun.items():
            self.run(name, fed)
        for handle, name in notes.handles.items():
            self.handles[handle] = self.run(name)
        for runner in graph.get_collection("queue_runners"):
            for operation in runner.enqueue_ops:
                threading.Thread(target=self._enqueue, args=(operation.name,), daemon=True).start()

    def _enqueue(self, name: str) -> None:
        """Fill a queue until the copy is closed, or there is no more."""
        try:
            with inside():
                while True:
                    self.session.run(name)
        except (self.tf.errors.OpError, RuntimeError, ValueError):
            return


@contextmanager
def cloned(session: Any) -> Iterator[Clone]:
    """Give a copy of a session, closed at the end.

    Raises:
        NotCopiedError: It cannot be copied: too large, or of operations that run nowhere else.
    """
    tf = sys.modules["tensorflow"].compat.v1
    try:
        clone = Clone(session)
    except (tf.errors.OpError, ValueError, TypeError, KeyError, RuntimeError, AttributeError) as error:
        raise NotCopiedError(str(error)) from error
    try:
        yield clone
    finally:
        clone.close()


def calls_python(graph: Any) -> bool:
    """Whether running the graph calls functions or generators of the user's."""
    definition = graph.as_graph_def()
    nodes = [*definition.node, *(node for each in definition.library.function for node in each.node_def)]
    return any(node.op in ("PyFunc", "EagerPyFunc", "PyFuncStateless") for node in nodes)


def _seeded(definition: Any) -> Any:
    """Return a graph whose random operations draw the same at every run of the doctor."""
    for number, node in enumerate(definition.node):
        if "seed" in node.attr and "seed2" in node.attr and not node.attr["seed"].i and not node.attr["seed2"].i:
            node.attr["seed"].i, node.attr["seed2"].i = 1, number + 1
    return definition


def _values(session: Any) -> dict[str, np.ndarray]:
    """Return the value of each variable that has one, by the name of its operation."""
    reads = {}
    for operation in session.graph.get_operations():
        if operation.type in VARIABLES and (read := _read(operation)) is not None:
            reads[operation.name] = read
    sizes = [each.shape.num_elements() or 0 for each in reads.values()]
    if sum(sizes) * 4 > MOST_BYTES:
        raise NotCopiedError(f"{sum(sizes) * 4 >> 20} MiB of variables")
    errors = sys.modules["tensorflow"].errors.FailedPreconditionError
    with inside():
        try:
            return dict(zip(reads, session.run(list(reads.values())), strict=True))
        except errors:
            return {name: value for name, read in reads.items() if (value := _one(session, read, errors)) is not None}


def _one(session: Any, read: Any, errors: type[BaseException]) -> np.ndarray | None:
    try:
        return np.asarray(session.run(read))
    except errors:  # not initialized, in the user's session either
        return None


def _read(variable: Any) -> Any:
    """Return the tensor that reads a variable and does nothing else, None where there is none."""
    if variable.type != "VarHandleOp":
        return variable.outputs[0]
    for each in variable.outputs[0].consumers():
        if each.type == "ReadVariableOp" and not each.control_inputs:
            return each.outputs[0]
    return None
