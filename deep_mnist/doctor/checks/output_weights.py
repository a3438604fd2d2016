"""The line of fit with weights of the examples, of several outputs or of steps and pixels, for class_weight.

A tf.data.Dataset holds the weights itself, behind inputs and targets.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from deep_mnist.contract.losses import DISTRIBUTION_LOSSES
from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.live.dataset_graph import is_dataset
from deep_mnist.doctor.evidence.live.source_text import ProgramText, argument_of, keyword_of

WEIGHT = "np.vectorize({}.get, otypes=[float])(y)"


def weights_of_outputs(case: Case) -> str:
    """Return fit's own line with sample_weight for class_weight, "" where no line can be sure to hold every class."""
    call = case.call
    if call is None or case.frame is None:
        return ""
    text = ProgramText(case.frame)
    if is_dataset(call.x):
        return _in_the_dataset(case, text, text.call_on(case.frame.f_lineno, "fit"))
    for fit in text.calls_on(case.frame.f_lineno, "fit"):
        stated, given = keyword_of(fit, "class_weight"), keyword_of(fit, "y")
        given = given if given is not None or len(fit.args) < 2 else fit.args[1]
        names = [each.output_name for each in case.contract.outputs]
        weights = call.arguments.get("class_weight")
        if stated is None or given is None or not isinstance(weights, Mapping):
            continue
        if not names:
            expression = _of_places(case, ast.unparse(stated), ast.unparse(given), weights)
        elif _hold_all(weights, call.y, names):
            by_output = set(weights) >= set(names)
            expression = _expression(ast.unparse(stated), ast.unparse(given), call.y, by_output=by_output)
        else:
            continue
        if not expression:
            continue
        kept = [each for each in fit.keywords if each.arg != "class_weight"]
        value = ast.parse(expression, mode="eval").body
        return text.with_expression(fit, ast.Call(fit.func, fit.args, [*kept, ast.keyword("sample_weight", value)]))
    return ""


def _of_places(case: Case, weights: str, labels: str, held: Mapping[Any, Any]) -> str:
    """Return a weight for each step or pixel of one output, "" where a class has none."""
    y, rows = np.asarray(case.call.y) if case.call is not None else np.zeros(0), labels
    if case.contract.loss in DISTRIBUTION_LOSSES:
        y, rows = y.argmax(axis=-1), f"{labels}.argmax(axis=-1)"
    elif y.ndim > 2 and y.shape[-1] == 1:
        y, rows = y[..., 0], f"{labels}[..., 0]"
    known = y.dtype.kind in "fiub" and set(np.unique(y).tolist()) <= set(held)
    return WEIGHT.format(weights).replace("(y)", f"({rows})") if known else ""


def _expression(weights: str, labels: str, y: Any, *, by_output: bool) -> str:
    each = WEIGHT.format(f"{weights}[name]" if by_output else weights)
    if isinstance(y, Mapping):
        return f"{{name: {each} for name, y in {labels}.items()}}"
    if by_output:
        return f"[{each} for name, y in zip(model.output_names, {labels})]"
    return f"[{each} for y in {labels}]"


def _hold_all(weights: Mapping[Any, Any], y: Any, names: Sequence[str]) -> bool:
    """Whether there is a weight for every label of every output."""
    of_each = {name: weights[name] if set(weights) >= set(names) else weights for name in names}
    if isinstance(y, Mapping):
        labels = {name: y.get(name) for name in names}
    else:
        labels = dict(zip(names, y, strict=False)) if isinstance(y, list | tuple) and len(y) == len(names) else {}
    held = [(of_each[name], np.asarray(each)) for name, each in labels.items() if each is not None]
    return len(held) == len(names) and all(
        isinstance(own, Mapping) and each.dtype.kind in "fiub" and set(np.unique(each).tolist()) <= set(own)
        for own, each in held
    )


# --- of a dataset -------------------------------------------------------------------------------------------


def _in_the_dataset(case: Case, text: ProgramText, fit: ast.Call | None) -> str:
    """Return fit's own line on the dataset with weights as the third part of each batch, "" of another form."""
    call = case.call
    data = argument_of(fit, 0, "x") if fit is not None else None
    spec = call.x.element_spec if call is not None else None
    if call is None or fit is None or data is None or not isinstance(spec, tuple) or len(spec) != 2:
        return ""
    weights = _nested(getattr(call.model, "_outputs_struct", None), spec[1], call.arguments["class_weight"], case)
    if not weights:
        return ""
    mapped = ast.parse(f"{ast.unparse(data)}.map(lambda x, y: (x, y, {weights}))", mode="eval").body
    kept = [each for each in fit.keywords if each.arg not in ("x", "class_weight")]
    return text.with_expression(fit, ast.Call(fit.func, [mapped, *fit.args[1:]], kept))


def _nested(outputs: Any, targets: Any, weights: Any, case: Case) -> str:
    """Return the weights of a batch in the form of the model's outputs: one expression, a tuple, or a dictionary."""
    if not isinstance(weights, Mapping):
        return ""
    if not case.contract.outputs:
        return _gathered(weights, targets, "y", is_one_hot=case.contract.loss in DISTRIBUTION_LOSSES)
    names = [each.output_name for each in case.contract.outputs]
    one_hot = [each.loss in DISTRIBUTION_LOSSES for each in case.contract.outputs]
    by_output = set(weights) >= set(names)
    parts = []
    for place, name in enumerate(names):
        key = name if isinstance(targets, Mapping) else place
        held = targets[key] if key in (targets if isinstance(targets, Mapping) else range(len(targets))) else None
        parts.append(_gathered(weights[name] if by_output else weights, held, f"y[{key!r}]", is_one_hot=one_hot[place]))
    if not all(parts):
        return ""
    if isinstance(outputs, Mapping):
        both = ", ".join(f"{name!r}: {each}" for name, each in zip(names, parts, strict=True))
        return f"{{{both}}}" if set(outputs) == set(names) else ""
    return f"({', '.join(parts)})" if isinstance(outputs, list | tuple) else ""


def _gathered(weights: Any, spec: Any, labels: str, *, is_one_hot: bool) -> str:
    """Return what takes the weight of each label, "" where the classes are not 0, 1, 2 … or the labels no tensor."""
    if not isinstance(weights, Mapping) or not hasattr(spec, "dtype") or set(weights) != {*range(len(weights))}:
        return ""
    shape = getattr(spec, "shape", None)
    if shape is None or shape.rank is None:
        return ""
    numbers = f"tf.argmax({labels}, axis=-1)" if is_one_hot else labels
    if not is_one_hot and shape.rank > 2 and shape[-1] == 1:
        numbers = f"{labels}[..., 0]"
    if not is_one_hot and not spec.dtype.is_integer:
        numbers = f"tf.cast({numbers}, 'int32')"
    return f"tf.gather({[float(weights[each]) for each in range(len(weights))]}, {numbers})"
