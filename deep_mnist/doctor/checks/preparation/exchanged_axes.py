"""Check of a reshape that states an array's own axes in another order, which exchanges no axes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.preparation.parts import parts_of
from deep_mnist.doctor.evidence.live.lineage import calls_in
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

LIBRARY = ("np", "numpy", "tf", "jnp", "ops")

SCRAMBLED = Rule(
    code="S174",
    name="reshape-in-place-of-transpose",
    field="images.layout",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.IMAGES),
    summary="Axes are exchanged by a reshape to an array's own lengths in another order, which mixes their values up.",
    why="Each row then holds pieces of several: what stood side by side in time or place does no more.",
)


@check(SCRAMBLED)
def check_exchanged_axes(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, of what train's inputs are made by."""
    parts, images = parts_of(case), case.train.images
    if parts is None or images is None:
        return
    found = [(call, made) for call in calls_in(parts.train[0].values, "reshape") if (made := _order(call)) is not None]
    if len(found) != 1 or len(found[0][1][1]) != images.ndim or not _mixes_up(found[0][1][1], images.shape):
        return
    call, (array, order) = found[0]
    text = parts.lineage.text
    turned = ast.parse(f"np.transpose({ast.unparse(array)}, {tuple(order)})", mode="eval").body
    finding = SCRAMBLED.found(
        "train",
        expected="np.transpose, which exchanges axes",
        received=f"`{ast.unparse(call)}` at {text.at(call)}",
        fix=text.with_expression(call, turned) or f"{ast.unparse(turned)}  # in the place of {ast.unparse(call)}",
    )
    yield replace(finding, line=call.lineno)


def _order(call: ast.Call) -> tuple[ast.expr, list[int]] | None:
    """Return the array of a reshape to its own lengths, and which of its axes each length is of; None of any other."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    of_library = owner is not None and ast.unparse(owner).partition(".")[0] in LIBRARY
    array, lengths = (call.args[0], call.args[1:]) if of_library and call.args else (owner, call.args)
    if array is None or call.keywords or not lengths:
        return None
    if len(lengths) == 1 and isinstance(lengths[0], ast.Tuple | ast.List):
        lengths = lengths[0].elts
    name = re.escape(ast.unparse(array))
    axes = [re.fullmatch(rf"{name}\.shape\[(\d+)\]|(len)\({name}\)|(-1)", ast.unparse(each)) for each in lengths]
    order = [-1 if each is None else int(each[1] or 0) for each in axes]
    if isinstance(lengths[0], ast.Name):  # the rest states all other axes: it can only be the number of examples
        order[0] = 0
    return (array, order) if sorted(order) == list(range(len(order))) else None


def _mixes_up(order: list[int], shape: tuple[int, ...]) -> bool:
    """Whether a reshape to a shape, whose lengths are of these axes, leaves another order than an exchange of axes."""
    before = [length for _, length in sorted(zip(order, shape, strict=True))]
    long = [axis for axis, length in zip(order, shape, strict=True) if length > 1]
    return tuple(before) != tuple(shape) and long != sorted(long)
