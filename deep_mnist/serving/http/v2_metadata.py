"""A model's metadata in the Open Inference Protocol: tensors, and what the training data were like as parameters."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from deep_mnist.serving.model.input_form import DEFAULT_SIGNATURE
from deep_mnist.serving.model.served_model import ServedModel
from deep_mnist.serving.requests.v2_tensor import datatype_of

# Of TensorFlow's signatures, as Model.metadata holds them.
_DATATYPES = {"DT_FLOAT": "FP32", "DT_DOUBLE": "FP64", "DT_HALF": "FP16", "DT_BOOL": "BOOL"}


def v2_metadata(model: ServedModel) -> dict[str, Any]:
    """Return the metadata; -1 is a side of any length."""
    form = model.signatures[DEFAULT_SIGNATURE].form
    sides: Iterable[int | None] = (None, *form.shapes[0])
    outputs = model.form.metadata[DEFAULT_SIGNATURE]["outputs"]
    return {
        "name": model.name,
        "versions": [str(model.version)],
        "platform": model.form.platform,
        "inputs": [
            {
                "name": form.name,
                "datatype": datatype_of(form.dtype),
                "shape": [-1 if side is None else side for side in sides],
            }
        ],
        "outputs": [_output(name, outputs[name]) for name in sorted(outputs)],
        "parameters": contract_parameters(model),
    }


def _output(name: str, described: dict[str, Any]) -> dict[str, Any]:
    dtype = str(described["dtype"])
    datatype = _DATATYPES.get(dtype, dtype.removeprefix("DT_"))
    shape = [int(side["size"]) for side in described["tensor_shape"].get("dim", [])] or [-1]
    return {"name": name, "datatype": datatype, "shape": shape}


def contract_parameters(model: ServedModel) -> dict[str, str | int | float | bool]:
    """Return what the network demands; a parameter is a string, number or boolean, so lists are JSON text.

    "preprocessing_sha256" is the digest of "preprocessing", the record as JSON of sorted keys without spaces.
    """
    record, profile = model.record, model.profile
    text = json.dumps(record.to_dict(), sort_keys=True, separators=(",", ":"))
    form = model.signatures[DEFAULT_SIGNATURE].form
    taken = np.iinfo(form.dtype) if form.dtype.kind in "iu" else None
    limits: dict[str, float] = {"low": taken.min, "high": taken.max} if taken else {}
    if profile:
        limits = {"low": profile.low, "high": profile.high}
    return {
        "classes": json.dumps(list(model.classes)),
        "layout": record.layout,
        "raw": not record.prepared,
        "preprocessing": text,
        "preprocessing_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "accuracy": model.promotion.facts.accuracy,
        **limits,
    }
