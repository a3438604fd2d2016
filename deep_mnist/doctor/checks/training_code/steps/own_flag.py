"""The name that a model's own call() gives the flag of training: is_training, train, mode …"""

from __future__ import annotations

import ast
import inspect
from types import CodeType, FrameType
from typing import Any

from deep_mnist.doctor.evidence.live.source_text import ProgramText


def flag_of_call(frame: FrameType | None, model: Any) -> str | None:
    """Return the only parameter that a model's call() hands on as such a flag, and that is False or None by default.

    It goes to layers as training=, or to layers of the user's own by its own name.
    """
    call = inspect.unwrap(getattr(type(model).call, "python_function", type(model).call))
    code = getattr(call, "__code__", None)
    definition = (
        ProgramText(frame, code.co_filename).function_at(code) if frame and isinstance(code, CodeType) else None
    )
    if definition is None:
        return None
    handed = {
        keyword.value.id
        for each in ast.walk(definition)
        if isinstance(each, ast.Call)
        for keyword in each.keywords
        if isinstance(keyword.value, ast.Name) and keyword.arg in ("training", keyword.value.id)
    }
    of_call = inspect.signature(call).parameters.values()
    flags = [each.name for each in of_call if each.name in handed and (each.default is None or each.default is False)]
    return flags[0] if len(flags) == 1 else None
