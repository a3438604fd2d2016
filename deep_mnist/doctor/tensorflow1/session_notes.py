"""What is known of a session besides its run in question: how its iterators were begun, what was restored or reset."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from deep_mnist.doctor.tensorflow1.graph_walk import VARIABLES, ancestors, trains

BEGINS_ITERATOR = "MakeIterator"
HANDLE = "IteratorToStringHandle"
RESTORES = "RestoreV2"
ASSIGNS = ("Assign", "AssignVariableOp")


@dataclass
class SessionNotes:
    """What the earlier runs of one session did.

    Attributes:
        begun: Operation that began an iterator -> what was fed to it (names of tensors -> values).
        handles: String handle of an iterator -> the tensor's name that gave it.
        restored: Names of the variables that a checkpoint filled.
        reset: Names of variables that were restored, and initialized again after it.
    """

    begun: dict[str, dict[str, Any]] = field(default_factory=dict)
    handles: dict[bytes, str] = field(default_factory=dict)
    restored: set[str] = field(default_factory=set)
    reset: set[str] = field(default_factory=set)

    def before(self, operations: list[Any], fed: Mapping[Any, Any]) -> None:
        """Remember what a run is about to do."""
        reached = ancestors(operations)
        for each in reached:
            if each.type == BEGINS_ITERATOR:
                self.begun[each.name] = {key.name: value for key, value in fed.items()}
        assigned = set(_assigned(reached))
        if any(each.type == RESTORES for each in reached):
            self.restored |= assigned
        elif not any(trains(each) for each in operations):
            self.reset |= assigned & self.restored

    def after(self, fetched: Any, result: Any) -> None:
        """Remember the handles of iterators among a run's results."""
        pairs = zip(fetched, result, strict=False) if isinstance(fetched, list | tuple) else [(fetched, result)]
        for tensor, value in pairs:
            if isinstance(value, bytes) and getattr(getattr(tensor, "op", None), "type", "") == HANDLE:
                self.handles[value] = tensor.name


_notes: weakref.WeakKeyDictionary[Any, SessionNotes] = weakref.WeakKeyDictionary()


def notes_of(session: Any) -> SessionNotes:
    """Return the notes on a session, begun when there are none."""
    return _notes.setdefault(session, SessionNotes())


def _assigned(reached: list[Any]) -> Iterator[str]:
    for each in reached:
        if each.type in ASSIGNS and each.inputs and each.inputs[0].op.type in VARIABLES:
            yield each.inputs[0].op.name
