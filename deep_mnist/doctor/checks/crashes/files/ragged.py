"""One array of parts whose shapes differ: which shapes there are, and what brings them to one."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.files.lines import line_changed, line_with_keywords
from deep_mnist.doctor.checks.crashes.files.rules import SHAPES_DIFFER
from deep_mnist.doctor.checks.crashes.source_code import argument, calls_named
from deep_mnist.doctor.evidence.live.source_text import keyword_of
from deep_mnist.doctor.finding import Finding

Shape = tuple[int, ...]
SAYS = ("inhomogeneous shape", "Can't convert non-rectangular Python sequence", "input arrays must have the same shape")
BATCHED = re.compile(
    r"Cannot (?:batch tensors with different shapes|add tensor to the batch).*?\[([\d,]*)\].*?\[([\d,]*)\]", re.DOTALL
)
CHANNELS = (1, 3, 4)


def explain_ragged(crash: Crash) -> Finding | None:
    """Name the shapes of the parts, how many have each, and the line that makes them alike."""
    step = crash.user
    if step is None or step.call is None or not step.call.args or not any(each in crash.text for each in SAYS):
        return None
    name = argument(crash, 0, "")
    parts = step.named(name) if name.isidentifier() else None
    shapes = [_shape(each) for each in parts] if isinstance(parts, list | tuple) else []
    counts = Counter(shapes).most_common()
    if len(counts) < 2 or parts is None:
        return None
    told = ", ".join(f"{shape if shape is not None else None} of {count}" for shape, count in counts[:2])
    more = f", and {len(counts) - 2} more shapes" if len(counts) > 2 else ""
    return SHAPES_DIFFER.found(
        expected=f"one shape for all {len(parts)} of {name}",
        received=f"{told}{more}, at {crash.place}",
        fix=_mended(crash, step, name, parts, shapes),
    )


def _shape(part: Any) -> Shape | None:
    """Return the shape of a part, None where it is None or no regular array itself."""
    if part is None:
        return None
    try:
        return tuple(int(each) for each in np.shape(part))
    except ValueError:
        return (len(part),)


def _mended(crash: Crash, step: TraceStep, name: str, parts: Sequence[Any], shapes: list[Shape | None]) -> str:
    known = [each for each in shapes if each is not None]
    if len(known) < len(shapes):
        return f"{name} = [each for each in {name} if each is not None]  # before {crash.place}, and their labels alike"
    if any(not each for each in known):
        return f"Make all of {name} arrays of one shape, or numbers."
    if _are_pictures(known):
        return _pictures(crash, step, name, known)
    longest = known[0][0]
    short = [place for place, each in enumerate(known) if each != known[0]]
    is_tail = short == list(range(short[0], len(known))) and len(short) <= len(known) / 2
    if is_tail and all(each[0] < longest and each[1:] == known[0][1:] for each in known[short[0] :]):
        kept = f"{name} = [each for each in {name} if len(each) == {longest}]"
        return f"{kept}  # before {crash.place}: whole windows alone, and their labels alike"
    if len({each[1:] for each in known}) > 1 or not all(_is_of_numbers(each) for each in parts):
        return f"Bring all of {name} to one shape before this line."
    is_whole = all(np.asarray(each).dtype.kind in "iu" for each in parts if len(each))
    pad = "pad_sequences" if callable(step.named("pad_sequences")) else _library(step, "utils.pad_sequences")
    kind = "" if is_whole else ", dtype='float32'"
    return line_changed(step, [(step.call, f"{pad}({name}{kind})")]) if step.call is not None else ""


def _is_of_numbers(part: Any) -> bool:
    return np.asarray(part).dtype.kind in "iufb"


def _are_pictures(shapes: list[Shape]) -> bool:
    """Whether shapes are of pictures: with channels, or of two sides that both differ."""
    ranks = {len(each) for each in shapes}
    if not ranks <= {2, 3} or any(min(each) < 1 for each in shapes):
        return False
    is_gray = ranks == {2} and len({each[1] for each in shapes}) > 1 and min(map(min, shapes)) > 8
    return is_gray or (3 in ranks and all(each[2] in CHANNELS for each in shapes if len(each) == 3))


def _library(step: TraceStep, name: str) -> str:
    return f"keras.{name}" if step.named("keras") is not None or step.named("tf") is None else f"tf.keras.{name}"


def _pictures(crash: Crash, step: TraceStep, name: str, shapes: list[Shape]) -> str:
    """Return the line that reads pictures in one size, or resizes them before they are made an array."""
    if len({each[2:] for each in shapes}) > 1:
        return f"Read all pictures of {name} in color or all in gray, as .convert('RGB') of PIL does; some are not."
    size = _of_network(step, shapes[0][2:]) or (min(each[0] for each in shapes), min(each[1] for each in shapes))
    for call in calls_named(step, "load_img"):
        if keyword_of(call, "target_size") is None:
            return line_with_keywords(step, call, target_size=size)
    made = f"np.array({_library(step, 'ops.image.resize')}(each, {size}))"
    if step.named("cv2") is not None and shapes[0][2:] != (1,):
        made = f"cv2.resize(each, {size[::-1]})"
    elif len(shapes[0]) == 2:
        made = f"np.array({_library(step, 'ops.image.resize')}(each[..., None], {size}))[..., 0]"
    return f"{name} = [{made} for each in {name}]  # before {crash.place}"


def _of_network(step: TraceStep, channels: Shape) -> Shape | None:
    """Return the height and width that the program states for its input, None where it does not or states several."""
    stated = [keyword_of(each, "input_shape") or keyword_of(each, "shape") for each in ast.walk(step.tree)
              if isinstance(each, ast.Call)]  # fmt: skip
    stated += [each.args[0] for each in calls_named(step, "Input") if each.args]
    sizes = {tuple(_number(step, side) for side in each.elts) for each in stated if isinstance(each, ast.Tuple)}
    fitting = {each[:2] for each in sizes if len(each) == 3 and 0 not in each and each[2:] == (channels or (1,))}
    return next(iter(fitting)) if len(fitting) == 1 else None


def _number(step: TraceStep, node: ast.expr) -> int:
    value = step.named(node.id) if isinstance(node, ast.Name) else getattr(node, "value", 0)
    return value if isinstance(value, int) else 0


def explain_batched(crash: Crash) -> Finding | None:
    """Name the two shapes that batch() cannot put into one, and the line of window() that leaves shorter ones."""
    match, step = BATCHED.search(crash.text), crash.user
    if match is None or step is None:
        return None
    one, other = match.groups()
    return SHAPES_DIFFER.found(
        expected="elements of one shape in each batch of the dataset",
        received=f"({one}) and ({other}) in one batch, when {crash.place} reads the dataset",
        fix=_of_one_shape(step, one.count(",") + 1),
    )


def _of_one_shape(step: TraceStep, axes: int) -> str:
    windows = list(calls_named(step, "window"))
    open_ended = [each for each in windows if keyword_of(each, "drop_remainder") is None and len(each.args) < 4]
    if len(open_ended) == 1:
        return line_with_keywords(step, open_ended[0], drop_remainder=True)
    if axes > 2:
        return (
            "Bring all to one shape before batch(): dataset.map(lambda x, y: (tf.image.resize(x, (height, width)), y))."
        )
    batches = list(calls_named(step, "batch"))
    if len(batches) != 1 or windows or not isinstance(batches[0].func, ast.Attribute):
        return "Bring all to one length before batch(), or pad them: padded_batch(...) in the place of batch(...)."
    padded = ast.Call(ast.Attribute(batches[0].func.value, "padded_batch"), batches[0].args, batches[0].keywords)
    return line_changed(step, [(batches[0], ast.unparse(padded))])
