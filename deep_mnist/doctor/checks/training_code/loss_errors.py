"""What an error within a loss of one's own calls for: arguments exchanged, a model called, a symbol handed in."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.checks.crashes.building.graph_sizes import explain_graph_size
from deep_mnist.doctor.checks.crashes.crash import Crash, is_kind_of
from deep_mnist.doctor.checks.crashes.operands import explain_types
from deep_mnist.doctor.checks.training_code.loss_lines import LossLines
from deep_mnist.doctor.evidence.live.loss_trial import LossTrial
from deep_mnist.doctor.evidence.live.source_text import called
from deep_mnist.doctor.evidence.live.statements.fix_statements import is_code

OF_ARRAYS = ("scipy", "sklearn", "skimage", "cv2", "librosa", "pandas", "PIL", "torch")  # packages that take no tensors
OF_PYTHON = re.compile(r"numpy|bool|iterat|symbolic|not allowed|float|must be real number", re.IGNORECASE)


def has_exchanged(error: Exception, lines: LossLines) -> bool:
    """Whether an error came out of a loss of Keras that is given the predictions first and the targets second."""
    step = Crash(error).user
    call = step.call if step is not None else None
    given = [getattr(each, "id", "") for each in call.args] if call is not None else []
    named = call is not None and called(call).lower().endswith(("crossentropy", "divergence", "poisson", "hinge"))
    return named and len(given) == 2 and tuple(given[::-1]) == lines.parameters


def symbol_in(trial: LossTrial) -> str:
    """Return the name of a symbol of the network's graph that a loss computes with, "" for none."""
    code = getattr(trial.function, "__code__", None)
    if code is None:
        return ""
    cells = zip(code.co_freevars, trial.function.__closure__ or (), strict=False)
    held = {name: trial.function.__globals__.get(name) for name in code.co_names}
    held |= {name: cell.cell_contents for name, cell in cells}
    return next((name for name, value in held.items() if is_kind_of(value, "KerasTensor")), "")


def size_or_type(error: Exception) -> str:
    """Return the line that asks for a size as the graph runs, or casts to a type; "" for an error of another kind."""
    found = explain_graph_size(Crash(error)) or explain_types(Crash(error))
    return found.fix if found is not None and is_code(found.fix) else ""


def with_return(lines: LossLines) -> str:
    """Return the last line of a loss that returns nothing, with its value returned; "" of one that returns some."""
    if lines.text is None or not lines.statements or lines.of_step:
        return ""
    if any(isinstance(each, ast.Return) and each.value is not None for each in lines.statements):
        return ""
    last = lines.statements[-1]
    if isinstance(last, ast.Expr) and not isinstance(last.value, ast.Constant):
        return lines.text.in_place(f"return {ast.unparse(last.value)}", last)
    if isinstance(last, ast.Assign) and isinstance(last.targets[0], ast.Name):
        return lines.text.in_place(f"{ast.unparse(last)}; return {last.targets[0].id}", last)
    return f"Let {lines.name} return its loss."


def fix_of_error(error: Exception, lines: LossLines, shapes: tuple[Any, Any]) -> str:
    """Return what mends a loss that raises an error for targets and predictions of these shapes."""
    crash = Crash(error)
    call = crash.user.call if crash.user is not None else None
    if call is not None and called(call) == "predict" and (line := _calling(lines)):
        return line
    if foreign := next(_of_arrays(lines), ""):
        return f"Write {foreign} in {lines.name} with operations of TensorFlow or keras.ops: it takes arrays alone."
    line = lines.with_ops()
    if "  # in place of" in line or OF_PYTHON.search(str(error)) or not crash.place:
        return line
    targets, predictions = shapes
    return f"Mend {crash.place}: y_true comes in the shape {targets} and y_pred in {predictions}."


def _calling(lines: LossLines) -> str:
    """Return the lines that call a model, which has a gradient, in the place of its predict()."""

    def change(node: ast.AST) -> ast.AST | None:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or called(node) != "predict":
            return None
        return ast.Call(node.func.value, node.args[:1], [])

    line = lines.changed(change)
    calls = [node.func for each in lines.statements for node in ast.walk(each) if isinstance(node, ast.Call)]
    owners = {ast.unparse(each.value) for each in calls if isinstance(each, ast.Attribute) and each.attr == "predict"}
    made = [name for each in lines.statements if isinstance(each, ast.Assign)
            for name in map(ast.unparse, each.targets) if name in owners]  # fmt: skip
    return f"{line}; and make {made[0]} once, before {lines.name}" if line and made else line


def _of_arrays(lines: LossLines) -> Iterator[str]:
    """Yield the functions of other libraries that a loss calls and that take no tensors."""
    for each in lines.statements:
        for node in (one for one in ast.walk(each) if isinstance(one, ast.Call)):
            root: ast.expr = node.func
            while isinstance(root, ast.Attribute):
                root = root.value
            value = lines.text.value_of(root) if lines.text is not None else None
            module = str(getattr(value, "__module__", None) or getattr(value, "__name__", ""))
            if module.partition(".")[0] in OF_ARRAYS:
                yield ast.unparse(node.func)
