"""How a network will be trained: optimizer, activations, initial weights, frozen layers, the call to fit."""

from __future__ import annotations

import json

import numpy as np
import pytest

from deep_mnist.doctor.judge import judge_folder
from tests.support.doctor_cases import SPARSE, digits
from tests.support.keras_models import classifier, conv, dense, layer, optimizer, sequential, write_keras


def findings_of(folder, model, *, loss=SPARSE, fit=None, arrays=None, **compiled):
    """Return the findings above a note on digits 0..1."""
    case = digits(400, 160) if arrays is None else digits(400, 160).with_arrays(**arrays)
    case.write(folder)
    write_keras(folder / "model.keras", model, loss, **compiled)
    (folder / "contract.json").write_text(json.dumps({"fit": fit} if fit else {}))
    return [each for each in judge_folder(folder).findings if each.severity in ("error", "warning")]


@pytest.mark.parametrize(
    ("name", "rate", "momentum", "alarmed"),
    [
        ("Adam", 0.1, None, True),
        ("Adam", 0.01, None, False),
        ("AdamW", 3e-4, None, False),
        ("RMSprop", 0.05, None, True),
        ("Adam", 1e-8, None, True),
        ("SGD", 0.1, 0.9, False),
        ("SGD", 0.5, 0.9, True),
        ("SGD", 30.0, None, True),
        ("Adadelta", 0.001, None, True),
        ("Adadelta", 1.0, None, False),
        ("TheirOwn", 5.0, None, False),
    ],
)
def test_rates_are_judged_by_their_optimizer(tmp_path, name, rate, momentum, alarmed):
    """Each optimizer has its own usual rates; of an unknown one nothing is reported."""
    config = {} if momentum is None else {"momentum": momentum}
    found = findings_of(tmp_path, classifier(), optimizer=optimizer(name, rate, **config))

    assert [each.field for each in found] == (["model.optimizer"] if alarmed else [])


def zeros(units, name, activation="relu"):
    started = dense(units, activation, name=name)
    started["config"]["kernel_initializer"] = {"class_name": "Zeros", "config": {}}
    return started


def frozen(model):
    for each in model["config"]["layers"]:
        if each["class_name"] in ("Conv2D", "Dense"):
            each["config"]["trainable"] = False
    return model


@pytest.mark.parametrize(
    ("field", "model"),
    [
        ("model.hidden_activation", sequential(layer("Flatten"), dense(30, "linear"), dense(name="scores"))),
        ("model.hidden_activation", sequential(layer("Flatten"), dense(30, "softmax"), dense(name="scores"))),
        ("model.initializers", sequential(layer("Flatten"), zeros(30, "hidden"), zeros(10, "scores", "softmax"))),
        ("model.trainable", frozen(classifier())),
    ],
)
def test_layers_that_cannot_learn_are_named(tmp_path, field, model):
    """No activation, a softmax inside, weights of one value, everything frozen."""
    assert [each.field for each in findings_of(tmp_path, model)] == [field]


@pytest.mark.parametrize(
    "model",
    [
        sequential(layer("Flatten"), zeros(10, "scores", "softmax")),
        sequential(conv(activation="linear"), layer("MaxPooling2D"), layer("Flatten"), dense()),
        sequential(conv(activation="linear"), layer("TheirOwn"), layer("Flatten"), dense()),
        sequential(conv(), layer("Flatten"), dense(8, "linear"), layer("LeakyReLU"), dense(name="scores")),
    ],
)
def test_usual_networks_are_silent(tmp_path, model):
    """A zero output layer, pooling, layers of unknown classes and activations as layers are no fault."""
    assert findings_of(tmp_path, model) == []


def test_a_squared_error_of_classes_is_named_where_accuracy_is_counted(tmp_path):
    """Mean squared error on a softmax of ten classes, with the metric accuracy."""
    labels = {name: np.eye(10, dtype=np.float32)[digits(400, 160).arrays[name]] for name in
              ("train_labels", "test_labels")}  # fmt: skip
    found = findings_of(tmp_path, classifier(), loss="mse", arrays=labels, metrics=["accuracy"])

    assert [(each.field, each.severity) for each in found] == [("contract.loss", "warning")]


def test_too_few_units_for_the_labels_offer_one_for_each(tmp_path):
    """Labels 0..9, each frequent, for five units: the last layer is offered ten."""
    found = findings_of(tmp_path, classifier(units=5))

    assert [(each.field, each.fix) for each in found] == [("model.output_units", 'Dense(10, activation="softmax")')]


@pytest.mark.parametrize(
    ("fit", "field"),
    [
        ({"epochs": 2, "batch_size": 400}, "fit.batch_size"),
        ({"epochs": 2, "batch_size": 64}, "fit.epochs"),
        ({"epochs": 1, "batch_size": 32}, None),  # who fits one epoch knows it: a note
        ({"epochs": 5, "batch_size": 32}, None),
        ({"epochs": 5, "batch_size": 32, "validation_split": 1.5}, "fit.validation"),
        ({"epochs": 2, "steps_per_epoch": 500}, None),
    ],
)
def test_a_fit_of_a_few_updates_is_named(tmp_path, fit, field):
    """Epochs and batch size that move the weights hardly ever."""
    assert [each.field for each in findings_of(tmp_path, classifier(), fit=fit)] == ([field] if field else [])
