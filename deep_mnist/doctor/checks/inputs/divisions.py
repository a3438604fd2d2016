"""The statements of a program that divide pixels, written anew: among integers, or before a network that scales."""

from __future__ import annotations

import ast
import copy

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.live.source_text import ProgramText, side_by_side

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


def undivided(case: Case) -> str:
    """Return the statements that divide train's pixels, and others of their shape, without it; "" where none is plain.

    Those of each split are among them: a network that scales by itself wants none of them divided. Without any, the
    one division of a function that makes the images.
    """
    images = case.train.images
    if case.frame is None or images is None:
        return ""
    text = ProgramText(case.frame)
    sets = [each for each in text.nodes if isinstance(each, ast.stmt) and _are_set(text, each, images)]
    mended = _without_division(sets)
    if not mended and len(_without_division(_in_functions(text))) == 1:
        mended = _without_division(_in_functions(text))
    return side_by_side([text.in_place(ast.unparse(ast.fix_missing_locations(again)), each) for again, each in mended])


def _without_division(statements: list[ast.stmt]) -> list[tuple[ast.stmt, ast.stmt]]:
    """Return the statements that divide by 255, each without it and as it is."""
    pairs: list[tuple[ast.stmt, ast.stmt]] = [(_Whole().visit(copy.deepcopy(each)), each) for each in statements]
    return [(again, each) for again, each in pairs if ast.dump(again) != ast.dump(each)]


def _in_functions(text: ProgramText) -> list[ast.stmt]:
    functions = [each for each in text.nodes if isinstance(each, ast.FunctionDef)]
    kinds = ast.Assign | ast.AugAssign | ast.Return
    return [each for function in functions for each in ast.walk(function) if isinstance(each, kinds)]


def _are_set(text: ProgramText, statement: ast.stmt, images: np.ndarray) -> bool:
    """Whether a statement sets names alone that stand for pixels of 0..1 of these images' shape."""
    if not isinstance(statement, ast.Assign | ast.AugAssign):
        return False
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    names = [name for each in targets for name in (each.elts if isinstance(each, ast.Tuple) else [each])]
    return all(_are_shares(text.value_of(each), images) for each in names)


def _are_shares(value: object, images: np.ndarray) -> bool:
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f" or not value.size:
        return False
    return value.shape[1:] == images.shape[1:] and 0 <= float(value.min()) and float(value.max()) <= 1


class _Whole(ast.NodeTransformer):
    """Takes divisions by 255, and products with 1 / 255, out of a statement."""

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        if not _is_scaled(node.op, node.value):
            return node
        name = ast.Name(node.target.id, ast.Load()) if isinstance(node.target, ast.Name) else node.target
        return ast.Assign([node.target], name)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        if _is_share(node):  # by itself, as of a layer
            return node
        if _is_scaled(node.op, node.right):
            return self._plain(_without_one(node.left))
        if isinstance(node.op, ast.Mult) and _is_share(node.left):
            return self._plain(node.right)
        self.generic_visit(node)
        return node

    def _plain(self, node: ast.expr) -> ast.AST:
        visited: ast.AST = self.visit(node)
        return visited


def _without_one(node: ast.expr) -> ast.expr:
    """Return x of `x * 1.` of `x * 1. / 255`."""
    is_one = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) and _is_number(node.right, 1)
    return node.left if is_one and isinstance(node, ast.BinOp) else node


def _is_scaled(operator: ast.operator, number: ast.expr) -> bool:
    return (isinstance(operator, ast.Div) and _is_large(number)) or (
        isinstance(operator, ast.Mult) and _is_share(number)
    )


def _is_share(node: ast.expr) -> bool:
    """Whether an expression is 1 / 255."""
    return (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Div)
        and _is_number(node.left, 1)
        and _is_large(node.right)
    )


def _is_number(node: ast.expr, number: float) -> bool:
    return isinstance(node, ast.Constant) and node.value == number


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
