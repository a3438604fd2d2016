"""A fix of arrays, said again for what fit is given: `.map(…)` of a dataset, a generator over a generator.

Code of numpy on a dataset or an iterator only raises. What has no plain form in a pipeline is said in a sentence that
names the place where the pipeline is made.
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from types import FrameType
from typing import Any

from deep_mnist.doctor.capture.draw import is_kind, is_pipeline
from deep_mnist.doctor.capture.fit_call import FitCall
from deep_mnist.doctor.checks.fix_lines import alias_of
from deep_mnist.doctor.finding import Finding

ROLE = re.compile(r"\b(train|test)_(images|labels)\b")
PARTS = {"images": "x", "labels": "y"}
SAME_IN_BOTH = ("shape",)  # attributes of tensors as of arrays
NUMPY_TYPES = ("np.float32", "np.float64", "np.int32", "np.int64", "np.uint8", "np.float16")
STANDARDIZED = "mean, deviation = "


class NoPlainFormError(ValueError):
    """An expression of numpy that has no plain form in TensorFlow."""


def in_pipeline_words(finding: Finding, call: FitCall, frame: FrameType | None) -> Finding:
    """Return a finding whose fix runs on what fit is given.

    Args:
        finding: With a fix in the words of arrays.
        call: Its x and validation tell what they are.
        frame: Of the caller, for what it calls TensorFlow.
    """
    body, mark, comment = finding.fix.partition("  # ")
    splits = {match.group(1) for match in ROLE.finditer(body)}
    piped = [each for each in ("train", "test") if each in splits and is_pipeline(_data(call, each))]
    if not piped or not _is_of_numpy(body):
        return finding
    tensorflow, _ = alias_of(frame, "tensorflow", "tf")
    lines = [_line(each, _data(call, each), body, tensorflow) for each in piped]
    if any(not each for each in lines):
        return replace(finding, fix=_sentence(piped, call, body))
    return replace(finding, fix="; ".join(lines) + mark + comment)


def _data(call: FitCall, split: str) -> Any:
    held = call.x if split == "train" else call.held_out
    return None if split == "test" and isinstance(held, tuple | list) else held


def _is_of_numpy(body: str) -> bool:
    """Whether a fix is statements that set images or labels, and not yet in a pipeline's words."""
    if any(word in body for word in (".map(", ".batch(", ".unbatch(", ".filter(", "lambda", " for x")):
        return False
    try:
        statements = ast.parse(body).body
    except SyntaxError:
        return False
    return any(isinstance(each, ast.Assign) and ROLE.search(ast.unparse(each.targets[0])) for each in statements)


def _line(split: str, data: Any, body: str, tensorflow: str) -> str:
    """Return the statement for one split, "" where there is no plain one."""
    name = f"{split}_images"
    if body.startswith(STANDARDIZED):
        return _normalized(name) if is_kind(data, "DatasetV2") and split == "train" else ""
    if not is_kind(data, "DatasetV2") and (hasattr(data, "__getitem__") or not hasattr(data, "__next__")):
        return ""  # a sequence or loader makes its batches in code of its own
    if "isfinite" in body or "keep" in body:
        return _kept(name, tensorflow) if is_kind(data, "DatasetV2") and "isfinite" in body else ""
    parts = _parts(split, body)
    if not parts:
        return ""
    if not is_kind(data, "DatasetV2"):
        values = ", ".join(parts.get(each, each) for each in ("x", "y"))
        return f"{name} = (({values}, *rest) for x, y, *rest in {name})"
    try:
        values = ", ".join(_in_tensorflow(parts[each], tensorflow) if each in parts else each for each in ("x", "y"))
    except NoPlainFormError:
        return ""
    return f"{name} = {name}.map(lambda x, y, *rest: ({values}, *rest))"


def _parts(split: str, body: str) -> dict[str, str]:
    """Return the expressions of x and of y that statements set for a split; {} where they do anything else."""
    found: dict[str, str] = {}
    for each in ast.parse(body).body:
        target = ast.unparse(each.targets[0]) if isinstance(each, ast.Assign) and len(each.targets) == 1 else ""
        match = ROLE.fullmatch(target)
        if match is None or not isinstance(each, ast.Assign):
            return {}
        if match.group(1) == split:
            part = PARTS[match.group(2)]
            text = ROLE.sub(lambda role: PARTS[role.group(2)], ast.unparse(each.value))
            found[part] = re.sub(rf"\b{part}\b", f"({found[part]})", text) if part in found else text
    return found


def _normalized(name: str) -> str:
    return (
        f"normalize = keras.layers.Normalization(); normalize.adapt({name}.map(lambda x, y, *rest: x)); "
        f"{name} = {name}.map(lambda x, y, *rest: (normalize(x), y, *rest))"
    )


