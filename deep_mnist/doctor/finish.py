"""Finish findings as they are reported: no consequences, accepted ones marked, one fault once, in the user's names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from deep_mnist.doctor.acceptance import Choices, accepted, with_acceptances
from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.choices import BROAD, UNUSED
from deep_mnist.doctor.diagnosis import Diagnosis
from deep_mnist.doctor.finding import SEVERITIES, Finding
from deep_mnist.doctor.rule import Follows, On, Scope

# Labels and images are not each other's (load_data() unpacked in another order): whatever else is said of them follows.
MIXED_UP = Follows(rules=("S101", "S102", "S103"), on=On.ANY_SPLIT)
NOTHING = Follows(rules=("P097",), on=On.ANY_SPLIT)  # an array, or the order it is taken by, became None
OF_ARRAYS = ("images.", "labels.")
# A pipeline that yields one batch again and again, or flat images, says nothing of the set behind it.
SPOILED = Follows(rules=("D041", "D042", "D050", "D051", "D053", "D056"), on=On.ANY_SPLIT)
OTHER_COUNT = Follows(rules=("I040",), on=On.ANY_SPLIT)  # which array is for which input is then not known
OTHER_ORDER = Follows(rules=("L173", "L180", "D057", "D062", "P124"), on=On.ANY_SPLIT)  # the cause by name
OF_DATA = (*OF_ARRAYS, "splits.", "fit.")
OF_SETS = (
    "splits.",
    "images.distribution",
    "images.orientation",
    "images.polarity",
    "labels.alignment",
    "labels.count",
)


def finish(
    found: Iterable[Finding],
    case: Case,
    choices: Choices | None = None,
    in_own_names: Callable[[Finding], Finding] | None = None,
) -> list[Finding]:
    """Return findings in the order of reports, gravest first.

    Args:
        found: As the checks yielded them.
        case: What was judged.
        choices: What the user accepts and ignores.
        in_own_names: Returns a finding in the names of the user's source.
    """
    choices = choices or Choices()
    kept = without_consequences(list(found), case)
    kept = [each for each in kept if each.rule.code not in choices.ignore]
    finished = merged(with_acceptances(_once(kept), choices.accept))
    return finished if in_own_names is None else [in_own_names(each) for each in finished]


def with_more(
    diagnosis: Diagnosis, found: Iterable[Finding], choices: Choices, seconds: float, *, is_last: bool = True
) -> Diagnosis:
    """Return a diagnosis with what was found afterwards, by a run of the network.

    Args:
        diagnosis: Of the case.
        found: Not yet accepted or ignored.
        choices: What the user accepts and ignores.
        seconds: That it took.
        is_last: Entries of accept that match nothing are reported.
    """
    kept = [each for each in found if each.rule.code not in choices.ignore]
    before = [each for each in diagnosis.findings if each.rule not in (UNUSED, BROAD)]
    marked = (with_acceptances if is_last else accepted)([*before, *kept], choices.accept)
    ordered = sorted(marked, key=lambda each: SEVERITIES.index(each.severity))
    return replace(diagnosis, findings=ordered, seconds=diagnosis.seconds + seconds)


def _once(findings: Iterable[Finding]) -> list[Finding]:
    """Leave out what says word for word what another one says, as when a generator is drawn twice."""
    return list({(each.rule.code, each.split, each.part, each.received): each for each in findings}.values())


# --- consequences ----------------------------------------------------------------------------------


def without_consequences(found: Sequence[Finding], case: Case) -> list[Finding]:
    """Leave out what only follows from another finding on the same part, by the rules' own word."""
    return [each for each in found if not any(_follows(row, each, found, case) for row in _rows(each))]


def _rows(finding: Finding) -> tuple[Follows, ...]:
    of_arrays = finding.field.startswith(OF_ARRAYS) and finding.split in ("train", "test")
    rows = finding.rule.follows
    if finding.field.startswith(OF_DATA):
        rows = (*rows, NOTHING)
    if finding.field.startswith(OF_SETS) and finding.rule.scope is not Scope.PIPELINE:
        rows = (*rows, SPOILED)
    if finding.field == "labels.alignment" and finding.rule.code not in OTHER_ORDER.rules:
        rows = (*rows, OTHER_ORDER)
    if finding.field.startswith("images.") and finding.rule.code != "I040":
        rows = (*rows, OTHER_COUNT)
    return (*rows, MIXED_UP) if of_arrays else rows


def _follows(row: Follows, finding: Finding, found: Sequence[Finding], case: Case) -> bool:
    """Whether a cause that a row names was found."""
    others = (each for each in found if each is not finding and each.part == finding.part)
    splits = {each.split for each in others if _is_cause(each, row, case)}
    return {
        On.SAME_SPLIT: finding.split in splits,
        On.SAME_OR_TRAIN: bool({finding.split, "train"} & splits),
        On.ANY_SPLIT: bool(splits),
        On.ONE_SPLIT: len(splits & {"train", "test"}) == 1,
        On.TRAIN: "train" in splits,
        On.BOTH: "both" in splits,
        On.MODEL: "model" in splits,
    }[row.on]


def _is_cause(finding: Finding, row: Follows, case: Case) -> bool:
    if SEVERITIES.index(finding.severity) > SEVERITIES.index(row.least):
        return False
    if not row.any_field and finding.field not in row.fields and finding.rule.code not in row.rules:
        return False
    return not (row.unless_paired and _one_for_one(case, finding.split))


def _one_for_one(case: Case, name: str) -> bool:
    """Whether a split has as many images as labels: its first axis then is the examples'."""
    split = case.splits.get(name)
    if split is None or split.images is None or split.labels is None:
        return True
    if not (split.images.ndim and split.labels.ndim):
        return True
    return len(split.images) == len(split.labels)


# --- one fault once --------------------------------------------------------------------------------


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings in order of severity, then of rules, with one fault in several splits reported once as "both"."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for each in findings:
        groups.setdefault((each.rule.code, each.field, each.severity, each.part), []).append(each)
    joined = [one for group in groups.values() for one in _joined(group)]
    return sorted(joined, key=lambda each: (SEVERITIES.index(each.severity), each.rule.order))


def _joined(group: Sequence[Finding]) -> list[Finding]:
    by_split = {each.split: each for each in group}
    train, test = by_split.get("train"), by_split.get("test")
    if not (train and test) or len(group) != len(by_split):
        return list(group)
    received = train.received if train.received == test.received else f"{train.received} (test: {test.received})"
    fix = _one_line([by_split[name].fix for name in ("train", "validation", "test") if name in by_split])
    rest = [each for each in group if each.split not in ("train", "validation", "test")]
    return [replace(train, split="both", received=received, fix=fix), *rest]


def _one_line(fixes: Sequence[str]) -> str:
    """Return statements as one line, their comment (the same for all) at its end."""
    statements, comments = zip(*(fix.partition("  # ")[::2] for fix in fixes), strict=True)
    comment = next((each for each in comments if each), "")
    return "; ".join(dict.fromkeys(statements)) + (f"  # {comment}" if comment else "")
