"""The examples, each as a user runs the doctor on it, with the real digits."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from deep_mnist.processes import run_module
from docs.capture import PICTURE, drawn, printed, without_seconds

ROOT = Path(__file__).resolve().parents[2]
pytest.importorskip("tensorflow")


def doctor(script: str) -> tuple[int, dict]:
    """Return the exit status and the JSON of the doctor on one of the examples."""
    variables = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    ended = run_module("deep_mnist.doctor", [f"examples/{script}.py", "--json"], environment=variables, folder=ROOT)
    assert ended.stdout, ended.stderr
    return ended.returncode, json.loads(ended.stdout)


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_processes")
def test_the_first_example_is_refused_with_both_reasons():
    """Raw pixels: their range and their dtype, reported of x_train where it was set."""
    status, reported = doctor("example1_raw_pixels")

    errors = {each["field"] for each in reported["findings"] if each["severity"] == "error"}
    assert (status, reported["verdict"], errors) == (1, "unfit", {"images.range", "images.dtype"})
    assert reported["source"]["variables"]["train_images"] == {"name": "x_train", "line": 11}


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_processes")
@pytest.mark.parametrize("script", ["example2_prepared", "example3_batch_normalization", "tensorflow1_experts"])
def test_the_others_are_fit(script):
    """Nothing is found that is more than a note."""
    status, reported = doctor(script)

    assert (status, reported["verdict"]) == (0, "fit")
    assert {each["severity"] for each in reported["findings"]} <= {"note"}


@pytest.mark.slow
def test_the_picture_in_the_readme_is_what_the_doctor_prints():
    """docs/example1.svg is current; `python -m docs.capture` writes it again."""
    assert without_seconds(drawn(printed())) == without_seconds(PICTURE.read_text())


@pytest.mark.slow
def test_the_notebook_runs_and_shows_the_diagnosis():
    """Its cells run in order; the page names both reasons in the notebook's names, and the fixed data are fit."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(ROOT / "examples" / "in_a_notebook.ipynb", as_version=4)
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}

    nbclient.NotebookClient(notebook, timeout=240, kernel_name="python3").execute(env=variables)

    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pages = [each.data["text/html"] for each in shown if "text/html" in each.get("data", {})]
    texts = "".join(each.text for each in shown if each.get("name") == "stdout")
    assert len(pages) == 1 and all(word in pages[0] for word in ("images.range", "images.dtype", "x_train"))
    assert "fit: nothing found" in texts
    assert re.search(r"ERROR I\d+ images\.range", texts)
