"""Running a form without TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from deep_mnist.forms.form import ONNX, Form

BATCH = 100


def open_form(form: Form, path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return the call: images (n, …) as the form takes them -> float32 (n, classes), probabilities.

    Raises:
        ImportError: The package that runs it is not installed.
    """
    run_batch = _onnx(path) if form is ONNX else _litert(path)

    def run(images: np.ndarray) -> np.ndarray:
        return np.concatenate([run_batch(images[first : first + BATCH]) for first in range(0, len(images), BATCH)])

    return run


def _onnx(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(images: np.ndarray) -> np.ndarray:
        found: np.ndarray = session.run(["probabilities"], {"images": images})[0]
        return found

    return run


def _litert(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    signature = interpreter.get_signature_runner()
    taken, given = (
        details[name]
        for details, name in (
            (signature.get_input_details(), "images"),
            (signature.get_output_details(), "probabilities"),
        )
    )

    def run(images: np.ndarray) -> np.ndarray:
        return _dequantized(signature(images=_quantized(images, taken))["probabilities"], given)

    return run


def _quantized(values: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    """Return values as the integers that an input of 8 bits takes; others as they are."""
    scale, zero = details["quantization"]
    if not scale:
        return values
    limits = np.iinfo(details["dtype"])
    steps: np.ndarray = np.clip(np.rint(values / np.float32(scale) + zero), limits.min, limits.max)
    return steps.astype(limits.dtype)


def _dequantized(values: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    scale, zero = details["quantization"]
    shares: np.ndarray = (values.astype(np.float32) - zero) * np.float32(scale) if scale else values
    return shares
