"""Check for images and masks of two ImageDataGenerator flows that shuffle, or transform, each by draws of its own."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.live.batch_fixes import is_name, source_of
from deep_mnist.doctor.evidence.live.own_code import own_names
from deep_mnist.doctor.evidence.live.randomness import unchanged_random_states
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.evidence.live.statements.fix_statements import IN_PLACE
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

FLOWS = ("flow", "flow_from_directory", "flow_from_dataframe")
MOVES = ("theta", "tx", "ty", "shear", "zx", "zy", "flip_horizontal", "flip_vertical")  # where a pixel comes to lie
OWN_STEPS = ("train_step", "compute_loss", "fit")
DRAWN = 8  # transformations compared
SIDE = 64  # pixels, of the image they are drawn for
SMALLEST = 8  # pixels a side of a mask
DEEPEST = 4  # iterators within iterators
MARK = f"  # {IN_PLACE} "

APART = Rule(
    code="L181",
    name="masks-drawn-apart",
    field="labels.alignment",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="Images and masks come of two ImageDataGenerator flows that draw otherwise: by two seeds, none, or ranges.",
    why="An image is trained against another one's mask, or one that was turned another way: nothing fits.",
)
UNTURNED = Rule(
    code="L182",
    name="masks-left-as-they-were",
    field="labels.alignment",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="ImageDataGenerator.flow(images, masks) turns, moves or mirrors the images, and leaves masks as they are.",
    why="Images are trained against masks that lie elsewhere: the borders stay blurred at best.",
)


class Draws(NamedTuple):
    """What a flow draws first.

    Attributes:
        order: Of its examples.
        moves: Of the first images, each by its parameters.
    """

    order: tuple[int, ...]
    moves: tuple[tuple[float, ...], ...]


@check(APART, UNTURNED)
def check_drawn_apart(case: Case) -> Iterator[Finding]:
    """Yield at most one finding for each of train and test."""
    call = case.call
    if call is None or case.contract.loss is None or case.contract.inputs or case.contract.outputs:
        return
    if own_names(call.model) & {*OWN_STEPS}:
        return  # pairs of no kinship, as networks that translate pictures take
    for split, data in (("train", call.x), ("test", call.held_out)):
        flows = list({id(flow): (name, flow) for name, flow in _flows_in(source_of(data))}.values())
        if len(flows) == 2 and _are_images(case, split):
            yield from _of_two(case, split, source_of(data), flows)
        elif (
            getattr(data, "y", None) is not None and hasattr(data, "image_data_generator") and _are_images(case, split)
        ):
            yield from _of_one(split, data)


def _are_images(case: Case, split: str) -> bool:
    """Whether a split's labels lie on their images' rows and columns."""
    judged = case.splits.get(split)
    images, masks = (judged.images, judged.labels) if judged is not None else (None, None)
    if images is None or masks is None or images.ndim != 4 or masks.ndim not in (3, 4):
        return False
    return images.shape[1:3] == masks.shape[1:3] and min(masks.shape[1:3]) >= SMALLEST


def _flows_in(data: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield the flows of images alone that an iterator draws from, each with its name there, "" of none."""
    if hasattr(data, "image_data_generator"):
        yield name, data
    elif depth < DEEPEST and isinstance(data, zip | map | enumerate):
        for place, each in enumerate(data.__reduce__()[1]):
            yield from _flows_in(each, f"{place}", depth + 1)
    elif depth < DEEPEST and inspect.isgenerator(data) and data.gi_frame is not None:
        frame = data.gi_frame
        held = {each: frame.f_globals.get(each) for each in data.gi_code.co_names} | frame.f_locals
        for each, value in held.items():
            yield from _flows_in(value, each, depth + 1)


