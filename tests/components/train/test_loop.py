"""The compiled loop: the same numbers whichever way the steps are run."""

from __future__ import annotations

import io
import itertools
import os
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from rich.console import Console

from components.train.augment import Warp, random_maps, warp_images
from components.train.device import Device, NoUsableGPUError, compute_on, find_device, multiplies_bfloat16, within
from components.train.examples.chunks import MOST_STEPS, read_chunks, steps_in_chunk
from components.train.examples.order import one_cycle
from components.train.examples.split import TrainingSplit
from components.train.loop import Loop, correct
from components.train.networks import NETWORKS, Recipe
from components.train.shown.progress import Report
from components.train.trainee import Trainee, built_in_trainee, own_trainee
from deep_mnist.contract.load import load_contract, resolve_contract
from deep_mnist.processes import run_module
from tests.support.training_data import patterns

ROOT = Path(__file__).resolve().parents[3]
CPU = Device("CPU", ("CPU",), jit=False, bfloat16=False)
XLA = Device("GPU", ("a CPU that stands in",), jit=True, bfloat16=False)
WARP = Warp(1.5, 8, 0.08, 0.08)


def split(count: int = 256) -> TrainingSplit:
    return TrainingSplit(*patterns(count, 0))


def small() -> keras.Model:
    """Return a network with the kinds of layers that `fast` has."""
    model = keras.Sequential([
        keras.Input((28, 28, 1), dtype="uint8"), layers.Rescaling(1 / 255), layers.Conv2D(8, 5, strides=4),
        layers.BatchNormalization(), layers.ReLU(), layers.Flatten(), layers.Dense(10, activation="softmax"),
    ])  # fmt: skip
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def trained(
    device: Device,
    *,
    resident: bool = True,
    cuts: tuple[int, ...] = (),
    bfloat16: bool = False,
    batch: int = 32,
    examples: TrainingSplit | None = None,
) -> Trainee:
    """Train for one epoch, of eight steps unless `examples` make more, in as many calls as `cuts` make."""
    keras.utils.set_random_seed(0)
    trainee = built_in_trainee(small(), bfloat16=bfloat16)
    recipe = Recipe(epochs=1, batch=batch, peak_rate=0.05, warp=WARP)
    loop = Loop(trainee, recipe, examples or split(), seed=0, device=device, resident=resident)
    points = (0, *cuts, loop.steps_per_epoch)
    for first, last in itertools.pairwise(points):
        loop.run(0, first, last)
    return trainee


def weights_of(trainee: Trainee) -> list[np.ndarray]:
    return trainee.finish().get_weights()


def largest_difference(one: Trainee, other: Trainee) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(weights_of(one), weights_of(other), strict=True))


def test_how_often_the_loop_is_left_changes_nothing() -> None:
    """One call of eight steps and three calls give the very same weights."""
    assert largest_difference(trained(CPU), trained(CPU, cuts=(1, 6))) == 0


def test_streamed_data_train_as_resident_data() -> None:
    """Examples read while the steps before are computed give the very weights that data on the device give."""
    assert largest_difference(trained(CPU), trained(CPU, resident=False, cuts=(3,))) == 0


def test_the_border_between_two_chunks_changes_nothing() -> None:
    """An epoch of more steps than one chunk holds gives the very weights that data on the device give."""
    examples = split(16 * (MOST_STEPS + 6))
    ways = [trained(CPU, resident=resident, batch=16, examples=examples) for resident in (True, False)]
    assert steps_in_chunk(examples, 16) == MOST_STEPS
    assert largest_difference(*ways) == 0


def test_chunks_hold_the_examples_of_their_steps() -> None:
    """Pieces give every step its rows, in the requested order, and all have one shape."""
    examples = TrainingSplit(np.arange(100, dtype=np.float32)[:, None], np.arange(100))
    order = np.random.default_rng(0).permutation(100)[:84].reshape(7, 12)
    chunks = list(read_chunks(examples, order, 3))
    assert [start for start, _ in chunks] == [0, 3, 6]
    assert {(chunk.images.shape, chunk.labels.shape) for _, chunk in chunks} == {((36, 1), (36,))}
    np.testing.assert_array_equal(np.concatenate([chunk.labels for _, chunk in chunks])[:84], order.reshape(-1))
    np.testing.assert_array_equal(chunks[2][1].images[:12, 0], order[6])


