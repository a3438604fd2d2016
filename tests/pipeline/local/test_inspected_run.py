"""A run here that inspects single labels, and one that trains on what people decided."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from deep_mnist.labels.decisions import Decision, digest_of, write_decisions
from tests.support.digits import write_raw_folder
from tests.support.runs import run_pipeline

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("fresh_processes")]
LENIENT = ("--min-accuracy", "0", "--min-class-accuracy", "0", "--epochs", "2")


def test_a_run_that_inspects_shows_the_labels_and_one_with_decisions_says_what_changed(tmp_path: Path) -> None:
    """The folds run in a loop, the report has their page; --labels reaches the record and the model card."""
    data = write_raw_folder(tmp_path / "digits", 400, 100)

    inspected = run_pipeline(tmp_path, "--dataset", "digits", "--inspect-labels", *LENIENT)

    assert inspected.status == 0
    finished = [event["task"] for event in inspected.events() if event.get("state") == "done"]
    assert finished.index("require-valid") < finished.index("inspect") < finished.index("train")
    assert "labels of train are likely wrong" in inspected.report.read_text()

    images, labels = (np.load(file) for file in (data / "train_images.npy", data / "train_labels.npy"))
    write_decisions(tmp_path / "labels.yaml", [Decision(digest_of(images[3]), 3, "train", int(labels[3]), "drop")])
    corrected = run_pipeline(tmp_path, "--dataset", "digits", "--labels", "labels.yaml", *LENIENT)

    assert corrected.status == 0
    assert "0 relabelled, 1 dropped" in corrected.report.read_text()
    (manifest,) = corrected.report.parent.glob("artifacts/**/preprocess/**/manifest.json")
    assert json.loads(manifest.read_text())["preprocessing"]["label_changes"]["dropped"] == 1
