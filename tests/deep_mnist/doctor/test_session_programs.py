"""TensorFlow 1 programs as people write them: healthy ones pass, faulty ones are named, and the fix mends them."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from deep_mnist.processes import run_module
from tests.support.made_once import made_once
from tests.support.session_programs import programs_of

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.usefixtures("fresh_processes")

Said = Callable[[str], dict[str, dict[str, Any]]]
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
def said(tmp_path_factory: pytest.TempPathFactory) -> Said:
    """What the doctor says of each program of a file; they run in a process that has left TensorFlow 2's behavior."""

    def of_file(file: str) -> dict[str, dict[str, Any]]:
        def run(folder: Path) -> None:
            done = run_module("tests.support.session_programs", [file], folder=ROOT)
            assert done.returncode == 0, done.stderr[-2000:]
            (folder / "said.json").write_text(done.stdout)

        return json.loads((made_once(tmp_path_factory, file, run) / "said.json").read_text())

    return cache(of_file)


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_session_is_let_through(said, name):
    """Neither an error nor a warning, and no check breaks."""
    told = said("tf1_healthy.txt")[name]

    assert told["findings"] == []
    assert told["broken"] == []


@pytest.mark.parametrize("name", FAULTY)
def test_what_is_wrong_with_a_session_is_named_first(said, name):
    assert said("tf1_faulty.txt")[name]["findings"][0]["rule"] in FAULTY[name]


@pytest.mark.parametrize("name", [each for each in FAULTY if each not in NOT_A_STATEMENT])
def test_the_fix_of_a_session_mends_it(said, name):
    """The program with the line in it runs, and the finding is gone."""
    told = said("tf1_faulty.txt")[name]
    after = told["mended"]

    assert after is not None, told["findings"][0]["fix"]
    assert told["findings"][0]["rule"] not in {each["rule"] for each in after}
