"""The examples, each as a user runs the doctor on it, with the real digits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytest.importorskip("tensorflow")


def doctor(script: str, *arguments: str, **environment: str) -> tuple[int, dict]:
    """Return the exit status and the JSON of the doctor on one of the examples."""
    command = [sys.executable, "-m", "deep_mnist.doctor", f"examples/{script}.py", "--json", *arguments]
    variables = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    ended = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)
    assert ended.stdout, ended.stderr
    return ended.returncode, json.loads(ended.stdout)


@pytest.mark.slow
def test_the_first_example_is_refused_with_both_reasons():
    """Raw pixels: their range and their dtype, told of x_train where it was set."""
    status, told = doctor("example1_raw_pixels")

    errors = {each["field"] for each in told["findings"] if each["severity"] == "error"}
    assert (status, told["verdict"], errors) == (1, "unfit", {"images.range", "images.dtype"})
    assert told["source"]["variables"]["train_images"] == {"name": "x_train", "line": 11}


@pytest.mark.slow
@pytest.mark.parametrize("script", ["example2_prepared", "example3_batch_normalization", "tensorflow1_experts"])
def test_the_others_are_fit(script):
    """Nothing is found that is more than a note."""
    status, told = doctor(script)

    assert (status, told["verdict"]) == (0, "fit")
    assert {each["severity"] for each in told["findings"]} <= {"note"}
