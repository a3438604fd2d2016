"""labels.yaml: read back as it was written, refused with every wrong entry, applied to the images it speaks of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deep_mnist.labels.decisions import Decision, DecisionsError, apply, digest_of, read_decisions, write_decisions

IMAGES = np.arange(40, dtype=np.uint8).reshape(10, 4)
LABELS = np.arange(10) % 3


def about(index: int, decision: str, label: int | None = None) -> Decision:
    return Decision(digest_of(IMAGES[index]), index, "train", int(LABELS[index]), decision, label, "ana", "2026-01-01")


@example([(0, "keep", "\x85"), (1, "drop", "Ána")])
@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["keep", "drop", "unsure"]), st.text(max_size=20))))
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, entries: list) -> None:
    """Whatever a person is called."""
    path = tmp_path_factory.mktemp("labels") / "labels.yaml"
    made = [replace(about(index, decision), by=name) for index, decision, name in entries]

    write_decisions(path, made)

    assert sorted(map(repr, read_decisions(path))) == sorted(map(repr, made))


def test_every_wrong_entry_is_named(tmp_path: Path) -> None:
    """An unknown decision, a relabelling without a label and a digest that is none are told together."""
    path = tmp_path / "labels.yaml"
    path.write_text(
        "decisions:\n"
        f"- {{image: {'0' * 64}, index: 0, split: train, given: 1, decision: burn}}\n"
        f"- {{image: {'0' * 64}, index: 1, split: train, given: 1, decision: relabel}}\n"
        "- {image: abc, index: -1, split: train, given: 1, decision: keep}\n"
        "- {decision: keep}\n"
    )

    with pytest.raises(DecisionsError) as refused:
        read_decisions(path)

    for part in ("entry 0", "burn", "entry 1", "label=None", "entry 2", "index=-1", "entry 3"):
        assert part in str(refused.value)


@pytest.mark.parametrize("text", ["", "a: 1", "decisions: 3", "[1", "\x00", "!!python/object:os.system {}"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, text: str) -> None:
    """Never a traceback, never code that runs."""
    (tmp_path / "labels.yaml").write_text(text)
    with pytest.raises(DecisionsError, match="Expected"):
        read_decisions(tmp_path / "labels.yaml")


def test_a_decision_follows_its_image_to_another_place() -> None:
    """The index is for people; the image and its label count, and another label of the same image is left alone."""
    order = np.array([3, 1, 0, 2])
    images, labels = IMAGES[order], LABELS[order].copy()
    labels[1] = 2  # image 1 has another label than the decision speaks of

    found = apply([about(0, "drop"), about(1, "relabel", 0), about(2, "relabel", 1)], images, labels)

    assert found.kept.tolist() == [True, True, False, True]
    assert found.labels.tolist() == [labels[0], 2, labels[2], 1]
    assert (found.relabelled, found.dropped) == (1, 1)
