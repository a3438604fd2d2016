"""Each form predicts as the network does, with the preparation and the temperature inside."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from deep_mnist.calibration import Calibration
from deep_mnist.export import TrainedNetwork, network_input
from deep_mnist.forms.convert import convert
from deep_mnist.forms.execute import open_form
from deep_mnist.forms.form import FORMS, LITERT_INT8, ONNX
from tests.support.digits import draw_digits
from tests.support.trained import make_record

RECORDS = {
    "raw": {},
    "flat": {"layout": "flat", "image_shape": (784,), "dtype": "float32", "scale": 2 / 255, "offset": -1.0},
    "prepared": {"dtype": "float32", "scale": 1 / 255, "prepared": True},
}


def network_of(record_name: str, last: str, temperature: float) -> TrainedNetwork:
    """Return a network of a convolution and a dense layer that has learned a little."""
    record = make_record(**RECORDS[record_name])
    units = 1 if last == "sigmoid" else 10
    stack = [keras.Input(record.image_shape, dtype=record.dtype)]
    stack += [keras.layers.Rescaling(1 / 255)] if record.dtype == "uint8" else []
    stack += [keras.layers.Reshape((28, 28, 1)), keras.layers.Conv2D(8, 5, strides=2, activation="relu")]
    stack += [keras.layers.BatchNormalization(), keras.layers.Flatten(), keras.layers.Dense(units, activation=last)]
    model = keras.Sequential(stack)
    images, labels = draw_digits(600, seed=7)
    loss = (
        keras.losses.BinaryCrossentropy()
        if units == 1
        else keras.losses.SparseCategoricalCrossentropy(last == "linear")
    )
    model.compile(keras.optimizers.Adam(0.01), loss)
    model.fit(network_input(images, record), labels % 2 if units == 1 else labels, epochs=4, verbose=0)
    return TrainedNetwork(model, record, Calibration(temperature))


@pytest.mark.parametrize(
    ("record", "last", "temperature"), [("raw", "softmax", 0.6), ("flat", "linear", 2.0), ("prepared", "sigmoid", 1.0)]
)
def test_every_form_predicts_as_the_network_does(tmp_path: Path, record: str, last: str, temperature: float) -> None:
    """ONNX and LiteRT to the fourth digit, 8-bit integers nearly, for any number of images at a time."""
    network = network_of(record, last, temperature)
    raw, _ = draw_digits(130, seed=8)
    taken = network_input(raw, network.record) if network.record.prepared else raw
    expected = network.predict(taken, raw=not network.record.prepared)

    for form in FORMS.values():
        convert(network, form, tmp_path / form.file, taken[:100])
        run = open_form(form, tmp_path / form.file)
        predicted = run(taken)

        assert predicted.shape == expected.shape and run(taken[:1]).shape == (1, expected.shape[1])
        if form is LITERT_INT8:
            assert (predicted.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.85
            assert np.abs(predicted - expected).mean() < 0.05
        else:
            np.testing.assert_allclose(predicted, expected, atol=1e-4)


def test_the_integer_form_takes_and_gives_bytes(tmp_path: Path) -> None:
    """Its input is the raw pixels, its output 256 levels, and no operation in between is one of floats."""
    from ai_edge_litert.interpreter import Interpreter

    raw, _ = draw_digits(100, seed=8)
    convert(network_of("raw", "softmax", 0.6), LITERT_INT8, tmp_path / "int8", raw)
    interpreter = Interpreter(str(tmp_path / "int8"))
    interpreter.allocate_tensors()
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()

    assert (np.uint8, np.uint8) == (taken["dtype"], given["dtype"])
    assert taken["quantization"] == pytest.approx((1.0, 0), abs=0.02)
    assert np.float32 not in {tensor["dtype"] for tensor in interpreter.get_tensor_details()}


def test_onnx_gives_what_the_signature_gives(tmp_path: Path) -> None:
    """Input and outputs have the names and types of `serving_default`."""
    import onnxruntime

    raw, _ = draw_digits(20, seed=8)
    network = network_of("flat", "linear", 2.0)
    convert(network, ONNX, tmp_path / "onnx", raw)
    session = onnxruntime.InferenceSession(str(tmp_path / "onnx"))
    found = dict(zip([each.name for each in session.get_outputs()], session.run(None, {"images": raw}), strict=True))

    assert {"class", "probabilities", "outputs"} == set(found) and np.int64 == found["class"].dtype
    np.testing.assert_allclose(found["outputs"], network.outputs(raw, raw=True), atol=1e-4)
    assert (found["class"] == network.predict(raw, raw=True).argmax(axis=1)).all()
