"""Lines that fix a network: the same model compiled again, a layer in the place of the one that is there.

A fix is Python: statements on `train_images` and `model`, or a layer as it should stand in the place of the last one,
of every BatchNormalization, and so on. What no line can put right is said in a sentence instead.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from types import FrameType, ModuleType

import numpy as np

from deep_mnist.contract.contract import Contract
from deep_mnist.contract.losses import BINARY_LOSSES, ONE_HOT_LOSSES, SPARSE_LOSSES
from deep_mnist.doctor.evidence.live.source_text import ProgramText, argument_of, keyword_of, side_by_side
from deep_mnist.doctor.evidence.live.statements.call_line import line_with

# Metrics that a string names for every loss; accuracy is whichever fits the loss.
METRICS = ("mean_absolute_error", "mean_squared_error", "root_mean_squared_error", "mae", "mse", "auc", "precision",
           "recall")  # fmt: skip
KNOWN = (*SPARSE_LOSSES, *ONE_HOT_LOSSES, *BINARY_LOSSES)
MOST_LOST = 0.2  # share of the examples, up to which those with gaps may be left out


def compiled_with(contract: Contract, loss: str, *, from_logits: bool = False, several: bool = False) -> str:
    """Return the statement that compiles the model with this loss, and otherwise as it was.

    Args:
        contract: Of the model, or of one of multiple outputs: the others keep their loss.
        loss: Its name, such as "categorical_crossentropy".
        from_logits: The output is no probability yet.
        several: Labels at once, each a 0 or a 1: "accuracy" would compare the greatest alone.
    """
    expression = _loss(loss, from_logits)
    if contract.outputs:
        losses = {each.output_name: _loss(each.loss, bool(each.from_logits)) for each in contract.outputs if each.loss}
        if any(each.loss not in (*KNOWN, None) for each in contract.outputs):
            return f"Compile with loss={expression} for the output {contract.output_name!r}, and the others as before."
        losses[contract.output_name] = expression
        expression = "{" + ", ".join(f'"{name}": {each}' for name, each in losses.items()) + "}"
    optimizer = "model.optimizer" if contract.optimizer else '"adam"'
    return f"model.compile(optimizer={optimizer}, loss={expression}{_metrics(contract, loss, several=several)})"


def _loss(name: str | None, from_logits: bool) -> str:
    if not from_logits:
        return f'"{name}"'
    return f"keras.losses.{loss_title(name)}(from_logits=True)"


def loss_title(name: str | None) -> str:
    """Return the class of a loss: "BinaryCrossentropy" of "binary_crossentropy"."""
    return "".join(part.capitalize() for part in (name or "").split("_"))


def _metrics(contract: Contract, loss: str, *, several: bool) -> str:
    """Return the argument that keeps the metrics; amounts are never exactly equal, so accuracy says nothing of them."""
    if contract.outputs:
        return ""
    if loss == "mean_squared_error":
        return ', metrics=["mean_absolute_error"]'
    named = ["accuracy" if "acc" in each else each for each in contract.metrics]
    kept = dict.fromkeys(each for each in named if each == "accuracy" or each in METRICS)
    metrics = ["binary_accuracy" if several and each == "accuracy" else each for each in kept or ["accuracy"]]
    return f", metrics={metrics}".replace("'", '"')


def last_layer(units: int | str, activation: str | None = None) -> str:
    """Return the layer that should be the last one with weights."""
    return f'Dense({units}, activation="{activation}")' if activation else f"Dense({units})"


def hidden_layers(names: Sequence[str], activation: str) -> str:
    """Return the statement that gives layers another activation; a sentence where they lie in a model within."""
    if not names or any("/" in name for name in names):
        return f'Give the hidden layers activation="{activation}".'
    if len(names) == 1:
        return f'model.get_layer("{names[0]}").activation = keras.activations.{activation}'
    listed = str(list(names)).replace("'", '"')
    return f"for name in {listed}: model.get_layer(name).activation = keras.activations.{activation}"


def log_of_zeros(frame: FrameType | None, values: np.ndarray) -> str:
    """Return the source's only line that takes logarithms with log1p in place of log, which knows zeros; "" of none.

    Args:
        frame: Of the user's code.
        values: Among which are -inf and no other number that is not finite.
    """
    lost = values[~np.isfinite(values)]
    if frame is None or not lost.size or not np.isneginf(lost).all():
        return ""
    text = ProgramText(frame)
    calls = [each for each in text.calls("log") if _is_of_numpy(each, frame)]
    statement = text.statement_of(calls[0]) if len(calls) == 1 else None
    if not isinstance(statement, ast.Assign | ast.AnnAssign | ast.Return) or not isinstance(
        calls[0].func, ast.Attribute
    ):
        return ""
    written = ast.unparse(statement).replace(f"{ast.unparse(calls[0].func)}(", f"{ast.unparse(calls[0].func)}1p(", 1)
    return text.in_place(written, statement) if line_with(text.tree, statement, written) else ""


def _is_of_numpy(call: ast.Call, frame: FrameType) -> bool:
    owner = getattr(call.func, "value", None)
    held = frame.f_globals.get(owner.id) if isinstance(owner, ast.Name) else None
    return isinstance(held, ModuleType) and held.__name__ == "numpy" and len(call.args) == 1


def alias_of(frame: FrameType | None, module: str, usual: str) -> tuple[str, bool]:
    """Return what the code of a frame calls a module, and whether it has imported it; else its usual name.

    Args:
        frame: Of the user's code, None where it is not known.
        module: Such as "pandas".
        usual: Such as "pd".
    """
    spaces = (frame.f_locals, frame.f_globals) if frame is not None else ()
    for space in spaces:
        for name, value in list(space.items()):
            if isinstance(value, ModuleType) and value.__name__ == module:
                return name, True
    return usual, False


def behind_windows(frame: FrameType | None, step: int, steps: int) -> str:
    """Return the lines that cut windows of a series with what follows each as its target; a sentence without any.

    Args:
        frame: Of the call.
        step: Of a window, whose number is now the target; from 0 on.
        steps: Of a window.
    """
    text = ProgramText(frame) if frame is not None else None
    calls = text.calls("timeseries_dataset_from_array") if text is not None else []
    lines = [_with_later_targets(text, each, step, steps) for each in calls] if text is not None else []
    if step == steps - 1:
        words = "End each window one step before its target: the window of target t is series[t - steps:t]."
    else:
        words = "Take each target from behind its window: series[i + steps] for the window series[i:i + steps]."
    return side_by_side(lines) or words


def _with_later_targets(text: ProgramText, call: ast.Call, step: int, steps: int) -> str:
    """Return the statement of windows with targets that begin later; "" where it is no plain one."""
    data, targets, length = (argument_of(call, *each) for each in ((0, "data"), (1, "targets"), (2, "sequence_length")))
    if data is None or targets is None or length is None or keyword_of(call, "sampling_rate") is not None:
        return ""
    later = length if step == 0 else ast.Constant(steps - step)
    if isinstance(targets, ast.Subscript) and isinstance(targets.slice, ast.Slice) and not targets.slice.step:
        first = targets.slice.lower
        start = later if first is None else ast.BinOp(first, ast.Add(), later)
        behind = ast.Subscript(targets.value, ast.Slice(start, targets.slice.upper))
    else:
        behind = ast.Subscript(targets, ast.Slice(later))
    if keyword_of(call, "targets") is not None:
        return text.rewritten(call, targets=behind)
    return text.rewritten(call, (data, behind))
