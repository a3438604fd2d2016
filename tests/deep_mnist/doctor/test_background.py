"""Work in a second thread: what it returns or raises comes to the thread that asks; verdicts are the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deep_mnist.contract.contract import Contract
from deep_mnist.doctor import judge as judge_module
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.evidence.background import BackgroundCall, passing_the_lock_on_sooner
from deep_mnist.doctor.judge import judge

ROOT = Path(__file__).resolve().parents[3]


def test_what_the_work_raises_is_raised_where_it_is_asked_for() -> None:
    def work() -> None:
        raise ValueError("in another thread")

    with pytest.raises(ValueError, match="in another thread"):
        BackgroundCall(work).result()


def test_the_interval_of_threads_is_as_before_afterwards() -> None:
    before = sys.getswitchinterval()
    with pytest.raises(KeyError), passing_the_lock_on_sooner():
        assert sys.getswitchinterval() < before
        raise KeyError
    assert sys.getswitchinterval() == before


def test_findings_are_the_same_whether_checks_run_in_the_background_or_one_by_one(monkeypatch) -> None:
    """Images rolled by a third, with overwritten bytes: both checks that run in the background are concerned."""
    random = np.random.default_rng(0)
    images = np.kron(random.integers(0, 200, (600, 7, 7)), np.ones((4, 4))).astype(np.uint8)
    images[:, 8:20, 8:20] += 40
    images = np.roll(images, 9, axis=2)
    labels = random.integers(0, 10, 600)

    def found(large: int) -> list[dict]:
        monkeypatch.setattr(judge_module, "LARGE", large)
        splits = {
            "train": Split("train", images[:500], labels[:500]),
            "test": Split("test", images[500:], labels[500:]),
        }
        case = Case(Path(), splits, Contract(input_shape=(28, 28), scales_inside=True))
        return [each.to_dict() for each in judge(case)]

    assert found(large=0) == found(large=1 << 60) != []


@pytest.mark.parametrize("form", [[], ["--json"]])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that takes nothing")
def test_a_report_that_could_not_be_written_is_no_success(tmp_path, form) -> None:
    """The process ends without taking its modules apart; what it printed must have arrived before."""
    np.save(tmp_path / "train_images.npy", np.zeros((30, 28, 28), np.uint8))
    np.save(tmp_path / "train_labels.npy", np.arange(30) % 10)
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "deep_mnist.doctor", str(tmp_path), *form]
        process = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert process.returncode == 2 and "No space left" in process.stderr
