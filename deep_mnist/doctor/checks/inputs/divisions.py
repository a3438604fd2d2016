"""The statements of a program that divided pixels among integers, written anew."""

from __future__ import annotations

import ast
import copy

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.live.source_text import ProgramText

LARGE = 100  # pixels are divided by 255, 256 or 127.5
# What brings images into a program: whether they were divided before, nothing in it tells.
LOADING = (
    "File", "decode_image", "decode_jpeg", "decode_png", "fetch_openml", "flow_from_directory", "genfromtxt",
    "image_dataset_from_directory", "imread", "load", "load_data", "load_img", "loadmat", "loadtxt", "open", "read_csv",
)  # fmt: skip


def true_division(case: Case) -> str:
    """Return the statements of `x // 255` and `(x / 255).astype("uint8")` as they should stand, "" without any."""
    if case.frame is None:
        return ""
    text = ProgramText(case.frame)
    mended: list[tuple[ast.stmt, ast.stmt]] = []
    for statement in text.nodes:
        if isinstance(statement, ast.AugAssign) and _is_floor(statement.op, statement.value):
            quotient = ast.BinOp(statement.target, ast.Div(), statement.value)
            mended.append((ast.Assign([statement.target], quotient), statement))
        elif isinstance(statement, ast.Assign):
            again = _AsFloats().visit(copy.deepcopy(statement))
            mended += [(again, statement)] if ast.dump(again) != ast.dump(statement) else []
    lines = "; ".join(ast.unparse(ast.fix_missing_locations(again)) for again, _ in mended)
    return f"{lines}  # in place of {' and '.join(text.at(statement) for _, statement in mended)}" if mended else ""


def keeps_greys(case: Case) -> bool:
    """Whether a program never divides among integers what it divides or draws: what is 0 and 1 was black and white."""
    if case.frame is None or true_division(case):
        return False
    text = ProgramText(case.frame)
    divisions = (node for node in text.nodes if isinstance(node, ast.BinOp | ast.AugAssign))
    divided = any(
        isinstance(each.op, ast.Div) and _is_large(each.right if isinstance(each, ast.BinOp) else each.value)
        for each in divisions
    )
    return divided or not text.calls(*LOADING)


class _AsFloats(ast.NodeTransformer):
    def visit_BinOp(self, node: ast.BinOp) -> ast.BinOp:
        self.generic_visit(node)
        return ast.BinOp(node.left, ast.Div(), node.right) if _is_floor(node.op, node.right) else node

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        method = node.func
        if not isinstance(method, ast.Attribute) or method.attr != "astype" or not isinstance(method.value, ast.BinOp):
            return node
        divided = method.value
        if isinstance(divided.op, ast.Div) and _is_large(divided.right):
            return ast.Call(method, [ast.Constant("float32")], [])
        return node


def _is_floor(operator: ast.operator, divisor: ast.expr) -> bool:
    return isinstance(operator, ast.FloorDiv) and _is_large(divisor)


def _is_large(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and node.value > LARGE
