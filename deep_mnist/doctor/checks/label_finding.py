"""How every check of labels words what it found."""

from __future__ import annotations

import numpy as np

from deep_mnist.doctor.case import Split
from deep_mnist.doctor.finding import MAX_WHERE, FaultKind, Finding


def label_finding(
    split: Split,
    name: str,
    severity: str,
    expected: str,
    received: str,
    fix: str,
    why: str,
    where: tuple[int, ...] = (),
    kind: FaultKind = FaultKind.PLAIN,
) -> Finding:
    """Return the finding on `labels.<name>` of a split."""
    return Finding(
        field=f"labels.{name}",
        severity=severity,
        split=split.name,
        expected=expected,
        received=received,
        fix=fix,
        why=why,
        where=where,
        kind=kind,
    )


def first_of(wrong: np.ndarray) -> tuple[int, ...]:
    """Return the indices of the first wrong labels, of bool (n,)."""
    return tuple(int(index) for index in np.flatnonzero(wrong)[:MAX_WHERE])
