"""Training code of people's own, a loss, a loop or a train_step: what is wrong is named, and sound code let through."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from tests.support.loops import judged_step
from tests.support.programs import programs

pytest.importorskip("keras")
pytest.importorskip("tensorflow")

FAULTY, HEALTHY = list(programs("loops_faulty.txt")), list(programs("loops_healthy.txt"))
judged_once = cache(judged_step)  # two tests look at one diagnosis


def graver(diagnosis):
    return [each for each in diagnosis.findings if each.severity in ("error", "warning")]


@pytest.mark.parametrize("program", FAULTY, ids=lambda program: program.name)
def test_what_is_wrong_with_own_training_code_is_named_first(program):
    """The gravest finding has the field that names the cause, and no rule breaks."""
    diagnosis = judged_once(program)

    assert diagnosis.broken == []
    assert graver(diagnosis)[0].field in program.fields


@pytest.mark.parametrize("program", HEALTHY, ids=lambda program: program.name)
def test_sound_training_code_is_let_through(program):
    """Neither an error nor a warning, and no rule breaks."""
    diagnosis = judged_once(program)

    assert diagnosis.broken == []
    assert graver(diagnosis) == []


@pytest.mark.parametrize("program", HEALTHY, ids=lambda program: program.name)
def test_judging_leaves_the_model_as_it_was(program):
    """Weights are those that the program's own seed gives, judged or not."""
    call = judged_once(program).case.call
    again = judged_step(program).case.call

    assert call.model.built == again.model.built
    for one, other in zip(call.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("program", FAULTY, ids=lambda program: program.name)
def test_a_line_in_its_place_makes_the_finding_go(program):
    """The statements of the named lines are replaced by the fix, and the program judged again: the rule is silent."""
    found = graver(judged_once(program))[0]
    statements, mark, places = found.fix.partition("  # in place of ")
    if not mark or "in __init__" in found.fix:
        pytest.skip("a sentence: there is no line to be replaced")
    lines = program.text.splitlines()
    numbers = [int(each.rpartition(":")[2]) for each in places.split(" and ")]
    for number, text in zip(numbers, statements.split("; ") if len(numbers) > 1 else [statements], strict=True):
        line = lines[number - 1]
        lines[number - 1] = line[: len(line) - len(line.lstrip())] + text

    again = judged_step(program._replace(text="\n".join(lines) + "\n"))

    assert found.rule.code not in {each.rule.code for each in again.findings}


@pytest.mark.parametrize("name", ["picture_in_the_style_of_another", "pictures_of_gradients_and_attacks"])
def test_a_tape_that_trains_no_weights_is_not_taken_for_a_training(name):
    """What is judged is the call of fit behind it."""
    (program,) = (each for each in HEALTHY if each.name == name)

    assert judged_once(program).case.call.verb == "fit"
