"""`labels.yaml`: what people decided about single labels, and how it changes a split. The images are never changed.

decisions:
- image: 5f0c…             # SHA-256 of its pixels, so a decision follows the image wherever it stands
  index: 59915             # where it stood, for people
  split: train
  given: 4
  decision: relabel        # keep, relabel, drop or unsure (cannot tell)
  label: 7
  by: ana
  at: "2026-11-29T10:12:03Z"
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

DECISIONS = ("keep", "relabel", "drop", "unsure")
FILE = "labels.yaml"
MOST_BYTES = 64 << 20  # of a file: some 300,000 decisions
DIGEST = re.compile(r"[0-9a-f]{64}")


class DecisionsError(ValueError):
    """A labels.yaml that cannot be used."""

    fix = "correct labels.yaml; python -m deep_mnist.labels review writes it"


@dataclass(frozen=True)
class Decision:
    """What one person decided about one label.

    Attributes:
        image: Hex SHA-256 of the example's bytes, see `digest_of`.
        index, split: Where it stood; the image is what counts.
        given: Class that it had.
        decision: One of DECISIONS.
        label: Class that it gets; None unless relabelled.
        by, at: Who, and when (UTC).
    """

    image: str
    index: int
    split: str
    given: int
    decision: str
    label: int | None = None
    by: str = ""
    at: str = ""

    def __post_init__(self) -> None:
        wrong = []
        if not isinstance(self.image, str) or not DIGEST.fullmatch(self.image):
            wrong.append(f"image={self.image!r}, not 64 hex digits")
        for name in ("index", "given"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                wrong.append(f"{name}={value!r}, not an integer from 0 on")
        if self.decision not in DECISIONS:
            wrong.append(f"decision={self.decision!r}, none of {', '.join(DECISIONS)}")
        is_class = isinstance(self.label, int) and not isinstance(self.label, bool) and self.label >= 0
        if (self.decision == "relabel") != is_class or (not is_class and self.label is not None):
            wrong.append(f"decision={self.decision} with label={self.label!r}")
        if wrong:
            raise DecisionsError(f"Expected a decision about one label. Received: {'; '.join(wrong)}.")


@dataclass(frozen=True)
class Changes:
    """What decisions make of one split.

    Attributes:
        labels: int64 (n,), the labels with those that were changed.
        kept: bool (n,), False where the example is dropped.
        relabelled, dropped: How many examples.
        matched: (image, given) of the decisions that spoke of an example here.
    """

    labels: np.ndarray
    kept: np.ndarray
    relabelled: int
    dropped: int
    matched: frozenset[tuple[str, int]]


def digest_of(example: np.ndarray) -> str:
    """Return the hex SHA-256 of one example's bytes, whatever its shape.

    >>> digest_of(np.zeros((2, 2), np.uint8)) == digest_of(np.zeros(4, np.uint8))
    True
    """
    return hashlib.sha256(np.ascontiguousarray(example).data).hexdigest()


def read_decisions(path: Path) -> list[Decision]:
    """Return the decisions in a file.

    Raises:
        DecisionsError: It is no such file, or an entry is none; every wrong entry is named.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DecisionsError(f"Expected at most {MOST_BYTES} bytes in {path}. Received: more.")
        read = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DecisionsError(f"Expected decisions in {path}. Received: {str(error).splitlines()[0]}.") from error
    entries = read.get("decisions") if isinstance(read, dict) else None
    if not isinstance(entries, list):
        raise DecisionsError(f'Expected a list "decisions" in {path}. Received: {type(entries).__name__}.')
    found, faults = [], []
    for number, entry in enumerate(entries):
        try:
            found.append(Decision(**entry))
        except (TypeError, DecisionsError) as error:
            faults.append(f"entry {number}: {error}")
    if faults:
        raise DecisionsError(f"Expected decisions in {path}. Received: {' '.join(faults[:5])}")
    return found


def write_decisions(path: Path, decisions: Iterable[Decision]) -> None:
    """Write decisions in one step, in the order of split and index."""
    ordered = sorted(decisions, key=lambda each: (each.split, each.index, each.image))
    entries = [{name: value for name, value in asdict(each).items() if value is not None} for each in ordered]
    as_written = all(each.by.isprintable() for each in ordered)  # a line break of Unicode's own is one in YAML, too
    text = yaml.safe_dump({"decisions": entries}, sort_keys=False, allow_unicode=as_written)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    Path(name).replace(path)


def apply(decisions: Iterable[Decision], images: np.ndarray, labels: np.ndarray) -> Changes:
    """Return the labels of a split as people decided; an example counts by its image and its label.

    Args:
        decisions: Of `read_decisions`.
        images: As the decisions' images were hashed, examples on the first axis.
        labels: Integers (n,).

    >>> images = np.arange(6, dtype=np.uint8).reshape(3, 2)
    >>> made = Decision(digest_of(images[1]), 1, "train", 7, "relabel", 1)
    >>> apply([made], images, np.array([7, 7, 7])).labels.tolist()
    [7, 1, 7]
    """
    by_example = {(each.image, each.given): each for each in decisions}
    changed = np.array(labels, np.int64)
    kept = np.ones(len(labels), bool)
    matched = set()
    givens = {given for _, given in by_example}
    for index in np.flatnonzero(np.isin(changed, list(givens))) if givens else ():
        found = by_example.get((digest_of(images[index]), int(labels[index])))
        if found is None:
            continue
        matched.add((found.image, found.given))
        kept[index] = found.decision != "drop"
        if found.label is not None:
            changed[index] = found.label
    relabelled = int((changed != np.asarray(labels))[kept].sum())
    return Changes(changed, kept, relabelled, int((~kept).sum()), frozenset(matched))


def summary_of(decisions: Iterable[Mapping[str, Any] | Decision]) -> dict[str, int]:
    """Return how many of each decision there are.

    >>> summary_of([Decision("0" * 64, 0, "train", 1, "drop")])["drop"]
    1
    """
    made = [each.decision if isinstance(each, Decision) else str(each.get("decision")) for each in decisions]
    return {name: made.count(name) for name in DECISIONS}
