"""Check of images that are read behind the fit and given to predict() as bytes, where train's pixels were scaled."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.program.later.rewriting import rewritten
from deep_mnist.doctor.evidence.live.following import Use, after_fit
from deep_mnist.doctor.evidence.live.lineage import Lineage, calls_in, names_in, place_of
from deep_mnist.doctor.evidence.live.source_text import called, keyword_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

# What reads an image as numbers of 0..255, and what leaves them as they are.
READING = ("imread", "load_img", "open", "decode_image", "decode_jpeg", "decode_png")
NEUTRAL = (
    *READING, "img_to_array", "read_file", "array", "asarray", "expand_dims", "reshape", "resize", "cvtColor", "astype",
    "convert", "stack", "vstack", "float32", "squeeze", "copy", "cast", "rotate", "flip", "bitwise_not", "constant",
    "convert_to_tensor", "join", "Path", "str", "list", "fit", "len", "transpose", "from_array", "get_file",
)  # fmt: skip
SCALING = ("skimage", "matplotlib")  # packages whose functions of these names return 0..1
UNIT, SIGNED = 1.001, -0.9  # highest and lowest pixel

UNSCALED_LATER = Rule(
    code="P086",
    name="predicts-on-unscaled-image",
    field="fit.afterwards",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.SURVEY),
    summary="Behind the fit an image is read and given to predict() as bytes, where train's pixels were scaled.",
    why="The network has never seen such numbers: it mostly gives one and the same answer.",
)


@check(UNSCALED_LATER)
def check_predicted(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, at the first place."""
    call, divided = case.call, _divided(case)
    if call is None or call.verb != "fit" or not divided:
        return
    for use in after_fit(case.frame, call.model):
        image = _unscaled(use, call.model)
        if image is None:
            continue
        new = ast.parse(f"({ast.unparse(image)}){divided}", mode="eval").body
        yield UNSCALED_LATER.found(
            expected="an image whose pixels are scaled as train's were",
            received=f"{ast.unparse(image)} of 0..255, at {use.scope.text.at(use.node)}",
            fix=rewritten([(use, image, new)]),
        )
        return


def _divided(case: Case) -> str:
    """Return how bytes become pixels of train's range, "" where these are no scaled images."""
    survey = case.train.survey if case.input_kind.shows_images else None
    if survey is None or not UNIT / 2 < survey.high <= UNIT:
        return ""
    return " / 127.5 - 1" if survey.low < SIGNED else " / 255" if survey.low >= 0 else ""


def _unscaled(use: Use, model: Any) -> ast.expr | None:
    """Return the image that a call predicts on, where it was read and not scaled; None of any other expression."""
    node = use.node
    if not isinstance(node, ast.Call) or not node.args or called(node) not in ("predict", "predict_on_batch"):
        return None
    if not isinstance(node.func, ast.Attribute) or use.value(node.func.value) is not model:
        return None
    lineage = Lineage(use.scope.text, block_of(use))
    values = lineage.of(node.args[0], place_of(node))
    if not calls_in(values, *READING) or not all(_is_neutral(use, each) for each in values):
        return None
    return None if is_changed_in_place(lineage, values) else node.args[0]


def block_of(use: Use) -> list[ast.stmt]:
    """Return the statements of the function that an expression stands in, of the module without."""
    tree, line = use.scope.text.tree, use.node.lineno
    functions = [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)]
    around = [each for each in functions if each.lineno <= line <= (each.end_lineno or 0)]
    holder: Any = max(around, key=lambda each: each.lineno, default=tree)
    return list(holder.body)


def _is_neutral(use: Use, value: ast.expr) -> bool:
    """Whether an expression leaves pixels as they are: it computes nothing, and calls what only reads or reshapes."""
    for node in ast.walk(value):
        if isinstance(node, ast.BinOp) and not _is_of_text(node):
            return False
        if isinstance(node, ast.Call) and (called(node) not in NEUTRAL or _may_scale(use, node)):
            return False
        if isinstance(node, ast.Lambda | ast.IfExp | ast.ListComp | ast.GeneratorExp):
            return False
    return True


def _is_of_text(node: ast.BinOp) -> bool:
    return any(isinstance(each, ast.Constant) and isinstance(each.value, str) for each in ast.walk(node))


def _may_scale(use: Use, call: ast.Call) -> bool:
    """Whether a function of a neutral name scales, or is one that is not known: a bare name of the user's own."""
    if keyword_of(call, "dtype") is not None and called(call).startswith("decode"):
        return True
    root = call.func
    while isinstance(root, ast.Attribute):
        root = root.value
    value = use.value(root) if isinstance(root, ast.Name) else None
    if isinstance(call.func, ast.Name) and value is None:
        return call.func.id not in ("open", "str", "list", "len", "Path")
    name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None) or ""
    return name.startswith(SCALING) or (isinstance(call.func, ast.Name) and name == "__main__")


def is_changed_in_place(lineage: Lineage, values: Sequence[ast.expr]) -> bool:
    """Whether a name that flows into values is computed on in place: image /= 255, scores[scores > 0.5] = 1."""
    names = {name for each in values for name in names_in(each)}
    nodes = [each for statement in lineage.body for each in ast.walk(statement)]
    changed = [each.target for each in nodes if isinstance(each, ast.AugAssign)]
    changed += [each for each in nodes if isinstance(each, ast.Subscript) and isinstance(each.ctx, ast.Store)]
    return any(names & set(names_in(each)) for each in changed)
