"""How many axes an image has that is read behind the fit, told from the calls that it goes through."""

from __future__ import annotations

import ast

from deep_mnist.doctor.evidence.live.lineage import Lineage, Place, place_of
from deep_mnist.doctor.evidence.live.source_text import ProgramText, argument_of, called

READ = {"img_to_array": 3, "decode_image": 3, "decode_jpeg": 3, "decode_png": 3, "decode_bmp": 3}
RANK_BY_FLAG = {"0": 2, "cv2.IMREAD_GRAYSCALE": 2, "cv2.IMREAD_UNCHANGED": None, "-1": None}  # of imread(), else 3
KEEPING = (
    "asarray", "array", "astype", "float32", "cast", "convert_to_tensor", "convert_image_dtype", "resize", "divide",
    "preprocess_input", "copy", "flip", "clip", "bitwise_not", "subtract", "true_divide",
)  # fmt: skip
DEEPEST = 12  # calls and names that are read through


def image_rank(text: ProgramText, lineage: Lineage, node: ast.expr, at: Place, depth: int = 0) -> int | None:
    """Return the axes of an array that is read from an image file, None of anything else or where one call is unknown.

    Args:
        text: Of the program.
        lineage: Of the statements that the expression stands among.
        node: The expression.
        at: Where it is evaluated.
        depth: Of what is read through so far.
    """
    if depth > DEEPEST:
        return None
    if isinstance(node, ast.Name):
        setting = next(lineage.before(node.id, at), None)
        if setting is None or not setting.replaces or setting.value is not setting.follows:
            return None
        return (
            image_rank(text, lineage, setting.value, setting.at, depth + 1) if _is_plain(text, setting.value) else None
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div | ast.Mult | ast.Sub | ast.Add):
        sides = [each for each in (node.left, node.right) if not isinstance(each, ast.Constant)]
        return image_rank(text, lineage, sides[0], at, depth + 1) if len(sides) == 1 else None
    if isinstance(node, ast.Subscript):
        before = image_rank(text, lineage, node.value, at, depth + 1)
        added = _axes_added(node.slice)
        return before + added if before is not None and added is not None else None
    return _of_call(text, lineage, node, at, depth) if isinstance(node, ast.Call) else None


def _is_plain(text: ProgramText, value: ast.expr) -> bool:
    """Whether a name is given a value as a whole: by no loop, no `with` and no part of a tuple."""
    statement = text.statement_of(value)
    return isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)


def _axes_added(index: ast.expr) -> int | None:
    """Return how many axes a subscript adds, None where it takes some away."""
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    new = [each for each in parts if ast.unparse(each) in ("None", "np.newaxis", "numpy.newaxis", "tf.newaxis")]
    others = [each for each in parts if each not in new]
    kept = all(isinstance(each, ast.Slice) or ast.unparse(each) == "..." for each in others)
    return len(new) if kept else None


def _of_call(text: ProgramText, lineage: Lineage, node: ast.Call, at: Place, depth: int) -> int | None:
    name, stated = called(node), ast.unparse(node.func)
    if stated in ("cv2.imread", "cv2.imdecode"):
        flag = argument_of(node, 1, "flags")
        return RANK_BY_FLAG.get(ast.unparse(flag), 3) if flag is not None else 3
    if name in READ:
        return READ[name]
    if name == "cvtColor":
        return 2 if len(node.args) > 1 and ast.unparse(node.args[1]).endswith("2GRAY") else 3
    first = node.args[0] if node.args else None
    owner = node.func.value if isinstance(node.func, ast.Attribute) else None
    if name == "reshape":
        return _reshaped(node, owner)
    if name == "expand_dims" or name in KEEPING:
        given = owner if name in ("astype", "copy", "clip") and not _is_module(owner) else first
        before = image_rank(text, lineage, given, at, depth + 1) if given is not None else None
        added = _axes_of(node) if name == "expand_dims" else 0
        return before + added if before is not None and added is not None else None
    functions = text.functions(name) if isinstance(node.func, ast.Name) else []
    return _returned(text, functions[0], depth) if len(functions) == 1 else None


def _axes_of(node: ast.Call) -> int | None:
    """Return how many axes a call of expand_dims() adds, None where that is not written out."""
    axis = argument_of(node, 1, "axis")
    if isinstance(axis, ast.Tuple | ast.List):
        return len(axis.elts)
    return 1 if axis is None or isinstance(axis, ast.Constant | ast.UnaryOp) else None


def _is_module(owner: ast.expr | None) -> bool:
    return isinstance(owner, ast.Name) and owner.id in ("np", "numpy", "tf", "cv2", "keras", "ops")


def _reshaped(node: ast.Call, owner: ast.expr | None) -> int | None:
    of_function = _is_module(owner)
    lengths = node.args[1:] if of_function else node.args
    if len(lengths) == 1 and isinstance(lengths[0], ast.Tuple | ast.List):
        lengths = lengths[0].elts
    elif of_function or any(not isinstance(each, ast.Constant | ast.UnaryOp) for each in lengths):
        return None
    return len(lengths) or None


def _returned(text: ProgramText, function: ast.FunctionDef, depth: int) -> int | None:
    """Return the axes of what a function of the program's returns, None where it returns at several places."""
    returns = [each for each in ast.walk(function) if isinstance(each, ast.Return)]
    value = returns[0].value if len(returns) == 1 and function.body[-1] is returns[0] else None
    lineage = Lineage(text, function.body)
    return image_rank(text, lineage, value, place_of(value), depth + 1) if value is not None else None
