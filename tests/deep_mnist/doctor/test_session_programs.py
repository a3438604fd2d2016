"""TensorFlow 1 programs as people write them: healthy ones pass, faulty ones are named, and the fix mends them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deep_mnist.processes import run_module
from tests.support.session_programs import programs_of

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.usefixtures("fresh_processes")

ROOT = Path(__file__).resolve().parents[3]
HEALTHY = [name for name, _, _ in programs_of("tf1_healthy.txt")]
FAULTY = {name: codes for name, codes, _ in programs_of("tf1_faulty.txt")}
# Their fix is a place to look at, a feed, or an argument, and no assignment that could be put in by itself.
NOT_A_STATEMENT = {
    "labels_left_out", "training_never_run", "initialized_at_every_step", "initialized_at_every_epoch",
    "queue_never_filled", "shuffled_apart", "restored_then_initialized", "keep_prob_of_a_tenth",
    "rate_of_nine_tenths", "dropout_always_on", "autoencoder_of_raw_pixels", "gradient_ascent_by_hand",
    "clipped_to_nothing", "net_built_in_the_loop", "manual_update_rising", "flat_by_stop_gradient",
}  # fmt: skip


@pytest.fixture(scope="module")
def said() -> dict[str, dict[str, Any]]:
    """Return what the doctor says of each program; they run in a process that has left TensorFlow 2's behavior."""
    outcomes: dict[str, dict[str, Any]] = {}
    for file in ("tf1_healthy.txt", "tf1_faulty.txt"):
        done = run_module("tests.support.session_programs", [file], folder=ROOT)
        assert done.returncode == 0, done.stderr[-2000:]
        outcomes |= json.loads(done.stdout)
    return outcomes


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_session_is_let_through(said, name):
    """Neither an error nor a warning, and no check breaks."""
    assert said[name]["findings"] == []
    assert said[name]["broken"] == []


@pytest.mark.parametrize("name", FAULTY)
def test_what_is_wrong_with_a_session_is_named_first(said, name):
    assert said[name]["findings"][0]["rule"] in FAULTY[name]


@pytest.mark.parametrize("name", [each for each in FAULTY if each not in NOT_A_STATEMENT])
def test_the_fix_of_a_session_mends_it(said, name):
    """The program with the line in it runs, and the finding is gone."""
    after = said[name]["mended"]

    assert after is not None, said[name]["findings"][0]["fix"]
    assert said[name]["findings"][0]["rule"] not in {each["rule"] for each in after}
