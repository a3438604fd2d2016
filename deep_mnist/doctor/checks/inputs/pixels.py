"""Checks of images that show something."""

from __future__ import annotations

from collections.abc import Iterator

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.evidence.survey import Survey
from deep_mnist.doctor.finding import MAX_WHERE, Finding
from deep_mnist.doctor.rule import AXES_UNSOUND, IMAGES, Follows, Need, On, Rule, Scope, check

FLATTENED = Follows(rules=("D041", "D042", "D044"), on=On.ANY_SPLIT)  # by the pipeline
BLANK_SHARE = 0.01  # of examples; no published image set comes near

NOTHING_LEFT = Rule(
    code="I101",
    name="images-nothing-left",
    field="images.distribution",
    severity="error",
    scope=Scope.INPUT,
    needs=(Need.SURVEY,),
    inputs=IMAGES,
    summary="More than half of the images are one value throughout: what they showed was lost on the way.",
    why="A blank image teaches only its label; per-image standardization divides it by zero.",
    follows=(AXES_UNSOUND, FLATTENED),
)
BLANK = Rule(
    code="I102",
    name="images-blank",
    field="images.distribution",
    severity="warning",
    scope=Scope.INPUT,
    needs=(Need.SURVEY,),
    inputs=IMAGES,
    summary="Some images are one value throughout.",
    why="A blank image teaches only its label; per-image standardization divides it by zero.",
    follows=(AXES_UNSOUND, Follows(rules=("I120", "I100")), FLATTENED),
)


@check(NOTHING_LEFT, BLANK)
def check_blank(case: Case, split: Split) -> Iterator[Finding]:  # noqa: ARG001
    """Yield images of one value throughout."""
    seen = split.survey
    if seen is None or not seen.constant:
        return
    share, images = seen.constant / seen.count, f"{split.name}_images"
    if share > 0.5:
        fix = f"Write {images} again: the images were lost (cast, division or a wrong offset)."
        yield _of_one_value(NOTHING_LEFT, split, seen, "error", fix)
    else:
        severity, labels = "warning" if share > BLANK_SHARE else "note", f"{split.name}_labels"
        kept = f"keep = np.ptp({images}.reshape(len({images}), -1), axis=1) > 0"
        yield _of_one_value(
            BLANK, split, seen, severity, f"{kept}; {images}, {labels} = {images}[keep], {labels}[keep]"
        )


def _of_one_value(rule: Rule, split: Split, seen: Survey, severity: str, fix: str) -> Finding:
    return rule.found(
        split.name,
        severity=severity,
        expected="images that show something",
        received=f"{seen.constant} of {seen.count} images are one value throughout",
        fix=fix,
        where=tuple(seen.blank[:MAX_WHERE]),
    )
