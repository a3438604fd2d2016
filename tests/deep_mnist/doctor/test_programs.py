"""Programs as people ask about them: the healthy ones are let through, the faulty ones named, and each fix fixes."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from deep_mnist.doctor.capture.live_call import judge_call
from deep_mnist.doctor.finding import Finding
from tests.support.fixes import FixedCase
from tests.support.programs import first_fit, programs

pytest.importorskip("keras")
pytest.importorskip("tensorflow")

HEALTHY, FAULTY = list(programs("healthy.txt")), list(programs("faulty.txt"))
UNNAMED = {"mse_sigmoid_binary_accuracy"}  # many programs that learn are written so


def graver(findings):
    return [each for each in findings if each.severity in ("error", "warning")]


@cache
def judged(program):
    """Return a program's call of fit and what is found of it; two tests look at one diagnosis, one changes the call."""
    call = first_fit(program)
    return call, graver(judge_call(call, None).findings)


@pytest.mark.parametrize("program", HEALTHY, ids=lambda program: program.name)
def test_a_program_that_learns_is_let_through(program):
    """Neither an error nor a warning."""
    assert judged(program)[1] == []


@pytest.mark.parametrize("program", [each for each in FAULTY if each.name not in UNNAMED], ids=lambda each: each.name)
def test_what_is_wrong_with_a_program_is_named_first(program):
    """The gravest finding has the field that names the cause."""
    assert judged(program)[1][0].field in program.fields


@pytest.mark.parametrize("program", FAULTY, ids=lambda program: program.name)
def test_a_fix_fixes(program):
    """Every line is run, in order, and the doctor asked again: nothing that was fixed is left, and nothing is new."""
    call, found = judged(program)
    if not isinstance(call.x, np.ndarray) or not isinstance(call.y, np.ndarray):
        pytest.skip("multiple inputs or outputs: test_multiple_inputs_and_outputs.py")
    arrays = {"train_images": call.x, "train_labels": call.y}
    if call.validation is not None:
        arrays |= {"test_images": call.validation[0], "test_labels": call.validation[1]}
    case = FixedCase(arrays, call.model)

    fixed = [each for each in found if case.apply(each.fix)]

    sentences = [each for each in found if each not in fixed]
    assert all(is_a_sentence(each) for each in sentences)
    if fixed:
        again = {each.field for each in graver(judged_again(call, case))}
        assert again <= {each.field for each in sentences}


def is_a_sentence(finding: Finding) -> bool:
    """Whether a fix that is no Python says in words what to look at."""
    return finding.fix[:1].isupper() and len(finding.fix.split()) > 4


def judged_again(call, case):
    arrays = case.arrays
    tested = (arrays["test_images"], arrays["test_labels"]) if "test_images" in arrays else None
    changed = replace(call, model=case.model, x=arrays["train_images"], y=arrays["train_labels"], validation=tested,
                      facts={**call.facts, **case.fit})  # fmt: skip
    return judge_call(changed, None).findings
