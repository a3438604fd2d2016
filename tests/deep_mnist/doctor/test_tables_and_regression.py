"""Tables as people have them and numbers as targets: the fault is named first, its fix runs, sound programs pass."""

from __future__ import annotations

import ast
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from deep_mnist import doctor
from deep_mnist.doctor.capture.live_call import judge_call
from tests.support.programs import first_fit, programs

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")
pd = pytest.importorskip("pandas")

FAULTY = [*programs("tables_faulty.txt"), *programs("regression_faulty.txt")]
HEALTHY = [*programs("tables_healthy.txt"), *programs("regression_healthy.txt")]
LAYERS = ("Dense(", "model.compile(")  # test_programs.py rebuilds networks


def graver(call):
    return [each for each in judge_call(call, None).findings if each.severity in ("error", "warning")]


@cache
def judged(program):
    """Return a program's call of fit and what is found of it; two tests look at one diagnosis."""
    call = first_fit(program)
    return call, graver(call)


@pytest.mark.parametrize("program", FAULTY, ids=lambda program: program.name)
def test_the_fault_is_named_first(program):
    assert judged(program)[1][0].rule.code in program.fields


@pytest.mark.parametrize("program", HEALTHY, ids=lambda program: program.name)
def test_a_sound_program_is_let_through(program):
    assert graver(first_fit(program)) == []


@pytest.mark.parametrize("program", FAULTY, ids=lambda program: program.name)
def test_the_fix_runs_on_the_table_itself_and_fit_trains(program):
    """The finding is gone, nothing else appears, and one epoch on what the fix leaves has a finite loss."""
    call, (found, *_) = judged(program)
    try:
        ast.parse(found.fix)
    except SyntaxError:
        pytest.skip("a sentence")
    if found.fix.startswith(LAYERS):
        pytest.skip("a layer")
    space = {"train_images": call.x, "train_labels": call.y, "x": call.x, "y": call.y, "np": np, "pd": pd}
    exec(compile(found.fix.replace("train_images", "x").replace("train_labels", "y"), "<fix>", "exec"), space)

    fixed = replace(call, x=space["x"], y=space["y"])
    call.model.run_eagerly = True  # to trace a graph for a few steps takes longer than they do
    history = call.model.fit(space["x"], space["y"], epochs=1, batch_size=256, verbose=0)

    assert found.rule.code not in {each.rule.code for each in graver(fixed)}
    assert np.isfinite(history.history["loss"][0])


def test_missing_targets_of_validation_alone_spoil_no_weights():
    """What comes of them is told of the validation loss; of train's own targets it is told of the weights."""
    x = np.random.default_rng(0).normal(size=(300, 4)).astype("float32")
    y = x.sum(axis=1)
    y[-1] = np.nan
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")

    (held_out,) = doctor.check(model, x[:200], y[:200], validation_data=(x[200:], y[200:])).findings
    (trained,) = doctor.check(model, x[100:], y[100:]).findings

    assert [held_out.rule.code, held_out.split, trained.rule.code, trained.split] == ["L107", "test", "L107", "train"]
    assert "val_loss" in held_out.why
    assert "all weights" in trained.why
