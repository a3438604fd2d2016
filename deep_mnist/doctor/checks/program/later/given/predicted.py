"""Checks of images that are read behind the fit and given to predict() otherwise than train's: as bytes, in colour."""

from __future__ import annotations

import ast
import builtins
import math
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
    "convert_to_tensor", "join", "Path", "str", "list", "fit", "len", "transpose", "fromarray", "get_file", "invert",
    "listdir", "glob", "sorted", "append", "print", "range", "enumerate", "endswith", "zip", "tqdm", "float",
)  # fmt: skip
SCALING = ("skimage", "matplotlib")  # packages whose functions of these names return 0..1
JUDGING = ("predict", "predict_on_batch", "evaluate")
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
COLOURS_AS_EXAMPLES = Rule(
    code="P146",
    name="colours-taken-for-examples",
    field="fit.afterwards",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.IMAGES),
    summary="Behind the fit an image is read in three colours and reshaped with -1 to train's shape, of one channel.",
    why="One image becomes three, each of every third number of it: none of them looks like what was trained on.",
)
LEAVING_COLOURS = ("load_img", "img_to_array", "reshape", "astype", "array", "asarray", "expand_dims", "float32")


@check(COLOURS_AS_EXAMPLES)
def check_colours(case: Case) -> Iterator[Finding]:
    """Yield at most one image whose three channels become three examples."""
    call, images = case.call, case.train.images
    if call is None or call.verb != "fit" or images is None or case.train.inputs:
        return
    shape = tuple(images.shape[1:])
    for use in after_fit(case.frame, call.model):
        node = use.called_on(call.model, *JUDGING)
        read = _read_in_colour(use, node, shape) if node is not None and node.args else None
        if read is not None:
            text = use.scope.text
            yield COLOURS_AS_EXAMPLES.found(
                expected=f"one image of {shape}",
                received=f"three, of one that {ast.unparse(read)} reads in three colours, at {text.at(use.node)}",
                fix=text.rewritten(read, color_mode=ast.Constant("grayscale"))
                or 'Read the image with color_mode="grayscale".',
            )
            return


def _read_in_colour(use: Use, node: ast.Call, shape: tuple[int, ...]) -> ast.Call | None:
    """Return the load_img() in colour whose numbers a reshape(-1, …) makes three examples of; None of others."""
    values = Lineage(use.scope.text, use.scope.text.around(node)).of(node.args[0], place_of(node))
    nodes = {id(each): each for value in values for each in ast.walk(value)}.values()
    calls = [each for each in nodes if isinstance(each, ast.Call)]
    is_cut = any(isinstance(each, ast.Subscript) for each in nodes)
    reads = [each for each in calls if called(each) == "load_img"]
    shaped = [each for each in calls if called(each) == "reshape"]
    if (
        is_cut
        or len(reads) != 1
        or len(reads[0].args) > 1
        or not shaped
        or any(called(each) not in LEAVING_COLOURS for each in calls)
    ):
        return None
    mode, size = keyword_of(reads[0], "color_mode"), keyword_of(reads[0], "target_size")
    sides = _numbers(size) if size is not None else ()
    is_grey = mode is not None and getattr(mode, "value", "") != "rgb"
    if is_grey or len(sides) != 2 or math.prod(sides) != math.prod(shape):
        return None
    return reads[0] if all(_lengths(each) == (-1, *shape) for each in shaped) else None


def _lengths(reshaping: ast.Call) -> tuple[int, ...]:
    """Return the lengths that an array is reshaped to, by a method or by a function of numpy's."""
    owner = reshaping.func.value if isinstance(reshaping.func, ast.Attribute) else None
    given = reshaping.args[1:] if isinstance(owner, ast.Name) and owner.id in ("np", "numpy") else reshaping.args
    return _numbers(given[0] if len(given) == 1 else ast.Tuple(list(given), ast.Load()))


def _numbers(node: ast.expr) -> tuple[int, ...]:
    """Return the whole numbers that an expression lists, () where it states others."""
    try:
        found = ast.literal_eval(node)
    except (ValueError, TypeError):
        return ()
    return found if isinstance(found, tuple) and all(isinstance(each, int) for each in found) else ()


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
    node = use.called_on(model, *JUDGING)
    if node is None or not node.args:
        return None
    lineage = Lineage(use.scope.text, use.scope.text.around(node))
    read = lineage.of(node.args[0], place_of(node))
    values: list[ast.AST] = [*read, *(each for value in read for each in _within(use, value))]
    if not calls_in(values, *READING) or not all(_is_neutral(use, each) for each in values):
        return None
    return None if is_changed_in_place(lineage, values) else node.args[0]


def _within(use: Use, value: ast.expr) -> list[ast.stmt]:
    """Return the statements of the functions of the user's own that a value is made by."""
    calls = (each.func for each in ast.walk(value) if isinstance(each, ast.Call))
    functions = use.scope.text.functions(*(each.id for each in calls if isinstance(each, ast.Name)))
    return [statement for function in functions for statement in function.body]


def _is_neutral(use: Use, value: ast.AST) -> bool:
    """Whether an expression leaves pixels as they are: it computes nothing, and calls what only reads or reshapes."""
    for node in ast.walk(value):
        if isinstance(node, ast.BinOp) and _changes_range(node):
            return False
        if isinstance(node, ast.Call) and not _is_own(use, node):
            if called(node) not in NEUTRAL or _may_scale(use, node):
                return False
        if isinstance(node, ast.Lambda | ast.IfExp | ast.ListComp | ast.GeneratorExp):
            return False
    return True


def _is_own(use: Use, call: ast.Call) -> bool:
    """Whether a call is of a function of this program, whose own statements are looked at."""
    return isinstance(call.func, ast.Name) and bool(use.scope.text.functions(call.func.id))


def _changes_range(node: ast.BinOp) -> bool:
    """Whether arithmetic may bring bytes to another range: not the joining of texts, nor 255 minus the image."""
    inverts = isinstance(node.op, ast.Sub) and ast.unparse(node.left) == "255"
    numbers = [each for each in (node.left, node.right) if isinstance(each, ast.Constant)]
    joins = isinstance(node.op, ast.Add | ast.Mod) and all(isinstance(each.value, str) for each in numbers)
    return not inverts and not joins


def _may_scale(use: Use, call: ast.Call) -> bool:
    """Whether a function of a neutral name scales, or is one that is not known: a bare name of the user's own."""
    if keyword_of(call, "dtype") is not None and called(call).startswith("decode"):
        return True
    root = call.func
    while isinstance(root, ast.Attribute):
        root = root.value
    value = use.value(root) if isinstance(root, ast.Name) else None
    if isinstance(call.func, ast.Name) and value is None:
        return not hasattr(builtins, call.func.id) and call.func.id not in ("Path", "tqdm")
    name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None) or ""
    return name.startswith(SCALING) or (isinstance(call.func, ast.Name) and name == "__main__")


def is_changed_in_place(lineage: Lineage, values: Sequence[ast.AST]) -> bool:
    """Whether a name that flows into values is computed on in place: image /= 255, scores[scores > 0.5] = 1."""
    names = {name for each in values for name in names_in(each)}
    nodes = [each for statement in lineage.body for each in ast.walk(statement)]
    changed = [each.target for each in nodes if isinstance(each, ast.AugAssign)]
    changed += [each for each in nodes if isinstance(each, ast.Subscript) and isinstance(each.ctx, ast.Store)]
    return any(names & set(names_in(each)) for each in changed)
