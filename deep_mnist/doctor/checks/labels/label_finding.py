"""How every check of labels words what it found."""

from __future__ import annotations

from deep_mnist.doctor.case import Split
from deep_mnist.doctor.finding import FaultKind, Finding


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
