"""Checks that the test split's examples have train's shape, where the network takes any."""

from __future__ import annotations

from collections.abc import Iterator

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

OTHER_RESOLUTION = Rule(
    code="S111",
    name="test-of-another-resolution",
    field="images.shape",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.IMAGES, Need.TEST),
    summary="The test split's examples have another shape than train's, and the network takes any.",
    why="The network accepts any size and says nothing; objects of another size are not recognized.",
)


@check(OTHER_RESOLUTION)
def check_resolution(case: Case) -> Iterator[Finding]:
    """A network that takes any size does not notice a split of another one."""
    images, others = case.train.images, case.test.images if case.test is not None else None
    if images is None or others is None or images.ndim < 2 or others.ndim < 2:
        return
    ours, theirs = images.shape[1:], others.shape[1:]
    required = case.contract.input_shape
    free = required is None or (None in required and len(required) == len(theirs) == len(ours))
    if ours == theirs or not free or not len(others):
        return
    size = ", ".join(map(str, ours))
    yield OTHER_RESOLUTION.found(
        "test",
        expected=f"examples of shape {ours}, as in train",
        received=f"shape {theirs}",
        fix=_to_the_same(ours, theirs) or f"Bring the test split to the training resolution: (n, {size}).",
    )


def _to_the_same(ours: tuple[int, ...], theirs: tuple[int, ...]) -> str | None:
    steps = [(mine, its) for mine, its in zip(ours, theirs, strict=False)]
    if len(ours) == len(theirs) and all(its and mine % its == 0 for mine, its in steps):
        repeats = "".join(
            f".repeat({mine // its}, axis={axis + 1})" for axis, (mine, its) in enumerate(steps) if mine != its
        )
        return f"test_images = test_images{repeats}  # or resize with interpolation"
    return None
