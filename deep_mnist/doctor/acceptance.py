"""What a user decides about findings: `accept` takes responsibility, visibly; `ignore` switches rules off.

Both come from contract.json, the command line, pyproject.toml, an argument of the doctor, or a pipeline parameter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from deep_mnist.doctor.case import NotUsableError
from deep_mnist.doctor.finding import Finding

if TYPE_CHECKING:
    from deep_mnist.doctor.rule import Rule

Accept = Mapping[str, str] | Sequence[Mapping[str, str]] | None
SPLITS = ("train", "validation", "test", "both", "model")
KEYS = {"rule", "field", "split", "because"}
FORM = '{"rule": "I103", "split": "train", "because": "a reason"} (or "field": "images.range")'


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """One entry of `accept`.

    Attributes:
        name: Code of a rule, or a field, which stands for all rules of that field; "files.*" excepted: what cannot be
            read cannot be accepted.
        because: The reason, shown in every report.
        split: Of the finding; "both" means every split, None every split and the model.
    """

    name: str
    because: str
    split: str | None = None

    @property
    def is_of_field(self) -> bool:
        return "." in self.name

    def covers(self, finding: Finding) -> bool:
        """Whether a finding of one split, not yet merged with the other split's, is accepted."""
        splits = ("train", "validation", "test", "both") if self.split == "both" else (self.split,)
        named = self.name in (finding.field, finding.rule.code)
        return named and (self.split is None or finding.split in splits)


@dataclass(frozen=True)
class Choices:
    """What a user decided.

    Attributes:
        accept: Entries, the first that covers a finding counts.
        ignore: Codes of rules that are not judged.
    """

    accept: tuple[Acceptance, ...] = ()
    ignore: frozenset[str] = frozenset()

    def __add__(self, other: Choices) -> Choices:
        """Return both; the left one's entries come first."""
        return Choices((*self.accept, *other.accept), self.ignore | other.ignore)


def choices_of(accept: Any = None, ignore: Iterable[str] = ()) -> Choices:
    """Return the choices of {field or code: reason}, or a list of entries, and of names of rules, or these in one text.

    Raises:
        NotUsableError: An entry is none, or a rule is not known.
    """
    names = [each.strip() for each in ignore.split(",") if each.strip()] if isinstance(ignore, str) else ignore
    return Choices(acceptances_of(accept), frozenset(_ignorable(each) for each in names))


def _ignorable(name: str) -> str:
    rule = _rule_named(name)
    if rule is None:
        known = known_names(name)
        raise NotUsableError(f"Expected the code or name of a rule to ignore. Received: {name[:60]!r}. {known}")
    if rule.field.startswith("files."):
        raise NotUsableError(f"Expected a rule that can be ignored. Received: {name}. Fix: write the file again.")
    return rule.code


def read_acceptances(value: Any) -> tuple[Acceptance, ...]:
    """Return the acceptances of a list of {"rule" or "field", "split", "because"} objects (or of acceptances).

    Raises:
        NotUsableError: It is no such list, names no known rule, field or split, gives no reason, or names a file.
    """
    if value is None:
        return ()
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        raise NotUsableError(f"Expected accept as a list of {FORM}. Received: {str(value)[:80]}.")
    return tuple(each if isinstance(each, Acceptance) else _read(each) for each in value)


def _read(value: Any) -> Acceptance:
    if not isinstance(value, Mapping) or not set(value) <= KEYS or len({"rule", "field"} & set(value)) != 1:
        raise NotUsableError(f"Expected accept entries like {FORM}. Received: {str(value)[:80]}.")
    given = value.get("rule", value.get("field"))
    name = _acceptable(str(given))
    split, because = value.get("split"), value.get("because")
    if split is not None and split not in SPLITS:
        raise NotUsableError(f"Expected a split among {', '.join(SPLITS)} in accept. Received: {str(split)[:60]!r}.")
    if not isinstance(because, str) or not because.strip():
        raise NotUsableError(f"Expected the reason as because in accept of {given}. Received: {str(because)[:60]!r}.")
    return Acceptance(name=name, split=split, because=because.strip())


