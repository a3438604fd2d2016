"""A rule: one fault that the doctor can name, declared once, beside the check that looks for it.

    SCALED_TWICE = Rule(
        code="I204", name="images-scaled-twice", field="images.range", severity="error", scope=Scope.INPUT,
        needs=(Need.SURVEY,), inputs=IMAGES, summary="Pixels were divided by 255 once more than the network expects.",
        why="The network sees nearly black images: it learns slowly, or not at all.",
    )

    @check(SCALED_TWICE)
    def check_scaled_twice(case: Case, split: Split) -> Iterator[Finding]:
        if …:
            yield SCALED_TWICE.found(split.name, expected="…", received="…", fix="…")

Everything else (which checks run, on what, in what order; acceptance; documentation; the formats for other tools)
follows from the rules: `catalogue.py` finds them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from deep_mnist.doctor.finding import SEVERITIES, Finding

CODE = re.compile(r"[A-Z]{1,4}\d{3}")
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")
SUBJECTS = {
    "E": "crashes",
    "F": "files",
    "I": "inputs",
    "L": "labels",
    "M": "the network",
    "C": "the loss and its options",
    "S": "splits",
    "P": "the call of fit",
    "D": "pipelines of data",
    "R": "a run",
    "G": "TensorFlow 1 graphs",
    "Q": "requests to a served model",
    "A": "what the user accepts",
}
IMAGES = frozenset({"images", "flattened images"})  # of InputKind
COLUMNS = frozenset({"feature columns"})
SEQUENCES = frozenset({"sequences"})
ANY_INPUT: frozenset[str] = frozenset()


class Scope(StrEnum):
    """What one call of a check looks at, and with it the check's arguments.

    CASE, NETWORK, NETWORK_INPUT and NETWORK_OUTPUT take (case); SPLIT, INPUT and TARGET take (case, split). Those of an
    input or an output are called once more for each further input or output of the network. Of the rest, the door
    that sees it calls the check itself.
    """

    CASE = "case"
    SPLIT = "split"
    INPUT = "input"
    TARGET = "target"
    NETWORK = "network"
    NETWORK_INPUT = "network, by its input"
    NETWORK_OUTPUT = "network, by its output"
    PIPELINE = "pipeline of data"
    CALL = "call of fit"
    RUN = "run"
    GRAPH = "graph"
    REQUEST = "request"
    CHOICES = "what the user chose"
    CRASH = "an error that ended the program"

    @property
    def is_of_split(self) -> bool:
        """Whether the check takes (case, split)."""
        return self in (Scope.SPLIT, Scope.INPUT, Scope.TARGET)


class Need(StrEnum):
    """What must be there for a rule to be judged; of a case as a whole, in its train split."""

    IMAGES = "images"
    LABELS = "labels"
    PAIRS = "images and classes, one for each other"
    SURVEY = "images that are numbers on two axes or more"
    TEST = "a test split"
    CLASSES = "a network that predicts classes"
    LOSS = "a loss"
    RECORD = "the record of preprocessing"
    WHOLE = "the whole split, not a sample of it"
    LIVE_MODEL = "the call of fit and its model in this process"


class On(StrEnum):
    """In which split the cause must have been found, for a finding to be its consequence."""

    SAME_SPLIT = "the same split"
    SAME_OR_TRAIN = "the same split or train"
    ANY_SPLIT = "any split"
    ONE_SPLIT = "one of train and test alone"
    TRAIN = "train"
    BOTH = "both splits together"
    MODEL = "the network"


@dataclass(frozen=True, kw_only=True)
class Follows:
    """When a finding is a mere consequence, and is left out: one of these causes was found too.

    Attributes:
        rules: Codes of the causes.
        fields: Fields of the causes, whichever rule.
        any_field: Whatever was found is a cause.
        on: In which split the cause counts.
        least: The least severity of a cause that counts.
        unless_paired: Only in a split that has another number of images than of labels.
    """

    rules: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    any_field: bool = False
    on: On = On.SAME_SPLIT
    least: str = "note"
    unless_paired: bool = False


LABELS_UNSOUND = ("labels.values", "labels.width", "labels.rank", "labels.finite", "labels.dtype")
FOLDERS_AS_CLASSES = Follows(rules=("L174", "L175"), on=On.TRAIN)  # there are fewer classes than labels
AXES_UNSOUND = Follows(
    fields=("images.rank", "images.layout", "images.shape", "images.count"), least="error", unless_paired=True
)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One fault by name.

    Attributes:
        code: A letter for the subject (SUBJECTS) and three digits; never used again for another fault. Rules of a
            package of one's own take two to four letters.
        name: In kebab case.
        field: What is wrong, the name that acceptances and reports group by, such as "images.range".
        severity: "error" makes the data unfit; "warning" and "note" do not. A finding may be less sure, and less grave.
        scope: What the check looks at.
        needs: What must be there for it to be judged.
        inputs: Kinds of input that it speaks of (values of InputKind); empty for all.
        summary: What it means, in one sentence.
        why: What would have happened in training.
        follows: What makes its findings mere consequences.
        other_fields: Where a finding may name another than `field`: the file of another split.

    Raises:
        ValueError: The code, name, field or severity has another form.
    """

    code: str
    name: str
    field: str
    severity: str
    scope: Scope
    summary: str
    why: str
    needs: tuple[Need, ...] = ()
    inputs: frozenset[str] = ANY_INPUT
    follows: tuple[Follows, ...] = ()
    other_fields: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a rule that could not be named in a report."""
        if not CODE.fullmatch(self.code):
            raise ValueError(f"Expected a code such as I204. Received: {self.code!r}.")
        if not NAME.fullmatch(self.name):
            raise ValueError(f"Expected a name in kebab case of {self.code}. Received: {self.name!r}.")
        if self.severity not in SEVERITIES or "." not in self.field:
            raise ValueError(
                f"Expected a severity and a field of {self.code}. Received: {self.severity}, {self.field}."
            )

    def found(
        self,
        split: str = "model",
        *,
        expected: str,
        received: str,
        fix: str,
        why: str = "",
        severity: str = "",
        where: tuple[int, ...] = (),
        field: str = "",
    ) -> Finding:
        """Return a finding of this rule.

        Args:
            split: "train", "validation", "test", "both" or, of the network itself, "model".
            expected, received: One phrase each.
            fix: The one-line fix, a Python statement wherever one can.
            why: What would have happened in training, where it differs from the rule's own.
            severity: Where it differs from the rule's own.
            where: First indices of what is wrong.
            field: One of `other_fields`, where it is not `field`.
        """
        return Finding(
            rule=self,
            field=field or self.field,
            split=split,
            severity=severity or self.severity,
            expected=expected,
            received=received,
            fix=fix,
            why=why or self.why,
            where=where,
        )

    @property
    def order(self) -> tuple[int, str]:
        """Where it stands in a list: by subject, then by number; rules of one's own last."""
        subjects = list(SUBJECTS)
        letter = self.code[0] if len(self.code) == 4 else ""
        return (subjects.index(letter) if letter in subjects else len(subjects), self.code)


CheckFunction = Callable[..., Iterator[Finding]]
F = TypeVar("F", bound=CheckFunction)


@dataclass(frozen=True)
class Check:
    """A generator of findings, and the rules that it may yield.

    Attributes:
        run: Takes (case) or (case, split), as the rules' scope says.
        rules: All of one scope.
        in_background: Needs no survey, and may run in a thread of its own meanwhile.
    """

    run: CheckFunction
    rules: tuple[Rule, ...]
    in_background: bool = False

    @property
    def scope(self) -> Scope:
        return self.rules[0].scope


def check(*rules: Rule, in_background: bool = False) -> Callable[[F], F]:
    """Mark a generator of findings as the check of some rules, all of one scope; `catalogue.py` finds it.

    Raises:
        ValueError: There is no rule, or they are of different scopes.
    """
    if len({rule.scope for rule in rules}) != 1:
        raise ValueError(f"Expected rules of one scope. Received: {[f'{each.code} {each.scope}' for each in rules]}.")

    def mark(run: F) -> F:
        run.check = Check(run, rules, in_background)  # type: ignore[attr-defined]
        return run

    return mark
