"""`add_metric`, which went with Keras 3: a tracker of the layer's own in its place, or none."""

from __future__ import annotations

import ast
import re

from deep_mnist.doctor.checks.crashes.crash import Crash, is_layer
from deep_mnist.doctor.checks.crashes.files.lines import calls_at, line_changed
from deep_mnist.doctor.checks.crashes.rules import NAME_GONE
from deep_mnist.doctor.evidence.live.source_text import ProgramText, argument_of, keyword_of
from deep_mnist.doctor.evidence.live.statements.call_line import held_by
from deep_mnist.doctor.finding import Finding


def explain_added_metric(crash: Crash) -> Finding | None:
    """Name the line, also where what is added raises first: the next error would be of add_metric itself."""
    step = crash.user
    calls = calls_at(step, "add_metric") if step is not None else []
    if step is None or len(calls) != 1 or not isinstance(calls[0].func, ast.Attribute):
        return None
    text, owner = ProgramText(step.frame, step.file), calls[0].func.value
    if not is_layer(held_by(owner, step.frame)):
        return None
    fix = ""
    if ast.unparse(owner) == "self":
        fix = _tracked(crash, text, calls[0])
    return crash.found(
        NAME_GONE,
        "metrics in compile(metrics=[…]), or a metric of the layer's own that call() updates",
        f"{ast.unparse(owner)}.add_metric(…), which went with Keras 3",
        fix or f"Leave {text.at(calls[0])} out: what the model itself gives is measured by compile(metrics=[…]).",
    )


def _tracked(crash: Crash, text: ProgramText, call: ast.Call) -> str:
    """Return the update of a mean that the layer makes in __init__, "" of a class without that."""
    step, value = crash.user, argument_of(call, 0, "value")
    classes = [each for each in text.nodes if isinstance(each, ast.ClassDef)
               and each.lineno <= call.lineno <= (each.end_lineno or 0)]  # fmt: skip
    init = next((each for of in classes for each in of.body if isinstance(each, ast.FunctionDef)
                 and each.name == "__init__"), None)  # fmt: skip
    if step is None or value is None or init is None or len(classes) != 1:
        return ""
    stated = argument_of(call, 1, "name") or keyword_of(call, "name")
    name = stated.value if isinstance(stated, ast.Constant) and isinstance(stated.value, str) else "value"
    slug = re.sub(r"\W", "_", name)
    tracker = f"self.{slug}_tracker"
    line, _, place = line_changed(step, [(call, f"{tracker}.update_state({ast.unparse(value)})")]).partition("  # ")
    return f"{tracker} = keras.metrics.Mean(name={name!r})  # behind {text.at(init.body[-1])}, and {place}: {line}"
