"""What names and expressions of a program will stand for after a call of fit, as far as that is known before it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import FunctionType, MethodType, ModuleType
from typing import Any

from deep_mnist.doctor.evidence.live.source_text import called

ASKING = (ast.In, ast.NotIn, ast.Is, ast.IsNot)
GUARDS = ("hasattr", "getattr", "isinstance", "callable")


class Meant(Enum):
    """Values that are not there before the fit has run."""

    HISTORY = "the History that fit returns"
    LOGS = "its dictionary, or the logs that a callback is given"


@dataclass(frozen=True)
class Got:
    """What logs.get(key) returns, None where that is not logged."""

    key: str


class NamesThen:
    """What names stand for: live objects, or what is meant by them.

    Args:
        names: Of the frame or function.
        model: Of the fit.

    Attributes:
        changed: What was set since, by its text; None where the new value is not known.
        results: What calls return, by the identity of their nodes.
        made_anew: The model was compiled or fitted again since.
    """

    def __init__(self, names: Mapping[str, Any], model: Any) -> None:
        self.names, self.model = names, model
        self.changed: dict[str, Any] = {}
        self.results: dict[int, Any] = {}
        self.made_anew = False

    def value(self, node: ast.expr) -> Any:
        """Return the live object or Meant of a name, an attribute, a call followed or a plain `a or b`; else None."""
        if isinstance(node, ast.Name):
            return self.changed[node.id] if node.id in self.changed else self.names.get(node.id)
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Attribute):
            text = ast.unparse(node)
            return self.changed[text] if text in self.changed else self._attribute(self.value(node.value), node.attr)
        if isinstance(node, ast.Call):
            return self.results.get(id(node)) or self._called_of_logs(node)
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
            first = self.value(node.values[0])
            return first if isinstance(first, Meant) else None
        return None

    def _called_of_logs(self, node: ast.Call) -> Any:
        """Return what DataFrame(logs) and logs.get(key) stand for, None of any other call."""
        first = node.args[0] if len(node.args) == 1 and not node.keywords else None
        if called(node) == "DataFrame" and first is not None:
            return Meant.LOGS if self.value(first) is Meant.LOGS else None
        if not isinstance(node.func, ast.Attribute) or self.value(node.func.value) is not Meant.LOGS:
            return None
        is_key = called(node) == "get" and isinstance(first, ast.Constant) and isinstance(first.value, str)
        return Got(str(self.value(first))) if is_key and first is not None else None

    def _attribute(self, owner: Any, name: str) -> Any:
        if name == "history" and (owner is self.model or owner is Meant.HISTORY):
            return Meant.LOGS if owner is Meant.HISTORY else None if self.made_anew else Meant.HISTORY
        if owner is None or isinstance(owner, Meant):
            return None
        if isinstance(owner, ModuleType) or name in getattr(owner, "__dict__", ()):
            return vars(owner).get(name)
        if name == "model" and getattr(owner, "_model", None) is self.model:
            return self.model
        found = inspect.getattr_static(type(owner), name, None)
        return MethodType(found, owner) if isinstance(found, FunctionType) else None

    def truth(self, test: ast.expr) -> bool | None:
        """Return what a condition comes to, None where that is open."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            inner = self.truth(test.operand)
            return None if inner is None else not inner
        if isinstance(test, ast.BoolOp):
            decisive = isinstance(test.op, ast.Or)
            parts = [self.truth(each) for each in test.values]
            return decisive if decisive in parts else None if None in parts else not decisive
        if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Is | ast.IsNot):
            is_none = isinstance(test.comparators[0], ast.Constant) and test.comparators[0].value is None
            meant = isinstance(self.value(test.left), Meant)
            return isinstance(test.ops[0], ast.IsNot) if is_none and meant else None
        value = self.value(test)
        return True if isinstance(value, Meant) else value if isinstance(value, bool) else None


def is_guard(test: ast.expr) -> bool:
    """Whether a condition asks whether something is there, or for a version."""
    for node in ast.walk(test):
        if isinstance(node, ast.Call) and called(node) in GUARDS:
            return True
        if isinstance(node, ast.Compare) and any(
            isinstance(e, ast.In | ast.NotIn | ast.Is | ast.IsNot) for e in node.ops
        ):
            return True
        if isinstance(node, ast.Attribute | ast.Name) and "version" in ast.unparse(node).lower():
            return True
    return False