def _acceptable(name: str) -> str:
    """Return the field, or the code of the rule, that a user named."""
    from deep_mnist.doctor.checks.catalogue import fields

    rule = _rule_named(name)
    if rule is None and name not in fields():
        raise NotUsableError(f"Expected a rule or a field in accept. Received: {name[:60]!r}. {known_names(name)}")
    if (rule.field if rule else name).startswith("files."):
        raise NotUsableError(f"Expected a field that can be accepted. Received: {name}. Fix: write the file again.")
    return rule.code if rule else name


def _rule_named(name: str) -> Rule | None:
    from deep_mnist.doctor.checks.catalogue import rule_named

    return rule_named(name)


def known_names(name: str) -> str:
    """Return what a user may have meant, and where all names are listed."""
    import difflib

    from deep_mnist.doctor.checks.catalogue import fields, rules

    names = [*fields(), *(each.name for each in rules()), *(each.code for each in rules())]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    meant = f"Did you mean {' or '.join(near)}? " if near else ""
    return f"{meant}Fix: python -m deep_mnist.doctor rules lists every rule and field."


def acceptances_of(accept: Any) -> tuple[Acceptance, ...]:
    """Return acceptances given as {field or code: reason} or as a list of entries.

    Raises:
        NotUsableError: An entry is none.
    """
    if isinstance(accept, Mapping):
        return read_acceptances([entry_of(name, reason) for name, reason in accept.items()])
    return read_acceptances(accept)


def entry_of(name: str, because: str) -> dict[str, str]:
    """Return one entry of `accept` by its name: a field has a dot, a rule has none."""
    return {"field" if "." in name else "rule": name, "because": because}


def with_acceptances(findings: Iterable[Finding], accept: Sequence[Acceptance]) -> list[Finding]:
    """Return the findings, accepted errors and warnings marked so, with what is to be said of the entries."""
    findings = list(findings)
    covered = [(each, _covering(each, accept)) for each in findings]
    return [*accepted(findings, accept), *_of_entries(accept, covered)]


def accepted(findings: Iterable[Finding], accept: Sequence[Acceptance]) -> list[Finding]:
    """Return the findings, accepted errors and warnings marked so; entries may be meant for findings made elsewhere."""
    return [_marked(each, _covering(each, accept)) for each in findings]


def _covering(finding: Finding, accept: Sequence[Acceptance]) -> Acceptance | None:
    return next((each for each in accept if each.covers(finding)), None)


def _marked(finding: Finding, entry: Acceptance | None) -> Finding:
    if entry is None or finding.severity not in ("error", "warning"):
        return finding
    return replace(finding, severity="accepted", because=entry.because)


def _of_entries(
    accept: Sequence[Acceptance], covered: Sequence[tuple[Finding, Acceptance | None]]
) -> Iterable[Finding]:
    """Yield a note on each entry that matches nothing, a warning on each field that covers more than one rule."""
    from deep_mnist.doctor.checks.choices import BROAD, UNUSED

    for entry in accept:
        marked = [finding for finding, by in covered if by == entry]
        codes = sorted({each.rule.code for each in marked if each.severity != "note"})
        if not marked:
            yield _about(entry, UNUSED.found(
                entry.split or "both",
                expected="a finding to accept",
                received=f'none of this name, though accept names it because "{entry.because}"',
                fix=f"Remove {entry.name} from accept.",
            ))  # fmt: skip
        elif entry.is_of_field and len(codes) > 1:
            yield _about(entry, BROAD.found(
                entry.split or "both",
                expected="the reason for one fault",
                received=f'"{entry.because}" for {len(codes)} rules of {entry.name}: {", ".join(codes)}',
                fix=f'Accept by rule: --accept {codes[0]}="…" for each of {", ".join(codes)} that is meant.',
            ))  # fmt: skip


def _about(entry: Acceptance, finding: Finding) -> Finding:
    return replace(finding, field=entry.name) if entry.is_of_field else finding
