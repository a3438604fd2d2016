"""What is said of the choices themselves: acceptances that match nothing, or more than their reason speaks of."""

from __future__ import annotations

from deep_mnist.doctor.rule import Rule, Scope

UNUSED = Rule(
    code="A001",
    name="acceptance-unused",
    field="accept.unused",
    severity="note",
    scope=Scope.CHOICES,
    summary="An entry of accept names a rule or field that nothing was found of.",
    why="An entry that outlives its reason would hide the next fault of this name.",
)
BROAD = Rule(
    code="A002",
    name="acceptance-of-several-rules",
    field="accept.field",
    severity="warning",
    scope=Scope.CHOICES,
    summary="An entry of accept names a field, and findings of more than one rule of that field were accepted by it.",
    why="A reason given for one fault also takes responsibility for another one, such as corrupted pixels beside an "
    "unusual scale.",
)
