"""The forms that a version may have beside its SavedModel, and what each may lose.

    onnx          model.onnx          ONNX, for onnxruntime and whatever reads it; `--engine onnx` of the server
    litert        model.tflite        LiteRT (TensorFlow Lite) in float32, for phones and single-board computers
    litert-int8   model_int8.tflite   LiteRT in 8-bit integers throughout, a quarter of the size

Each takes `images`, raw uint8 (n, rows, columns), and has the preparation and the temperature inside. `class` int64
(n,), `probabilities` float32 (n, classes) and `outputs` come out as of the SavedModel; of litert-int8 only
`probabilities`, uint8. Of data that came prepared each takes what the network takes; litert-int8 then int8.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec

INSTALL = "make .venv/forms, or in an image of your own pip install --no-deps -r requirements/forms.txt"


@dataclass(frozen=True)
class Form:
    """One form of a published model.

    Attributes:
        name: As --forms names it.
        file: In the version's folder.
        loss: Share of the judged split, 0..1, that it may predict less of correctly than the model.
        difference: Of a probability of a golden request, from the model's; None where only classes count.
        packages: Modules that make it and try it.
    """

    name: str
    file: str
    loss: float
    difference: float | None
    packages: tuple[str, ...]


ONNX = Form("onnx", "model.onnx", 0.0005, 1e-3, ("tf2onnx", "onnxruntime"))
LITERT = Form("litert", "model.tflite", 0.0005, 1e-3, ("ai_edge_litert",))
LITERT_INT8 = Form("litert-int8", "model_int8.tflite", 0.005, None, ("ai_edge_litert",))
FORMS = {form.name: form for form in (ONNX, LITERT, LITERT_INT8)}


def forms_named(names: Iterable[str]) -> tuple[Form, ...]:
    """Return the forms of these names, each once.

    Raises:
        ValueError: A name is unknown.

    >>> [form.file for form in forms_named(["litert", "onnx", "onnx"])]
    ['model.tflite', 'model.onnx']
    """
    chosen = tuple(dict.fromkeys(names))
    if unknown := sorted(set(chosen) - set(FORMS)):
        raise ValueError(f"Expected forms of {', '.join(FORMS)}. Received: {', '.join(map(repr, unknown))}.")
    return tuple(FORMS[name] for name in chosen)


def missing_packages(forms: Iterable[Form]) -> list[str]:
    """Return the modules that make and try these forms and are not installed."""
    needed = sorted({package for form in forms for package in form.packages})
    return [package for package in needed if find_spec(package) is None]
