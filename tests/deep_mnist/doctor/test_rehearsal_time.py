"""Time ends, it never decides: slow loaders and a loaded machine change no finding; lengths are never counted."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from deep_mnist.doctor import check
from deep_mnist.doctor.rehearsal.rehearse import rehearse
from tests.support.digits import draw_digits
from tests.support.doctor_commands import doctors

ROOT = Path(__file__).resolve().parents[3]
BUSY = 20
BUSY_LOOP = "import os; parent = os.getppid()\nwhile os.getppid() == parent: pass"  # ends with whoever started it
SCRIPTS = ("dataset", "subclassed", "sequence_raw", "in_functions", "validation_not_scaled")


def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((28, 28)), layers.Flatten(), layers.Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def digits(count: int = 960) -> tuple[np.ndarray, np.ndarray]:
    images, labels = draw_digits(count, seed=3)
    return (images / 255).astype(np.float32), labels


class Batches(keras.utils.PyDataset):
    """Digits in batches of 32, each after some time."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__()
        self.arrays, self.seconds = digits(), seconds

    def __len__(self) -> int:
        return 30

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        time.sleep(self.seconds)  # a loader as slow as those that read files over a network
        return tuple(array[32 * index :][:32] for array in self.arrays)


def words(findings) -> list[str]:
    """Return the findings but for the note that tells measured times."""
    return [each.sentence() for each in findings if each.rule.code != "R002"]


def codes(diagnosis) -> set[str]:
    return {each.rule.code for each in diagnosis.findings}


def test_a_loader_of_a_quarter_of_a_second_a_batch_gets_the_same_findings():
    """As many examples are drawn, and two epochs of 30 batches are not called few updates."""
    slow, quick = (check(network(), Batches(seconds), epochs=2) for seconds in (0.25, 0.0))

    assert len(slow.case.train.images) == len(quick.case.train.images) == 960
    assert words(slow.findings) == words(quick.findings)
    assert "P003" not in codes(slow)


def test_a_datasets_own_length_tells_the_updates():
    """3,200 batches behind a sample of 2,048 examples are many; 5 are few."""
    many, few = (tf.data.Dataset.from_tensor_slices(digits(160)).repeat(times).batch(32) for times in (640, 1))
    many = many.map(lambda x, y: (x, y))

    assert "P003" not in codes(check(network(), many, epochs=1))
    assert "P003" in codes(check(network(), few, epochs=1))


def test_an_unknown_length_is_not_counted_from_the_sample():
    """A generator says nothing of its length."""
    x, y = digits(64)
    unknown = tf.data.Dataset.from_generator(
        lambda: iter([(x[:32], y[:32]), (x[32:], y[32:])]),
        output_signature=(tf.TensorSpec((None, 28, 28), tf.float32), tf.TensorSpec((None,), tf.int64)),
    )

    assert "P003" not in codes(check(network(), unknown, epochs=1))


@pytest.mark.parametrize("limit", [{"work": 1.0}, {"steps": 5}, {"seconds": 0.0}], ids=lambda limit: next(iter(limit)))
def test_what_the_limits_leave_open_is_a_note(limit):
    """Not judged for want of time: no error and no warning, of a network that would have one; a cost only of steps."""
    keras.utils.set_random_seed(0)
    model = network()
    model.optimizer.learning_rate = 1e4

    found = rehearse(model, *digits(), **limit).findings

    assert {each.severity for each in found} == {"note"}
    assert [each.rule.code for each in found] == ["R003", *(["R002"] if "steps" in limit else [])]
    assert "not judged for want of time" in found[0].received


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Keep every core busy with so many processes, which end with the block."""
    loops = [subprocess.Popen([sys.executable, "-c", BUSY_LOOP]) for _ in range(count)]
    try:
        yield
    finally:
        for each in loops:
            each.kill()
        for each in loops:
            each.wait()


def rehearsed_scripts(folder: Path) -> dict[str, tuple[int, list[str]]]:
    """Return exit status and findings of each script, by the command, rehearsed."""
    scripts = Path(__file__).with_name("scripts")
    runs = {name: [str(scripts / f"{name}.py"), "--rehearse", "--json"] for name in SCRIPTS}
    ended = doctors(runs, folder)
    said = {
        name: [json.dumps(each) for each in run.reported["findings"] if each["rule"] != "R002"]
        for name, run in ended.items()
    }
    return {name: (ended[name].status, said[name]) for name in SCRIPTS}


@pytest.mark.load
@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("fresh_processes")
def test_twenty_busy_processes_change_no_word(tmp_path: Path):
    """The same scripts get the same exit status and the same findings, word for word, beside them."""
    (images, labels), (x_test, y_test) = draw_digits(600, 0), draw_digits(200, 1)
    np.savez(tmp_path / "digits.npz", x_train=images, y_train=labels, x_test=x_test, y_test=y_test)
    alone = rehearsed_scripts(tmp_path)

    with busy(BUSY):
        beside = rehearsed_scripts(tmp_path)

    assert beside == alone
