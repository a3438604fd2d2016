"""What tensors and operations are called in the user's source."""

from __future__ import annotations

from types import FrameType
from typing import Any

from deep_mnist.doctor.capture.source import attributes_of
from deep_mnist.doctor.tensorflow1.graph_walk import line_of, shaped_from

MOST_FRAMES = 8


class Names:
    """The variables in reach of a run, by the tensor or operation that they hold.

    Args:
        frame: Of the code that runs the session; None without source.
    """

    def __init__(self, frame: FrameType | None) -> None:
        self._names: dict[int, str] = {}
        self._held: list[Any] = []  # so that no id is another's
        self.iterator = "iterator"
        for _ in range(MOST_FRAMES):
            if frame is None:
                return
            for space in (frame.f_locals, frame.f_globals):
                for name, value in list(space.items()):
                    self._add(name, value)
            frame = frame.f_back

    def _add(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            return
        if name == "self":
            for attribute, each in list(attributes_of(value).items()):
                self._add(f"self.{attribute}", each)
            return
        if hasattr(value, "get_next") and hasattr(value, "string_handle"):
            self.iterator = name
        operation = getattr(value, "op", value)
        if hasattr(operation, "control_inputs"):
            self._names.setdefault(id(value), name)
            self._held.append(value)
            if operation is value:
                return
            tensor = getattr(value, "_variable", None)
            if tensor is not None:
                self._names.setdefault(id(tensor.op if hasattr(tensor, "op") else tensor), name)
            self._names.setdefault(id(operation), name)

    def of(self, tensor: Any, default: str) -> str:
        """Return what a tensor, or the operation of it, is called; `default` where it has no name of its own."""
        operation = getattr(tensor, "op", tensor)
        return self._names.get(id(tensor)) or self._names.get(id(operation)) or default

    def shaped(self, tensor: Any, default: str) -> str:
        """Return what a tensor is called, or the one that it is a reshaped form of."""
        return self.of(tensor, "") or self.of(shaped_from(tensor), default)

    def at(self, tensor: Any) -> str:
        """Return " (line 12)", where a tensor's operation was made; "" where that is not known."""
        line = line_of(getattr(tensor, "op", tensor))
        return f" (line {line})" if line else ""