def _of_two(case: Case, split: str, data: Any, flows: list[tuple[str, Any]]) -> Iterator[Finding]:
    images, masks = (flow for _, flow in flows)
    if _labelled(images) or _labelled(masks) or images.n != masks.n or _sets_seeds(data):
        return
    try:
        with unchanged_random_states():
            ours, theirs = _draws(images), _draws(masks)
    except Exception:  # a generator of another make
        return
    if ours == theirs:
        return
    seeds = [each.seed for each in (images, masks)]
    alike = seeds[0] is not None and seeds[0] == seeds[1]
    what = "each takes an order of its own" if ours.order != theirs.order else "each is turned and moved by itself"
    stated = "the same seed, and ranges that draw otherwise" if alike else f"seeds {seeds[0]} and {seeds[1]}"
    sentence = "Give both flows one seed, and both ImageDataGenerators the same ranges: numbers are drawn in turn."
    yield APART.found(
        split,
        expected="two flows that draw alike: one seed for both, and the same ranges",
        received=f"{stated}: {what}",
        fix=(_one_seed(case, data, flows) if not alike else "") or sentence,
    )


def _labelled(flow: Any) -> bool:
    return getattr(flow, "y", None) is not None or getattr(flow, "class_mode", None) is not None


def _sets_seeds(data: Any) -> bool:
    """Whether a generator of one's own may set a random state before each draw."""
    code = getattr(data, "gi_code", None)
    return code is not None and any("seed" in each or "state" in each for each in code.co_names)


def _draws(flow: Any) -> Draws:
    if flow.seed is not None:
        np.random.seed(flow.seed)
    order = np.random.permutation(flow.n) if flow.shuffle else np.arange(flow.n)
    made = [flow.image_data_generator.get_random_transform((SIDE, SIDE, 3)) for _ in range(min(DRAWN, flow.batch_size))]
    return Draws(tuple(map(int, order)), tuple(tuple(float(each[name]) for name in MOVES) for each in made))


def _of_one(split: str, flow: Any) -> Iterator[Finding]:
    """Yield a flow of arrays that moves its images, and not what stands beside them on the same rows and columns."""
    with unchanged_random_states():
        moves = _draws(flow).moves
    if len(set(moves)) < 2:
        return
    yield UNTURNED.found(
        split,
        expected="masks that are turned, moved and mirrored as their images are",
        received="flow(images, masks), which transforms the images alone",
        fix="Draw both by one seed: pairs = zip(data.flow(x, seed=1), data.flow(masks, seed=1)), "
        f"and fit(((x, y) for x, y in pairs), steps_per_epoch={len(flow)}).",
    )


def _one_seed(case: Case, data: Any, flows: list[tuple[str, Any]]) -> str:
    """Return the statements that make both flows by one seed, in the place of the later one; "" where none is found."""
    if case.frame is None:
        return ""
    text = ProgramText(case.frame, data.gi_code.co_filename if inspect.isgenerator(data) else "")
    seed = next((flow.seed for _, flow in flows if flow.seed is not None), 1)
    changed = []
    for name, flow in flows:
        if flow.seed != seed:
            call = _call_of(text, text.name_of(flow) or name)
            line, _, place = text.rewritten(call, seed=ast.Constant(seed)).partition(MARK) if call else ("", "", "")
            changed.append((call.lineno if call else 0, line, place))
    changed.sort(reverse=True)
    places = " and ".join(place for _, _, place in changed)
    return (
        "; ".join(line for _, line, _ in changed[::-1]) + MARK + places if all(line for _, line, _ in changed) else ""
    )


def _call_of(text: ProgramText, name: str) -> ast.Call | None:
    """Return the only call that makes a flow of a name; of a number, as the argument of the only zip."""
    if name.isdecimal():
        zips = text.calls("zip")
        given = zips[0].args[int(name)] if len(zips) == 1 and len(zips[0].args) > int(name) else None
        name = given.id if isinstance(given, ast.Name) else ""
    calls = [each for each in text.calls(*FLOWS) if _is_set_to(text.statement_of(each), name)]
    return calls[0] if len(calls) == 1 else None


def _is_set_to(statement: ast.stmt | None, name: str) -> bool:
    return isinstance(statement, ast.Assign) and len(statement.targets) == 1 and is_name(statement.targets[0], name)
