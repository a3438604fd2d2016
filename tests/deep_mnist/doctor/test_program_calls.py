"""Programs whose call of fit is wrong around the arrays: metrics, callbacks, schedules, weights, lengths, layers."""

from __future__ import annotations

import random
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest

from deep_mnist.doctor.capture.fit_call import FitCall
from deep_mnist.doctor.capture.live_call import judge_call
from deep_mnist.doctor.diagnosis import Diagnosis
from tests.support.fixed_calls import fixed, trained
from tests.support.programs import Program, every_fit, first_fit, programs
from tests.support.programs import judged as judged_where_it_stands

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")

HEALTHY = [*programs("watched_healthy.txt"), *programs("arguments_healthy.txt")]
FAULTY = [*programs("watched_faulty.txt"), *programs("arguments_faulty.txt")]


def named(program):
    return program.name


GRAVE, ALL = ("error", "warning"), ("error", "warning", "note")


def found_of(diagnosis, severities):
    assert not diagnosis.broken, diagnosis.broken
    return [each for each in diagnosis.findings if each.severity in severities]


class JudgedCall(NamedTuple):
    """A program's first call of fit, the diagnosis of it, and what a fit would find before that and afterwards."""

    call: FitCall
    diagnosis: Diagnosis
    before: tuple[Any, ...]
    after: tuple[Any, ...]


@cache
def judged(program):
    """Judge a program's call once, for the tests that look at what came of it; the last one applies its fix."""
    call = first_fit(program)
    before = state_of(call.model)
    diagnosis = judge_call(call, None)
    return JudgedCall(call, diagnosis, before, state_of(call.model))


@pytest.mark.parametrize("program", HEALTHY, ids=named)
def test_a_sound_call_raises_no_alarm(program):
    """Neither an error nor a warning, and no check that breaks."""
    assert found_of(judged(program).diagnosis, GRAVE) == []


@pytest.mark.parametrize("program", FAULTY, ids=named)
def test_the_cause_is_named_first(program):
    """The gravest finding is the rule of the program's fault; a note, where training itself is sound."""
    assert found_of(judged(program).diagnosis, ALL)[0].rule.code in program.fields


@pytest.mark.parametrize("program", FAULTY, ids=named)
def test_the_fix_runs_and_mends(program, tmp_path, monkeypatch):
    """The line is applied: the doctor no longer names the fault, and Keras trains with it for two epochs."""
    monkeypatch.chdir(tmp_path)
    call, diagnosis, *_ = judged(program)
    found = found_of(diagnosis, ALL)[0]

    mended = fixed(call, found.fix, call.names)

    if mended is None:
        assert found.fix[:1].isupper() and len(found.fix.split()) > 4
        return
    assert found.rule.code not in {each.rule.code for each in found_of(judge_call(mended, None), ALL)}
    assert np.isfinite(trained(mended).history["loss"]).all()


@pytest.mark.parametrize("program", [*HEALTHY, *FAULTY], ids=named)
def test_judging_changes_nothing(program):
    """Weights, optimizer, metrics' values, generators of numbers and Keras's counters of names stay as they are."""
    assert judged(program).after == judged(program).before


def state_of(model):
    """What a fit would find: all variables, the rate, the generators and the next name."""
    from keras.src.backend.common import global_state

    weights = [np.asarray(each).tobytes() for each in model.weights]
    optimizer = [np.asarray(each).tobytes() for each in model.optimizer.variables]
    metrics = [np.asarray(each).tobytes() for metric in model.metrics for each in metric.variables]
    names = dict(global_state.get_global_attribute("object_name_uids") or {})
    return weights, optimizer, metrics, random.getstate(), np.random.get_state()[1].tobytes(), names


# --- several fits -------------------------------------------------------------------------------------------

SOUND_FITS, FAULTY_FITS = [*programs("fits_healthy.txt")], [*programs("fits_faulty.txt")]
OF_FITS = {"P060", "P061", "P062", "P063", "M062"}


def codes_of_fits(program, ran):
    keras.utils.set_random_seed(0)
    diagnoses = every_fit(program, ran=ran)
    assert not any(each.broken for each in diagnoses)
    return [{each.rule.code for each in one.findings if each.severity in ("error", "warning")} for one in diagnoses]


@pytest.mark.parametrize("ran", [True, False], ids=["ran", "judged only"])
@pytest.mark.parametrize("program", SOUND_FITS, ids=named)
def test_sound_fits_in_turn_raise_no_alarm_of_each_other(program, ran):
    """No rule that looks at earlier fits speaks, whether these were made or not."""
    assert not set().union(*codes_of_fits(program, ran)) & OF_FITS


@pytest.mark.parametrize("ran", [True, False], ids=["ran", "judged only"])
@pytest.mark.parametrize("program", FAULTY_FITS, ids=named)
def test_what_is_wrong_between_fits_is_named_from_the_second_on(program, ran):
    """The first fit is let through; a later one is named for what it shares with those before."""
    first, *later = codes_of_fits(program, ran)

    assert not first & OF_FITS
    assert set(program.fields) & set().union(*later)


@pytest.mark.parametrize("program", FAULTY_FITS, ids=named)
def test_the_fix_of_a_later_fit_runs_and_mends(program):
    """The line is applied before that fit: the doctor no longer names the fault, and Keras trains."""
    mended = []

    def mend(call, diagnosis):
        found = [each for each in diagnosis.findings if each.rule.code in program.fields]
        if found and not mended:
            again = fixed(call, found[0].fix)
            assert again is not None, found[0].fix
            assert found[0].rule.code not in {each.rule.code for each in found_of(judge_call(again, None), GRAVE)}
            mended.append(np.isfinite(trained(again).history["loss"]).all())

    every_fit(program, ran=True, seen=mend)

    assert mended == [True]


def test_what_a_library_makes_of_the_data_gets_no_name_of_the_program():
    """Nor the arguments of the program's line, which are the library's; the fix is told in words."""
    library = "def learn(wrapped, rows, numbers): wrapped().fit(rows, np.eye(3)[numbers])"
    text = f"""\
import keras, numpy as np
exec(compile({library!r}, "/home/site-packages/learning.py", "exec"))
x, y = np.random.default_rng(0).normal(size=(90, 4)).astype("float32"), np.arange(90) % 3
def net():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model
learn(net, x, y)
"""
    diagnosis = judged_where_it_stands(Program("wrapped", text, ()))
    found = next(each for each in diagnosis.findings if each.rule.code == "L121")

    assert found.fix.startswith("Do this to what learn(net, x, y) gives the network")
    assert diagnosis.origin.line == 8 and diagnosis.origin.variables["train_images"].expression == "x"


def test_a_misspelt_name_of_validation_becomes_one_that_is_logged_of_validation():
    (program,) = (each for each in FAULTY if each.name == "stopped_by_the_loss_of_validation_misspelt")

    (found,) = (each for each in judged(program).diagnosis.findings if each.rule.code == "P020")

    assert 'monitor="val_loss"' in found.fix
