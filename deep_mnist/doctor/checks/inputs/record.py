"""Checks of preprocess's record against the data and the contract: serving is built from that record."""

from __future__ import annotations

from collections.abc import Iterator

from deep_mnist.data.dataset import Preprocessing
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.finding import FaultKind, Finding

TOLERANCE = 1e-3  # of the range that the record tells; float16 rounds 255 to 1/8


def check_record(case: Case) -> Iterator[Finding]:
    """Yield where data, record and contract contradict one another; prepared data have no record to speak of."""
    record = case.record
    if record is None or record.prepared:
        return
    for split in case.splits.values():
        yield from _check_split(record, split)
    required = case.contract.num_classes
    if required is not None and record.num_classes > required:
        yield _contradiction(
            "labels.values", "both", f"{required} classes", f"{record.num_classes} in the preprocessing record"
        )


def _check_split(record: Preprocessing, split: Split) -> Iterator[Finding]:
    images, labels, seen = split.images, split.labels, split.survey
    if images is not None and images.dtype.name != record.dtype:
        yield _contradiction("images.dtype", split.name, f"{record.dtype}, as the record says", images.dtype.name)
    if images is not None and images.shape[1:] != record.image_shape:
        yield _contradiction(
            "images.shape", split.name, f"{record.image_shape}, as the record says", f"{images.shape[1:]}"
        )
    if seen is not None and seen.finite_pixels:
        ends = sorted((record.offset, 255 * record.scale + record.offset))
        slack = TOLERANCE * (ends[1] - ends[0])
        if seen.low < ends[0] - slack or seen.high > ends[1] + slack:
            yield _contradiction(
                "images.range",
                split.name,
                f"{ends[0]:.4g}..{ends[1]:.4g}, as the record says",
                f"{seen.low:.4g}..{seen.high:.4g}",
            )
    if labels is not None and labels.ndim != (2 if record.label_encoding == "one_hot" else 1):
        yield _contradiction(
            "labels.encoding", split.name, f"{record.label_encoding}, as the record says", f"shape {labels.shape}"
        )


def _contradiction(field: str, split: str, expected: str, received: str) -> Finding:
    return Finding(
        field=field,
        severity="error",
        split=split,
        expected=expected,
        received=received,
        fix="Rerun preprocess for this network.",
        why="Serving is built from the record: it would feed the network other pixels than training did.",
        kind=FaultKind.RECORD,
    )
