"""A person's last word: accepted findings stay visible and no longer stop the run."""

from __future__ import annotations

import json

import numpy as np
import pytest

from deep_mnist.doctor.acceptance import choices_of
from deep_mnist.doctor.case import NotUsableError
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.judge import judge_folder
from deep_mnist.doctor.report.render import as_html, as_json, as_markdown
from tests.support.doctor_cases import digits

RAW = {"field": "images.range", "because": "the <b>loader</b> of the old run is kept"}


def raw_pixels():
    return digits().images(lambda images: (images * 255).astype(np.float32))


def severities(diagnosis):
    return {(each.field, each.severity) for each in diagnosis.findings}


def test_accepted_finding_makes_no_verdict_and_is_shown_everywhere(tmp_path):
    """An accepted error leaves the verdict fit; JSON, Markdown and the page show it with its reason."""
    diagnosis = raw_pixels().with_settings(accept=[RAW]).judged(tmp_path)

    assert diagnosis.verdict == "fit"
    assert severities(diagnosis) == {("images.range", "accepted")}
    assert json.loads(as_json(diagnosis))["findings"][0]["because"] == RAW["because"]
    assert "of the old run is kept" in as_markdown(diagnosis)
    page = as_html(diagnosis)
    assert "of the old run is kept" in page and "<b>loader" not in page


def test_caller_accepts_as_contract_json_does(tmp_path):
    """The argument of diagnose() has the effect of the folder's own entry."""
    folder = raw_pixels().write(tmp_path)

    assert judge_folder(folder, choices=choices_of([RAW])).verdict == "fit"


def test_one_split_accepted_leaves_the_other(tmp_path):
    """Accepted for train only, the same fault of the test split still stops the run."""
    diagnosis = raw_pixels().with_settings(accept=[{**RAW, "split": "train"}]).judged(tmp_path)

    assert diagnosis.verdict == "unfit"
    assert {(each.split, each.severity) for each in diagnosis.findings} == {("train", "accepted"), ("test", "error")}


def test_entry_that_matches_nothing_is_a_note(tmp_path):
    """Accepting what is not found is reported, so that old entries are removed."""
    diagnosis = digits().with_settings(accept=[RAW]).judged(tmp_path)

    assert severities(diagnosis) == {("images.range", "note")}


@pytest.mark.parametrize(
    "accept",
    [
        [{"field": "files.train_images", "because": "x"}],
        [{"field": "images.beauty", "because": "x"}],
        [{"field": "images.range"}],
        [{"field": "images.range", "because": " "}],
        [{"field": "images.range", "because": "x", "split": "train_images"}],
        [{"field": "images.range", "because": "x", "fields": "y"}],
        [{"field": "images.range", "rule": "I103", "because": "x"}],
        [{"rule": "I999", "because": "x"}],
        ["images.range"],
        "images.range",
    ],
)
def test_impossible_entries_are_refused(accept):
    """Files cannot be accepted, and an entry needs a known field, a known split and a reason."""
    with pytest.raises(NotUsableError, match="Expected"):
        choices_of(accept)


def test_a_rule_is_accepted_by_its_code_or_name(tmp_path):
    """The rule's code and name accept that rule alone, in contract.json as from the caller."""
    folder = raw_pixels().write(tmp_path)
    rule = judge_folder(folder).findings[0].rule

    for name in (rule.code, rule.name):
        assert severities(judge_folder(folder, choices=choices_of({name: "the old loader"}))) == {
            ("images.range", "accepted")
        }


def test_a_field_that_covers_two_rules_is_warned_of(tmp_path):
    """Accepting raw pixels by their field also accepts corrupted ones beside them, which is said."""
    case = raw_pixels().change(spoiled, "test_images")
    diagnosis = case.with_settings(accept=[RAW]).judged(tmp_path)

    assert ("images.range", "warning") in severities(diagnosis)
    (warning,) = (each for each in diagnosis.findings if each.severity == "warning")
    assert warning.rule.code == "A002" and warning.received.count("I1") >= 2


def spoiled(images):
    images[3, 5, 5, 0] = 3e8
    return images


def test_a_wrong_name_is_answered_with_the_near_ones():
    """A misspelled field or rule is refused with what may have been meant, and with every field."""
    with pytest.raises(NotUsableError, match=r"Did you mean images\.range.* rules lists every rule"):
        choices_of({"images.rang": "a reason"})


def test_findings_take_keywords_only():
    """A finding cannot be built by position, where expected and received are easily exchanged."""
    with pytest.raises(TypeError):
        Finding("images.range", "error", "train", "a", "b", "c", "d")