def _kept(name: str, tensorflow: str) -> str:
    finite = f"{tensorflow}.reduce_all({tensorflow}.math.is_finite({tensorflow}.cast({{}}, 'float32')))"
    both = " & ".join(finite.format(each) for each in ("x", "y"))
    return f"{name} = {name}.unbatch().filter(lambda x, y, *rest: {both}).batch(32)"


def _sentence(splits: list[str], call: FitCall, body: str) -> str:
    """Say where in the pipeline a change belongs."""
    data = _data(call, splits[0])
    name = f"{splits[0]}_images"
    parts = _parts(splits[0], body) if not body.startswith(STANDARDIZED) else {}
    done = "; ".join(f"{part} = {text}" for part, text in parts.items()) or "the same with each batch"
    if is_kind(data, "DirectoryIterator", "NumpyArrayIterator", "DataFrameIterator"):
        scaled = any(text.endswith("/ 255") for text in parts.values())
        argument = "rescale=1 / 255" if scaled else "preprocessing_function=…"
        return f"Make {name} by ImageDataGenerator({argument}): {done}."
    where = "in __getitem__ of" if hasattr(data, "__getitem__") else "in the dataset behind" if hasattr(
        data, "dataset") else "in the pipeline of"  # fmt: skip
    return f"Do this {where} {name}, before a batch is returned: {done}."


# --- numpy's words in TensorFlow's -------------------------------------------------------------------


def _in_tensorflow(text: str, tensorflow: str) -> str:
    again = _Translator(tensorflow).visit(ast.parse(text, mode="eval"))
    return ast.unparse(ast.fix_missing_locations(again))


class _Translator(ast.NodeTransformer):
    """Turns an expression of numpy on x and y into one of TensorFlow.

    Raises:
        NoPlainFormError: A function or method has none.
    """

    def __init__(self, tensorflow: str) -> None:
        self.tensorflow = tensorflow

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        text = ast.unparse(node)
        if text == "np.newaxis":
            return ast.Constant(None)
        if text in NUMPY_TYPES:
            return ast.Constant(text[3:])
        if node.attr not in SAME_IN_BOTH:
            raise NoPlainFormError(text)
        return self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        value = node.value
        if isinstance(value, ast.Call) and ast.unparse(value.func) == "np.eye":
            index = self.visit(node.slice)
            return self._call(f"one_hot({self.tensorflow}.cast({ast.unparse(index)}, 'int32'), "
                              f"{ast.unparse(value.args[0])})")  # fmt: skip
        return self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        test, body, other = (ast.unparse(self.visit(each)) for each in (node.test, node.body, node.orelse))
        return self._call(f"where({test}, {body}, {self.tensorflow}.cast({other}, 'float32'))")

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if not isinstance(node.func, ast.Attribute):
            raise NoPlainFormError(ast.unparse(node))
        arguments = [ast.unparse(self.visit(each)) for each in node.args]
        keywords = {each.arg or "": ast.unparse(self.visit(each.value)) for each in node.keywords}
        root = ast.unparse(node.func.value)
        if root == "np":
            return self._function(node.func.attr, arguments)
        return self._method(node.func.attr, ast.unparse(self.visit(node.func.value)), arguments, keywords)

    def _function(self, name: str, arguments: list[str]) -> ast.AST:
        known = {
            "asarray": "cast({0}, {1})" if len(arguments) > 1 else "convert_to_tensor({0})",
            "rint": "round({0})",
            "clip": "clip_by_value({0}, {1}, {2})",
            "transpose": "transpose({0}, {1})",
            "searchsorted": "searchsorted({tf}.constant({0}, {1}.dtype), {1})",
            "expand_dims": "expand_dims({0}, {1})",
        }
        if name not in known:
            raise NoPlainFormError(name)
        return self._call(known[name].format(*arguments, tf=self.tensorflow))

    def _method(self, name: str, value: str, arguments: list[str], keywords: dict[str, str]) -> ast.AST:
        shape = f"[{', '.join(arguments)}]" if len(arguments) != 1 else arguments[0]
        axis = keywords.get("axis", "-1")
        known = {
            "astype": f"cast({value}, {_dtype(arguments)})",
            "reshape": f"reshape({value}, {shape if shape[:1] in '[(' else f'[{shape}]'})",
            "max": f"reduce_max({value})",
            "argmax": f"argmax({value}, axis={axis})",
            "transpose": f"transpose({value}, {shape})",
            "repeat": f"repeat({value}, {arguments[0] if arguments else 1}, axis={axis})",
        }
        if name not in known:
            raise NoPlainFormError(name)
        return self._call(known[name])

    def _call(self, text: str) -> ast.AST:
        return ast.parse(f"{self.tensorflow}.{text}", mode="eval").body


def _dtype(arguments: list[str]) -> str:
    return {"int": "'int64'", "float": "'float32'", "bool": "'bool'"}.get("".join(arguments), "".join(arguments))
