"""The error response of a request: the status, and what was expected, received, and the fix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deep_mnist.doctor.finding import Finding


class RequestError(Exception):
    """A request that gets an error response.

    Attributes:
        status: Of HTTP, 400..599.
        field: What is wrong: the field of a rule, or "request" for the envelope.
        expected, received, fix: One phrase each.
        where: First indices of what is wrong.
        rule: Code of the rule that the examples broke, "" for the envelope.
    """

    fix = "correct the request"

    def __init__(
        self,
        status: int,
        field: str,
        expected: str,
        received: str,
        fix: str,
        *,
        where: tuple[int, ...] = (),
        headers: Mapping[str, str] | None = None,
        rule: str = "",
    ) -> None:
        super().__init__(f"Expected {expected}. Received: {received}. Fix: {fix}")
        self.status, self.field, self.where, self.rule = status, field, where, rule
        self.expected, self.received, self.fix = expected, received, fix
        self.headers = dict(headers or {})

    def to_dict(self) -> dict[str, Any]:
        """Return the response's body: `error` is what TensorFlow Serving's clients read."""
        return {
            "error": str(self),
            **({"rule": self.rule} if self.rule else {}),
            "field": self.field,
            "expected": self.expected,
            "received": self.received,
            "fix": self.fix,
            "where": list(self.where),
        }


def invalid(finding: Finding, status: int = 400) -> RequestError:
    """Return the error of examples that break a rule."""
    told = (finding.expected, finding.received, finding.fix)
    return RequestError(status, finding.field, *told, where=finding.where, rule=finding.rule.code)


def malformed(expected: str, received: str, fix: str) -> RequestError:
    """Return the error of a body that is no prediction request at all."""
    return RequestError(400, "request", expected, received, fix)
