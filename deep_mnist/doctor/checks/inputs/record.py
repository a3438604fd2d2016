"""Checks of preprocess's record against the data and the contract: serving is built from that record."""

from __future__ import annotations

from collections.abc import Iterator

from deep_mnist.data.dataset import Preprocessing
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

TOLERANCE = 1e-3  # of the range that the record tells; float16 rounds 255 to 1/8
SERVED = "Serving is built from the record: it would feed the network other pixels than training did."
RERUN = "Rerun preprocess for this network."

DTYPE = Rule(
    code="I170",
    name="record-of-other-dtype",
    field="images.dtype",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.RECORD,),
    summary="The images have another dtype than the preprocessing record says.",
    why=SERVED,
)
SHAPE = Rule(
    code="I171",
    name="record-of-other-shape",
    field="images.shape",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.RECORD,),
    summary="The images have another shape than the preprocessing record says.",
    why=SERVED,
)
RANGE = Rule(
    code="I172",
    name="record-of-other-range",
    field="images.range",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.RECORD,),
    summary="There are pixels outside the range that the preprocessing record's scale and offset make of 0..255.",
    why=SERVED,
)
ENCODING = Rule(
    code="I173",
    name="record-of-other-label-encoding",
    field="labels.encoding",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.RECORD,),
    summary="The labels are encoded otherwise than the preprocessing record says.",
    why="Evaluation and serving read the classes by the record: they would be taken for others.",
)
CLASSES = Rule(
    code="I174",
    name="record-of-more-classes",
    field="labels.values",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.RECORD,),
    summary="The preprocessing record counts more classes than the network tells apart.",
    why="The network has no output for some of the classes: it can never predict them.",
)


@check(DTYPE, SHAPE, RANGE, ENCODING, CLASSES)
def check_record(case: Case) -> Iterator[Finding]:
    """Yield where data, record and contract contradict one another; prepared data have no record to speak of."""
    record, required = case.record, case.contract.num_classes
    if record is None or record.prepared:
        return
    for split in case.splits.values():
        yield from _check_form(record, split)
        yield from _check_values(record, split)
    if required is not None and record.num_classes > required:
        received = f"{record.num_classes} in the preprocessing record"
        yield CLASSES.found("both", expected=f"{required} classes", received=received, fix=RERUN)


def _check_form(record: Preprocessing, split: Split) -> Iterator[Finding]:
    images, labels = split.images, split.labels
    if images is not None and images.dtype.name != record.dtype:
        expected = f"{record.dtype}, as the record says"
        yield DTYPE.found(split.name, expected=expected, received=images.dtype.name, fix=RERUN)
    if images is not None and images.shape[1:] != record.image_shape:
        expected = f"{record.image_shape}, as the record says"
        yield SHAPE.found(split.name, expected=expected, received=f"{images.shape[1:]}", fix=RERUN)
    if labels is not None and labels.ndim != (2 if record.label_encoding == "one_hot" else 1):
        expected = f"{record.label_encoding}, as the record says"
        yield ENCODING.found(split.name, expected=expected, received=f"shape {labels.shape}", fix=RERUN)


def _check_values(record: Preprocessing, split: Split) -> Iterator[Finding]:
    seen = split.survey
    if seen is None or not seen.finite_pixels:
        return
    ends = sorted((record.offset, 255 * record.scale + record.offset))
    slack = TOLERANCE * (ends[1] - ends[0])
    if seen.low < ends[0] - slack or seen.high > ends[1] + slack:
        expected, received = f"{ends[0]:.4g}..{ends[1]:.4g}, as the record says", f"{seen.low:.4g}..{seen.high:.4g}"
        yield RANGE.found(split.name, expected=expected, received=received, fix=RERUN)
