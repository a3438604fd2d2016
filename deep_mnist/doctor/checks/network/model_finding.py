"""The form of a finding on the network itself."""

from __future__ import annotations

from deep_mnist.doctor.finding import Finding


def model_finding(
    field: str, severity: str, expected: str, received: str, fix: str, why: str, *, where: tuple[int, ...] = ()
) -> Finding:
    """Return a finding on the network itself."""
    return Finding(
        field=field,
        severity=severity,
        split="model",
        expected=expected,
        received=received,
        fix=fix,
        why=why,
        where=where,
    )
