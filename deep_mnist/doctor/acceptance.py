"""What a person takes responsibility for: `accept` in contract.json, on the command line, as a pipeline parameter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from deep_mnist.doctor.case import NotUsableError
from deep_mnist.doctor.finding import FIELDS, Finding

Accept = Mapping[str, str] | Sequence[Mapping[str, str]] | None
SPLITS = ("train", "validation", "test", "both", "model")
FORM = '{"field": "images.range", "split": "train", "because": "a reason"}'


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """One entry of `accept`.

    Attributes:
        field: One of FIELDS, "files.*" excepted: what cannot be read cannot be accepted.
        because: The reason, shown in every report.
        split: Of the finding; "both" means every split, None every split and the model.
    """

    field: str
    because: str
    split: str | None = None

    def covers(self, finding: Finding) -> bool:
        """Whether a finding of one split, not yet merged with the other split's, is accepted."""
        splits = ("train", "validation", "test", "both") if self.split == "both" else (self.split,)
        return finding.field == self.field and (self.split is None or finding.split in splits)


def read_acceptances(value: Any) -> tuple[Acceptance, ...]:
    """Return the acceptances of a list of {"field", "split", "because"} objects (or of acceptances).

    Raises:
        NotUsableError: It is no such list, names no known field or split, gives no reason, or names a "files." field.
    """
    if value is None:
        return ()
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        raise NotUsableError(f"Expected accept as a list of {FORM}. Received: {str(value)[:80]}.")
    return tuple(each if isinstance(each, Acceptance) else _read(each) for each in value)


def _read(value: Any) -> Acceptance:
    if not isinstance(value, Mapping) or not set(value) <= {"field", "split", "because"}:
        raise NotUsableError(f"Expected accept entries like {FORM}. Received: {str(value)[:80]}.")
    name, split, because = (value.get(each) for each in ("field", "split", "because"))
    if name not in FIELDS:
        raise NotUsableError(f"Expected a field such as images.range in accept. Received: {str(name)[:60]!r}.")
    if name.startswith("files."):
        raise NotUsableError(f"Expected a field that can be accepted. Received: {name}. Fix: write the file again.")
    if split is not None and split not in SPLITS:
        raise NotUsableError(f"Expected a split among {', '.join(SPLITS)} in accept. Received: {str(split)[:60]!r}.")
    if not isinstance(because, str) or not because.strip():
        raise NotUsableError(f"Expected the reason as because in accept of {name}. Received: {str(because)[:60]!r}.")
    return Acceptance(field=name, split=split, because=because.strip())


def acceptances_of(accept: Accept) -> tuple[Acceptance, ...]:
    """Return acceptances given as {field: reason} or as a list of entries.

    Raises:
        NotUsableError: An entry is none.
    """
    if isinstance(accept, Mapping):
        return read_acceptances([{"field": name, "because": reason} for name, reason in accept.items()])
    return read_acceptances(accept)


def with_acceptances(findings: Iterable[Finding], accept: Sequence[Acceptance]) -> list[Finding]:
    """Return the findings, accepted errors and warnings marked so, with a note on each entry that matches nothing."""
    findings = list(findings)
    unused = [each for each in accept if not any(each == _covering(finding, accept) for finding in findings)]
    return [*accepted(findings, accept), *map(unused_note, unused)]


def accepted(findings: Iterable[Finding], accept: Sequence[Acceptance]) -> list[Finding]:
    """Return the findings, accepted errors and warnings marked so; entries may be meant for findings made elsewhere."""
    return [_marked(each, _covering(each, accept)) for each in findings]


def _covering(finding: Finding, accept: Sequence[Acceptance]) -> Acceptance | None:
    return next((each for each in accept if each.covers(finding)), None)


def _marked(finding: Finding, entry: Acceptance | None) -> Finding:
    if entry is None or finding.severity not in ("error", "warning"):
        return finding
    return replace(finding, severity="accepted", because=entry.because)


def unused_note(entry: Acceptance) -> Finding:
    return Finding(
        field=entry.field,
        severity="note",
        split=entry.split or "both",
        expected="a finding to accept",
        received=f'none of this field, though accept names it because "{entry.because}"',
        fix=f"Remove {entry.field} from accept.",
        why="An entry that outlives its reason would hide the next fault of this field.",
    )
