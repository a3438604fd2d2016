"""Check of an image that OpenCV reads behind the fit, blue first, for a network that was trained on red first."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.program.later.given.predicted import NEUTRAL
from deep_mnist.doctor.evidence.live.following import Use, after_fit
from deep_mnist.doctor.evidence.live.lineage import Lineage, calls_in, names_in, nodes_behind, place_of
from deep_mnist.doctor.evidence.live.source_text import ProgramText, argument_of, called, keyword_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import IMAGES, Need, Rule, Scope, check

OF_OPENCV = ("imread", "imdecode")
COLOURED = ("", "1", "cv2.IMREAD_COLOR", "cv2.IMREAD_COLOR_BGR", "cv2.IMREAD_ANYCOLOR")
RED_FIRST = (  # what reads images with red first, of whichever module but OpenCV's
    "load_img", "decode_image", "decode_jpeg", "decode_png", "flow_from_directory", "flow_from_dataframe",
    "image_dataset_from_directory", "Image.open", "plt.imread", "mpimg.imread", "imageio.imread", "io.imread",
)  # fmt: skip
KEEPING = ({*NEUTRAL} - {"cvtColor", "flip", "fromarray"}) | {"divide", "true_divide", "fromfile", "frombuffer"}
REORDERING = ("cvtColor", "reverse", "preprocess_input", "flip", "split", "unstack")
SAMPLE = 64  # examples whose channels are compared

BLUE_FIRST = Rule(
    code="P079",
    name="predicts-on-blue-first-image",
    field="fit.afterwards",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.IMAGES),
    inputs=IMAGES,
    summary="Behind the fit an image is read by OpenCV, blue first, and train's images were read with red first.",
    why="Red and blue are exchanged in what is predicted: the network answers for colors that it never saw there.",
)


@check(BLUE_FIRST)
def check_colour_order(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, at the first place."""
    call = case.call
    if call is None or call.verb != "fit" or not _has_colours(case.train.images) or not _is_red_first(case):
        return
    for use in after_fit(case.frame, call.model):
        node = use.called_on(call.model, "predict", "predict_on_batch")
        read = _read_blue_first(use, node.args[0]) if node is not None and node.args else None
        if read is not None:
            yield _found(use, read)
            return


def _found(use: Use, read: ast.Call) -> Finding:
    text, stated = use.scope.text, ast.unparse(read)
    new = ast.parse(f"cv2.cvtColor({stated}, cv2.COLOR_BGR2RGB)", mode="eval").body
    return BLUE_FIRST.found(
        expected="an image with red first, as train's are",
        received=f"{stated} at {text.at(read)}, with blue first, predicted on at {text.at(use.node)}",
        fix=text.with_expression(read, new) or f"Read it by {ast.unparse(new)} at {text.at(read)}.",
    )


def _has_colours(images: np.ndarray | None) -> bool:
    """Whether images have three channels, the last axis, and the first differs from the last."""
    if images is None or images.ndim != 4 or images.shape[-1] != 3:
        return False
    some = np.asarray(images[:SAMPLE])
    return bool((some[..., 0] != some[..., 2]).any())


def _is_red_first(case: Case) -> bool:
    """Whether what fit is given was read by functions that put red first, and nothing exchanged the channels since."""
    if case.frame is None:
        return False
    text = ProgramText(case.frame)
    fit = text.call_on(case.frame.f_lineno, "fit")
    given = argument_of(fit, 0, "x") if fit is not None else None
    if given is None:
        return False
    values = _with_functions(text, Lineage(text).of(given, place_of(given)))
    nodes = [node for each in values for node in ast.walk(each)]
    calls = [each for each in nodes if isinstance(each, ast.Call)]
    if any(called(each) in REORDERING or _is_of_cv2(each) for each in calls) or _indexes_channels(nodes):
        return False
    stated = [ast.unparse(each.func) for each in calls]
    own_step = any(keyword_of(each, "preprocessing_function") is not None for each in calls)
    return not own_step and any(f".{each}".endswith(tuple(f".{name}" for name in RED_FIRST)) for each in stated)


def _is_of_cv2(call: ast.Call) -> bool:
    """Whether a call reads by OpenCV, or by a function whose module is not told."""
    stated = ast.unparse(call.func)
    return stated in OF_OPENCV or (stated.startswith("cv2.") and called(call) in OF_OPENCV)


def _indexes_channels(nodes: Sequence[ast.AST]) -> bool:
    """Whether an index may exchange channels: [..., ::-1] or [..., [2, 1, 0]]."""
    indices = [each.slice for each in nodes if isinstance(each, ast.Subscript)]
    parts = [each for index in indices for each in ast.walk(index)]
    return any(isinstance(each, ast.List) or isinstance(getattr(each, "step", None), ast.UnaryOp) for each in parts)


def _with_functions(text: ProgramText, values: Sequence[ast.AST]) -> list[ast.AST]:
    """Return values with the statements of the program's own functions that are named in them, or in these."""
    found = list(values)
    known: set[str] = set()
    for each in found:
        fresh = {*names_in(each)} - known
        known |= fresh
        found += [statement for function in text.functions(*fresh) for statement in function.body]
    return found


def _read_blue_first(use: Use, given: ast.expr) -> ast.Call | None:
    """Return the call of OpenCV that reads what is predicted on, where its channels stay as they are; else None."""
    text = use.scope.text
    lineage = Lineage(text, text.around(use.node))
    at = place_of(use.node)
    found = calls_in(_with_functions(text, lineage.of(given, at)), *OF_OPENCV)
    if len(found) != 1 or not _is_coloured(use, found[0]):
        return None
    values = _with_functions(text, lineage.of(given, at, called(found[0])))
    nodes = [node for each in values for node in nodes_behind(each, *OF_OPENCV)]
    others = [each for each in nodes if isinstance(each, ast.Call) and each is not found[0]]
    known = all(called(each) in KEEPING or text.functions(called(each)) for each in others)
    is_kept = known and not _indexes_channels(nodes) and not _is_written(lineage, values)
    return found[0] if is_kept else None


def _is_written(lineage: Lineage, values: Sequence[ast.AST]) -> bool:
    """Whether a part of what flows into values is set: image[..., 0] = …"""
    names = {name for each in values for name in names_in(each)}
    nodes = [each for statement in (*lineage.body, *values) for each in ast.walk(statement)]
    parts = [each for each in nodes if isinstance(each, ast.Subscript) and isinstance(each.ctx, ast.Store)]
    return any(names & {*names_in(each.value)} for each in parts)


def _is_coloured(use: Use, read: ast.Call) -> bool:
    """Whether a call reads a colored image by OpenCV, in its own order."""
    owner = read.func.value if isinstance(read.func, ast.Attribute) else None
    flag = argument_of(read, 1, "flags")
    stated = ast.unparse(flag) if flag is not None else ""
    return isinstance(owner, ast.Name) and owner.id == "cv2" and stated in COLOURED and use.value(owner) is not None
