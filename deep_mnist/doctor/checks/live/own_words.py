"""A change of the examples or labels as one line for what fit is given: array, dataset, sequence or generator."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import replace
from types import FrameType
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.live import batch_fixes
from deep_mnist.doctor.checks.live.class_folders import READERS, class_names
from deep_mnist.doctor.checks.live.pipelines import without_rescale
from deep_mnist.doctor.evidence.live.dataset_graph import is_dataset
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called, side_by_side
from deep_mnist.doctor.evidence.live.statements.fix_statements import IN_PLACE
from deep_mnist.doctor.finding import Finding

# The labels that a loss takes, as flow_from_directory and as image_dataset_from_directory call them.
MODES = {
    "categorical_crossentropy": ("categorical", "categorical"),
    "sparse_categorical_crossentropy": ("sparse", "int"),
    "binary_crossentropy": ("binary", "binary"),
}


def changed(case: Case, split: str, part: str, expression: str) -> str:
    """Return the line that makes an expression of a split's images or labels, "" where no line can.

    Args:
        case: Its call tells what fit is given.
        split: "train" or "test".
        part: "images" or "labels".
        expression: Python of {}, which runs on arrays and on tensors, such as "{} / 255".
    """
    data = data_of(case, split)
    name = f"{split}_{part}"
    if is_dataset(data):
        parts = ("{}, y, *rest" if part == "images" else "x, {}, *rest").format(
            expression.format("x" if part == "images" else "y")
        )
        return f"{split}_images = {split}_images.map(lambda x, y, *rest: ({parts}))"
    if _is_batches(data):
        code = batch_fixes.code_of(type(data), "__getitem__")
        if not hasattr(data, "__getitem__"):
            code = getattr(batch_fixes.source_of(data), "gi_code", None)
        return batch_fixes.with_part(case, code, 0 if part == "images" else 1, expression)
    name = _whole(case, split, part) or name
    return f"{name} = {expression.format(name)}"


def _whole(case: Case, split: str, part: str) -> str:
    """Return the array of which fit is given a slice, as in fit(x[:800], y[:800]); "" where it is given a name."""
    if case.frame is None:
        return ""
    text = ProgramText(case.frame)
    index = 0 if part == "images" else 1
    for call in text.calls_on(case.frame.f_lineno, "fit"):
        stated = {each.arg: each.value for each in call.keywords}
        given = stated.get("xy"[index], call.args[index] if len(call.args) > index else None)
        if split != "train":
            pair = stated.get("validation_data")
            given = pair.elts[index] if isinstance(pair, ast.Tuple | ast.List) and len(pair.elts) > index else None
        if (
            isinstance(given, ast.Subscript)
            and isinstance(given.value, ast.Name)
            and isinstance(given.slice, ast.Slice)
        ):
            return given.value.id
    return ""


def data_of(case: Case, split: str) -> Any:
    """Return what fit is given for a split: x, or validation_data where that is no pair of arrays."""
    call = case.call
    if call is None:
        return None
    data = call.x if split == "train" else call.held_out
    return data[0] if split != "train" and isinstance(data, tuple | list) and data else data


def _is_batches(data: Any) -> bool:
    if data is None or hasattr(data, "shape") or isinstance(data, list | tuple | dict):
        return False
    return hasattr(data, "__next__") or any(each.__name__ in ("PyDataset", "Sequence") for each in type(data).__mro__)


def in_own_words(case: Case, finding: Finding) -> Finding:
    """Return a finding on images whose statement on an array runs on what fit is given: a dataset, batches.

    Statements of another form (rows left out, several at once) are returned as they are.
    """
    if again := _read_again(case, finding):
        return replace(finding, fix=again)
    if finding.rule.code == "I105" and (unscaled := without_rescale(case, data_of(case, finding.split))):
        return replace(finding, fix=unscaled[0], line=unscaled[1])
    name = f"{finding.split}_images"
    body, mark, comment = finding.fix.partition("  # ")
    target, _, stated = body.partition(" = ")
    data = data_of(case, finding.split)
    if target != name or name not in stated or ";" in body or not (is_dataset(data) or _is_batches(data)):
        return finding
    plain = stated.partition(f" if {name}")[0].replace('.astype("float32")', "")
    called = re.sub(rf"\b{name}\.|np\.(?!array)", "", plain) != plain  # a method or function of arrays
    line = "" if called else changed(case, finding.split, "images", plain.replace(name, "{}"))
    return replace(finding, fix=f"{line}{mark}{comment}") if line else finding


def _read_again(case: Case, finding: Finding) -> str:
    """Return the statements that read class folders with labels as the loss takes them; "" of other data."""
    mode = MODES.get(case.contract.loss or "") if finding.rule.code in ("L120", "L121") else None
    if mode is None or case.frame is None or not class_names(data_of(case, finding.split)):
        return ""
    text, lines = ProgramText(case.frame), []
    for call in text.calls(*READERS, "flow_from_dataframe"):
        keyword, stated = ("class_mode", mode[0]) if called(call).startswith("flow") else ("label_mode", mode[1])
        changes: dict[str, Any] = {keyword: ast.Constant(stated)}
        lines += [line] if (line := text.rewritten(call, **changes)) else []
    return side_by_side(lines)


def with_another_line(finding: Finding, frame: FrameType | None) -> Finding:
    """Return a finding whose fix is no line of the program as it stands: in words, where it was."""
    if frame is None or not ProgramText(frame).is_as_it_stands(finding.fix):
        return finding
    place = finding.fix.partition(f"{IN_PLACE} ")[2]
    return replace(finding, fix=f"Write {place} anew: it needs {finding.expected}.")


def with_each_line_once(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings of which no two have one line of a dataset's: written twice, it would divide twice."""
    first: dict[str, str] = {}
    found = []
    for each in findings:
        if ".map(" in each.fix and first.setdefault(each.fix, each.rule.code) != each.rule.code:
            each = replace(each, fix=f"Nothing more: the line of {first[each.fix]} mends this, too.")
        found.append(each)
    return found
