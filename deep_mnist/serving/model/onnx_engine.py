"""The engine for a version's ONNX form: the same predictions by onnxruntime, in a process without TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deep_mnist.data.dataset import Preprocessing
from deep_mnist.export import BATCH, raw_shape
from deep_mnist.forms.form import ONNX
from deep_mnist.serving.model.input_form import DEFAULT_SIGNATURE, InputForm, Sides
from deep_mnist.serving.model.served_model import (
    Arrays,
    BrokenVersionError,
    LoadedForm,
    ServedSignature,
    UnsuitableInputError,
)

# Element types of ONNX by numpy's names, where these differ.
_NUMPY = {"float": "float32", "double": "float64", "float16": "float16"}
# As TensorFlow names them in a description of signatures.
_TENSORFLOW = {"float32": "DT_FLOAT", "float64": "DT_DOUBLE", "float16": "DT_HALF"}


def onnx_engine(folder: Path, record: Preprocessing) -> LoadedForm:
    """Return model.onnx, which has `serving_default` alone, described as TensorFlow Serving would.

    Raises:
        BrokenVersionError: The version was published without this form.
        ImportError: onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        raise ImportError(
            "Expected onnxruntime for --engine onnx. Received: not installed. "
            "Fix: pip install 'deep-mnist[serving-onnx]'"
        ) from None
    path = folder / ONNX.file
    if not path.is_file():
        raise BrokenVersionError(
            f"Expected {ONNX.file} in the version. Received: a version published without it. "
            "Fix: run with --forms onnx, or serve with --engine tensorflow"
        )
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (taken,), given = session.get_inputs(), session.get_outputs()
    form = InputForm(taken.name, np.dtype(_dtype(taken)), _shapes(record))
    signature = ServedSignature(form, _call_of(session, form, raw=not record.prepared))
    described = {
        "inputs": {taken.name: _described(taken)},
        "outputs": {each.name: _described(each) for each in given},
        "method_name": "tensorflow/serving/predict",
    }
    return LoadedForm("onnxruntime_onnx", {DEFAULT_SIGNATURE: signature}, {DEFAULT_SIGNATURE: described})


def _call_of(session: Any, form: InputForm, *, raw: bool) -> Any:
    from onnxruntime.capi import onnxruntime_pybind11_state as states

    names = [each.name for each in session.get_outputs()]
    refused = (states.InvalidArgument, states.RuntimeException, states.Fail)

    def call(images: np.ndarray) -> Arrays:
        fed = images.reshape(len(images), *form.shapes[0]) if raw else images
        try:
            parts = [session.run(names, {form.name: fed[i : i + BATCH]}) for i in range(0, max(1, len(fed)), BATCH)]
        except refused as error:
            raise UnsuitableInputError(images.shape, str(error).splitlines()[0][:200]) from None
        return {name: _joined(values) for name, values in zip(names, zip(*parts, strict=True), strict=True)}

    return call


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return the batches as one; int64 comes as C's long long, an equal type that orjson does not know."""
    joined = np.concatenate(parts)
    values: np.ndarray = joined.view(joined.dtype.name)
    return values


def _shapes(record: Preprocessing) -> tuple[Sides, ...]:
    """Return the shapes of one example; raw images come with and without a channel axis."""
    if record.prepared:
        return (tuple(side or None for side in record.image_shape),)
    rows, columns = raw_shape(record)
    return (rows, columns), (rows, columns, 1)


def _dtype(tensor: Any) -> str:
    name: str = tensor.type.removeprefix("tensor(").removesuffix(")")
    return _NUMPY.get(name, name)


def _described(tensor: Any) -> dict[str, Any]:
    dtype = _dtype(tensor)
    sides = [{"size": str(side) if isinstance(side, int) else "-1", "name": ""} for side in tensor.shape]
    return {
        "dtype": _TENSORFLOW.get(dtype, f"DT_{dtype.upper()}"),
        "tensor_shape": {"dim": sides, "unknown_rank": False},
        "name": tensor.name,
    }
