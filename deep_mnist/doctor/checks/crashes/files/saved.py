"""How a model of an .h5 file was compiled, which Keras 3 cannot always read."""

from __future__ import annotations

import ast
import sys
from typing import Any

from deep_mnist.doctor.checks.crashes.crash import Crash
from deep_mnist.doctor.checks.crashes.files.lines import calls_at, line_with_keywords
from deep_mnist.doctor.checks.crashes.rules import NAME_UNKNOWN
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.finding import Finding


def explain_compiled(crash: Crash) -> Finding | None:
    """Name what the model was compiled with, and the lines that load it and compile it so."""
    config = crash.find("training_config", "compile_args_from_training_config")
    calls = calls_at(crash.user, "load_model") if crash.user is not None else []
    if crash.user is None or not isinstance(config, dict) or len(calls) != 1:
        return None
    loss, metrics = config.get("loss"), config.get("metrics")
    line, _, place = line_with_keywords(crash.user, calls[0], compile=False).partition("  # ")
    statement = ProgramText(crash.user.frame, crash.user.file).statement_of(calls[0])
    model = ast.unparse(statement.targets[0]) if isinstance(statement, ast.Assign) else ""
    again = _compiled(crash, model, config) if line.startswith(f"{model} =") else ""
    return NAME_UNKNOWN.found(
        expected="a loss and metrics that Keras finds by the names in the file",
        received=f"loss {_told(loss)}, metrics {_told(metrics)} of a file of .h5, at {crash.place}",
        fix=f"{line}; {again}  # {place}" if again else f"{line}  # {place}, and compile it again as it was",
    )


def _told(value: Any) -> str:
    return repr(value) if isinstance(value, str | list) or value is None else "of a class"


def _compiled(crash: Crash, model: str, config: dict[str, Any]) -> str:
    """Return the call that compiles a model as a file says; "" where it is no plain one."""
    optimizer = config.get("optimizer_config", {})
    loss, metrics = _spoken(crash, config.get("loss")), [_spoken(crash, each) for each in config.get("metrics") or []]
    if not model.isidentifier() or not loss or not all(metrics) or not isinstance(optimizer.get("class_name"), str):
        return ""
    told = f", metrics=[{', '.join(metrics)}]" if metrics else ""
    return f"{model}.compile(optimizer={optimizer['class_name'].lower()!r}, loss={loss}{told})"


def _spoken(crash: Crash, name: Any) -> str:
    """Return a loss or metric as code: by its name, or the program's own function; "" of neither."""
    if not isinstance(name, str):
        return ""
    if crash.user is not None and callable(crash.user.named(name)):
        return name
    return repr(name) if name in ("acc", "accuracy") or _is_keras(name) else ""


def _is_keras(name: str) -> bool:
    try:
        return sys.modules["keras"].metrics.get(name) is not None
    except ValueError:
        return False