def test_a_chunk_of_large_examples_is_small() -> None:
    """However large an example, a chunk stays near its limit, and holds at least one step."""
    large = np.broadcast_to(np.float32(0), (64, 1 << 20))  # 4 MiB an example
    assert steps_in_chunk(TrainingSplit(large, np.zeros(64)), 4) == 3
    assert steps_in_chunk(TrainingSplit(large, np.zeros(64)), 32) == 1


@pytest.mark.parametrize("resident", [True, False])
def test_the_loop_compiled_by_xla_trains_as_the_plain_one(resident: bool) -> None:
    """The loop that runs on a GPU, compiled here for the CPU, agrees with the plain graphs."""
    assert largest_difference(trained(CPU, resident=resident), trained(XLA, resident=resident)) < 5e-3


def test_the_compiled_loop_multiplies_in_bfloat16() -> None:
    """Mixed bfloat16 under XLA trains as float32 does, but for its precision."""
    assert largest_difference(trained(XLA), trained(XLA, bfloat16=True)) < 0.05


def test_a_network_that_xla_cannot_compile_trains_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """A user's network with an operation that XLA lacks is trained in plain graphs, and a line says so."""
    rotation = layers.RandomRotation(0.1)
    model = keras.Sequential([keras.Input((28, 28, 1)), rotation, layers.Flatten(), layers.Dense(10)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    images, labels = patterns(64, 0)
    data = TrainingSplit((images / 255).astype(np.float32), labels)
    loop = Loop(own_trainee(model), Recipe(epochs=1), data, seed=0, device=XLA)
    loop.run(0, 0, loop.steps_per_epoch)
    assert "plain graphs instead" in capsys.readouterr().out
    assert loop.sums.numpy()[2] == 64


def test_the_size_for_a_gpu_keeps_the_contract(tmp_path: Path) -> None:
    """What `fast` is on a GPU takes and gives what the checked-in contract says."""
    NETWORKS["fast"].sized_for("GPU").build().save(tmp_path / "fast.keras")
    contract = load_contract(tmp_path / "fast.keras")
    small = resolve_contract("fast")  # of another depth, which is no demand on the data
    assert replace(contract, norm_layers=(), architecture=small.architecture) == replace(small, norm_layers=())
    assert all(layer.axis == 3 for layer in contract.norm_layers)


@pytest.mark.skipif(
    not multiplies_bfloat16(["avx512_bf16"], os.environ), reason="oneDNN is held to what has no bfloat16"
)
def test_the_twin_answers_as_the_network_that_is_saved() -> None:
    """After training in bfloat16 the saved float32 network gives the twin's probabilities."""
    trainee = trained(CPU, bfloat16=True)
    images = patterns(50, 3)[0]
    saved = trainee.finish()(images, training=False)
    assert saved.dtype == tf.float32 and all(weight.dtype == "float32" for weight in trainee.final.weights)
    np.testing.assert_allclose(saved, tf.nn.softmax(trainee.model(images, training=False)), atol=0.05)


def test_fused_normalization_is_batch_normalization() -> None:
    """In training the fused kernel gives the outputs and the running averages of Keras' own layer."""
    network = NETWORKS["fast"].build()
    twin = built_in_trainee(network, bfloat16=False).model
    images = patterns(64, 1)[0]
    ours, theirs = tf.nn.softmax(twin(images, training=True)), network(images, training=True)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    for a, b in zip(twin.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=0.02, atol=1e-4)  # the kernel's variance is the unbiased one


def draws(count: int) -> tf.Tensor:
    return tf.constant(np.random.default_rng(0).uniform(-1, 1, (5, count)).astype(np.float32))


def test_both_ways_of_warping_agree() -> None:
    """TensorFlow's kernel and the gathers that XLA can compile read the same pixels."""
    images = tf.constant(patterns(16, 0)[0].astype(np.float32))
    maps = random_maps(WARP, draws(16), 28)
    by_kernel, gathered = warp_images(images, maps, jit=False), warp_images(images, maps, jit=True)
    np.testing.assert_allclose(by_kernel, gathered, atol=2e-3)
    assert float(tf.reduce_mean(tf.abs(by_kernel - images))) > 1


def test_a_warp_of_nothing_changes_nothing() -> None:
    """Maps without shift, rotation, scale and shear give back the images."""
    images = tf.constant(patterns(4, 0)[0])
    maps = random_maps(Warp(), draws(4), 28)
    np.testing.assert_array_equal(warp_images(images, maps, jit=False), images)


def test_the_rate_rises_and_falls() -> None:
    """The one-cycle schedule reaches its peak once and ends near zero."""
    rates = one_cycle(0.1, 100, 0.2)
    assert rates.argmax() in (19, 20) and rates.max() == pytest.approx(0.1) and 0 < rates[-1] < 0.01


@pytest.mark.parametrize("labels", [[1, 0], [[0.0, 1.0], [1.0, 0.0]], [[1], [0]]])
def test_hits_are_counted_for_every_encoding(labels: list) -> None:
    """Sparse labels, one-hot labels and a column of labels count the same correct predictions."""
    assert float(correct(tf.constant(labels), tf.constant([[0.1, 0.9], [0.2, 0.8]]))) == 1


def test_a_kernel_proves_its_device() -> None:
    """The preflight computes on the requested device, and a device that is not there fails."""
    compute_on("/CPU:0")
    assert within(30, lambda: compute_on("/GPU:7")) != ""


def test_a_device_that_hangs_is_given_up() -> None:
    """A kernel that does not end in time is a reason, not a hanging step."""
    import threading

    never = threading.Event()
    assert "did not end within" in within(0.05, lambda: never.wait(5) and None)


def test_one_line_says_what_it_runs_on(capsys: pytest.CaptureFixture[str]) -> None:
    """Without require_gpu the CPU is taken, with one line that says so and why no GPU is."""
    device = find_device(require_gpu=False)
    (line,) = capsys.readouterr().out.splitlines()
    assert device.kind == "CPU" and line.startswith("device: 1 x CPU") and "no GPU:" in line


def test_a_required_gpu_is_missed_with_the_reason() -> None:
    """With require_gpu the reason and the fix are shown."""
    with pytest.raises(NoUsableGPUError, match=r"Expected a GPU.*Received:.*GPU=0"):
        find_device(require_gpu=True)


RECORD = {"epoch": 1, "loss": 1.0, "accuracy": 0.5, "val_loss": 1.0, "val_accuracy": 0.5, "seconds": 1.0,
          "images_per_second": 9.0}  # fmt: skip


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_a_bar_on_a_terminal_only(terminal: bool) -> None:
    """A terminal shows a bar of steps; anything else gets one plain line an epoch."""
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=terminal, width=120, highlight=False)
    with Report(10, 1, console) as report:
        report.step(5, {"loss": 1.0, "accuracy": 0.5})
        report.epoch(RECORD)
    assert ("━" in shown.getvalue()) is terminal
    assert "epoch 1/1 loss 1.0000" in shown.getvalue()
    if not terminal:
        assert len(shown.getvalue().splitlines()) == 1


SEVERAL = """
import sys
import keras, numpy as np, tensorflow as tf
from components.train.device import Device
from components.train.loop import Loop
from components.train.networks import NETWORKS, Recipe
from components.train.examples.split import TrainingSplit
from components.train.trainee import built_in_trainee, own_trainee
from tests.support.training_data import patterns

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
images, labels = patterns(256, 0)
data = TrainingSplit((images / 255).astype(np.float32), np.eye(10, dtype=np.float32)[labels])

def train(strategy, own, resident):
    keras.utils.set_random_seed(0)
    recipe = Recipe(epochs=1, batch=32, peak_rate=0.0 if own else 1e-3)
    device = Device("CPU", ("CPU",), False, False)
    def make():
        network = NETWORKS["example2"].build()
        return own_trainee(network) if own else built_in_trainee(network, bfloat16=False)
    if strategy:
        with strategy.scope():
            trainee = make()
    else:
        trainee = make()
    loop = Loop(trainee, recipe, data, seed=0, device=device, resident=resident, strategy=strategy)
    loop.run(0, 0, 3)
    state = loop.state()
    loop.run(0, 3, 5)
    loop.restore(state)
    loop.run(0, 3, loop.steps_per_epoch)
    return trainee.finish().get_weights(), loop.results()

for own, resident in ((False, True), (True, True), (False, False)):
    one, results = train(None, own, resident)
    both, both_results = train(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), own, resident)
    for a, b in zip(one, both):
        np.testing.assert_allclose(a, b, atol=2e-4)
    for name in ("loss", "accuracy"):
        np.testing.assert_allclose(results[name], both_results[name], rtol=1e-3)
print("agree")
"""


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_processes")
def test_several_devices_train_as_one(tmp_path: Path) -> None:
    """MirroredStrategy over two devices gives the weights of one device, resident or streamed, and can be resumed."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}
    (tmp_path / "several.py").write_text(SEVERAL)
    ended = run_module("several", [], environment=environment, folder=tmp_path)
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert "agree" in ended.stdout
