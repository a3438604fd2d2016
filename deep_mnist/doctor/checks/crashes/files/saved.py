"""What a saved model holds that Keras 3 does not read: how it was compiled, arguments of another Keras, code."""

from __future__ import annotations

import ast
import re
import sys
from typing import Any

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.files.lines import calls_at, line_changed, line_with_keywords
from deep_mnist.doctor.checks.crashes.files.rules import SAVED_OTHERWISE
from deep_mnist.doctor.checks.crashes.rules import NAME_UNKNOWN
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called, keyword_of
from deep_mnist.doctor.finding import Finding

LOADERS = ("load_model", "model_from_json", "clone_model", "from_config", "deserialize_keras_object")
OF_LAMBDA = re.compile(r"deserialization of a `?Lambda`? layer")
OTHER_ARGUMENTS = re.compile(r"Unrecognized keyword arguments passed to (\w+): (\{[^}]*\})")


def explain_saved_layer(crash: Crash) -> Finding | None:
    """Name the arguments of a saved layer that its class does not take, or the Lambda whose code is in the file."""
    step = crash.user
    calls = calls_at(step, *LOADERS) if step is not None else []
    if step is None or len(calls) != 1:
        return None
    if OF_LAMBDA.search(crash.text) is not None:
        return _of_lambda(crash, step, calls[0])
    match = OTHER_ARGUMENTS.search(crash.text)
    return _of_arguments(crash, step, calls[0], match[1], match[2]) if match is not None else None


def _of_lambda(crash: Crash, step: TraceStep, call: ast.Call) -> Finding:
    fix = line_with_keywords(step, call, safe_mode=False)
    if called(call) != "load_model":  # which alone takes it
        place = ProgramText(step.frame, step.file).at(call)
        fix = f"keras.config.enable_unsafe_deserialization()  # before {place}"
    return crash.found(
        SAVED_OTHERWISE,
        "a model without code, or leave to run the code of one that you made yourself",
        f"a Lambda layer, in {ast.unparse(call)}",
        fix,
    )


def _of_arguments(crash: Crash, step: TraceStep, call: ast.Call, layer: str, arguments: str) -> Finding | None:
    """Return the finding on arguments, the text of a dictionary, that a layer of Keras does not take."""
    names = re.findall(r"'(\w+)':", arguments)
    if not hasattr(sys.modules["keras"].layers, layer) or not names or keyword_of(call, "custom_objects") is not None:
        return None
    left_out = ", ".join(f"{each}=None" for each in names)
    made = f"{{{layer!r}: lambda {left_out}, **config: keras.layers.{layer}(**config)}}"
    objects = ast.keyword("custom_objects", ast.parse(made, mode="eval").body)
    again = ast.Call(call.func, call.args, [*call.keywords, objects])
    return crash.found(
        SAVED_OTHERWISE,
        f"a model whose {layer} has the arguments of the installed Keras",
        f"one of another version, with {' and '.join(names)}",
        line_changed(step, [(call, ast.unparse(again))]),
    )


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
