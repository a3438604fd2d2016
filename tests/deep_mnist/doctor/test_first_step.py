"""The first step of fit, tried: what it would raise is named, sound programs are let through, nothing is changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from deep_mnist.doctor import check

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")


def data() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.random((120, 8, 8, 1)).astype("float32"), random.integers(0, 3, 120)


def network(*layers: Any) -> Any:
    model = keras.Sequential([*layers, keras.layers.Dense(3, activation="softmax")])
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    return model


class MadeInCall(keras.Model):  # type: ignore[misc]
    def call(self, inputs: Any) -> Any:
        return keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(inputs))


class Sound(keras.Model):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.blocks = [keras.layers.Conv2D(4, 3, activation="relu"), keras.layers.BatchNormalization()]
        self.scores = keras.layers.Dense(3, activation="softmax")

    def call(self, inputs: Any, training: bool = False) -> Any:
        for block in self.blocks:
            inputs = block(inputs, training=training) if "norm" in block.name else block(inputs)
        return self.scores(keras.layers.Flatten()(inputs))


def compiled(model: Any) -> Any:
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    return model


def of_first_step(model: Any) -> list[Any]:
    images, labels = data()
    diagnosis = check(model, images, labels, epochs=20)
    assert not diagnosis.broken
    return [each for each in diagnosis.findings if each.rule.code == "E121"]


def test_a_sequential_without_input_is_tried() -> None:
    """The pooling that leaves nothing is named with its size before fit builds the network."""
    pool = keras.layers.MaxPooling2D
    found = of_first_step(network(keras.layers.Conv2D(4, 3), pool(4), pool(4), keras.layers.Flatten()))

    assert [each.received for each in found] and "1 x 1 is left" in found[0].received
    assert 'padding="same"' in found[0].fix


def test_a_convolution_of_steps_on_pictures_is_named_with_its_axes() -> None:
    found = of_first_step(network(keras.layers.Conv1D(4, 3), keras.layers.GlobalMaxPooling1D()))

    assert [each.expected for each in found] and "(batch, steps, channels)" in found[0].expected


def test_layers_made_in_call_are_named_once() -> None:
    """The source tells; that the first step raises for it is a mere consequence."""
    found = check(compiled(MadeInCall()), *data(), epochs=20).findings

    assert [each.rule.code for each in found if each.severity == "error"] == ["P074"]


@pytest.mark.parametrize("make", [
    lambda: compiled(Sound()),
    lambda: network(keras.layers.Conv2D(4, 3), keras.layers.Dropout(0.3), keras.layers.Flatten()),
    lambda: network(keras.Input((8, 8, 1)), keras.layers.Flatten()),
], ids=["subclassed", "unbuilt", "built"])  # fmt: skip
def test_a_sound_model_is_let_through_and_trains_afterwards(make: Any) -> None:
    """Not built where it was not; the same weights where it was; its own fit runs as if nobody had asked."""
    model = make()
    images, labels = data()
    before = (model.built, sorted(vars(model)), [each.built for each in model.layers], model.get_weights())

    assert of_first_step(model) == []

    after = (model.built, sorted(vars(model)), [each.built for each in model.layers], model.get_weights())
    assert before[:3] == after[:3]
    assert all(np.array_equal(one, two) for one, two in zip(before[3], after[3], strict=True))
    model.fit(images, labels, epochs=1, verbose=0)


class CountedBuilds(keras.layers.Dense):  # type: ignore[misc]
    count = 0

    def build(self, input_shape: Any) -> None:
        type(self).count += 1
        super().build(input_shape)


class OfOwnLayers(Sound):
    def __init__(self) -> None:
        super().__init__()
        self.scores = CountedBuilds(3, activation="softmax")


def test_an_unbuilt_model_is_built_once_for_all_that_run_it() -> None:
    """Each check that runs it finds it built; the judgement of its structure builds it too, before."""
    CountedBuilds.count = 0
    of_first_step(compiled(OfOwnLayers()))

    assert CountedBuilds.count <= 2


def test_the_next_layers_name_is_what_it_would_have_been() -> None:
    keras.utils.clear_session()
    model = network(keras.layers.Conv2D(4, 3), keras.layers.Flatten())
    of_first_step(model)

    assert keras.layers.Dense(1).name == "dense_1"


class OldBackend(keras.Model):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.scores = keras.layers.Dense(3, activation="softmax")

    def call(self, inputs: Any) -> Any:
        return self.scores(keras.backend.batch_flatten(inputs))


def test_a_name_that_is_gone_is_named_before_fit_meets_it() -> None:
    """A class calls what keras.backend had before Keras 3."""
    (found,) = of_first_step(compiled(OldBackend()))

    assert "batch_flatten" in found.expected
