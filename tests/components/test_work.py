"""What a step says of its own work."""

import json
import sys
import time

import pytest

from components.failure import report_failure
from components.work import read_work, seconds_covered


@pytest.mark.parametrize(
    ("spans", "seconds"),
    [
        ([], 0.0),
        ([(1.0, 3.0), (5.0, 6.0)], 3.0),
        ([(2.0, 4.0), (0.0, 3.0)], 4.0),  # side by side
        ([(0.0, 9.0), (2.0, 4.0)], 9.0),  # one within another
    ],
)
def test_time_in_which_several_steps_work_counts_once(spans, seconds):
    """Spans that overlap are counted once, in whatever order they come."""
    assert seconds_covered(spans) == seconds


@pytest.mark.parametrize("fails", [False, True])
def test_a_step_notes_when_it_worked_however_it_ends(tmp_path, monkeypatch, fails):
    """Under kfp's executor the span lies beside the outputs, after a failure too."""
    executor_input = json.dumps({"outputs": {"outputFile": str(tmp_path / "made" / "executor_output.json")}})
    monkeypatch.setattr(sys, "argv", ["", "--executor_input", executor_input, "--function_to_execute", "train"])
    before = time.time()
    ended = None
    try:
        with report_failure():
            if fails:
                raise ValueError("bad data")
    except SystemExit as error:
        ended = error.code
    began, finished = read_work(tmp_path / "made")

    assert before <= began <= finished <= time.time()
    assert ended == (1 if fails else None)


@pytest.mark.parametrize("text", ["", "[1]", "[1, null]", "{}", "[1, 2, 3]"])
def test_what_is_no_span_is_none(tmp_path, text):
    """A file that was cut short, or another's, gives no span."""
    (tmp_path / "work.json").write_text(text)
    assert read_work(tmp_path) is None
