"""One array for a network of two inputs, and one for each."""

import numpy as np

from tests.support.doctor_cases import digits
from tests.support.keras_models import dense, layer
from tests.support.rule_examples import judged


def joined(*before):
    nodes = [{"class_name": "__keras_tensor__", "config": {"keras_history": [each, 0, 0]}} for each in before]
    return [{"args": nodes if len(nodes) == 1 else [nodes], "kwargs": {}}] if nodes else []


def of_two_inputs():
    shapes = {"picture": [None, 28, 28, 1], "place": [None, 4]}
    layers = [layer("InputLayer", name, batch_shape=shape) for name, shape in shapes.items()]
    layers += [layer("Flatten", "flat"), layer("Concatenate", "both", axis=-1), dense(name="classes")]
    before = {"flat": ["picture"], "both": ["flat", "place"], "classes": ["both"]}
    for each in layers:
        name = each["config"]["name"]
        each |= {"name": name, "inbound_nodes": joined(*before.get(name, ()))}
    ends = {"input_layers": [[name, 0, 0] for name in shapes], "output_layers": [["classes", 0, 0]]}
    return {"class_name": "Functional", "config": {"name": "two", "layers": layers, **ends}}


def fires():
    return judged(digits().with_net(of_two_inputs()))


def silent():
    case = digits().with_net(of_two_inputs())
    places = {name: np.random.default_rng(0).random((len(case.arrays[f"{name}_images"]), 4), np.float32)
              for name in ("train", "test")}  # fmt: skip
    return judged(case.with_arrays(**{f"{name}_images_place": array for name, array in places.items()}))
