"""Which frames and classes are the user's own code, and which are of Python, an installed package or the doctor."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

LIBRARIES = ("keras.", "tf_keras.", "tensorflow.", "deep_mnist.doctor.", "wrapt.", "jax.", "torch.")
OF_KERAS = ("keras.", "tf_keras.", "tensorflow.")  # modules of the classes that a network is an instance of
INSTALLED = (f"{Path(os.__file__).parent}{os.sep}", "<frozen ")  # Python's own files


def is_of_keras_2(model: Any) -> bool:
    """Whether a model is of the package tf_keras, which takes what Keras 3 refuses."""
    return any(each.__module__.startswith("tf_keras") for each in type(model).__mro__)


def all_layers(model: Any) -> list[Any]:
    """Return a model of Keras and all layers within it, also those that layers of the user's own hold; [] of others."""
    return list(getattr(model, "_flatten_layers", lambda: ())())


def is_of_a_library(frame: FrameType) -> bool:
    """Whether a frame is of Python, Keras, TensorFlow, any installed package or the doctor, and not the user's."""
    return _is_of_a_library(frame.f_code, frame.f_globals)


def users_frames(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield a frame and those that called it, the innermost first, without those that are not the user's own code."""
    while frame is not None:
        if not is_of_a_library(frame):
            yield frame
        frame = frame.f_back


def users_frame(frame: FrameType | None) -> FrameType | None:
    """Return a frame, or the nearest that called it, of the user's own code; None where none is."""
    return next(users_frames(frame), None)


def is_function_of_a_library(function: FunctionType) -> bool:
    """Whether a function is such code, or stands for one of Keras's while the doctor watches."""
    return _is_of_a_library(function.__code__, function.__globals__)


def _is_of_a_library(code: CodeType, names: Mapping[str, Any]) -> bool:
    file = code.co_filename
    if "__autograph_generated_file" in file or (names.get("__name__") or "").startswith(LIBRARIES):
        return True
    return is_of_library_file(file)


def is_of_library_file(file: str) -> bool:
    """Whether a file is one of Python's own or of an installed package."""
    if file.startswith(INSTALLED) or file.endswith(".pyx") or "/site-packages/" in file or "/dist-packages/" in file:
        return True
    return not file.startswith("<") and _is_installed(file.rpartition(os.sep)[0])


@functools.lru_cache(maxsize=1024)
def _is_installed(folder: str) -> bool:
    """Whether a folder is of a package that pip has put into a folder of the user's, which lists its files there."""
    package = Path(folder).resolve()  # which ends at the root, as the parents of a relative path do not
    if not (package / "__init__.py").is_file():
        return False
    while (package.parent / "__init__.py").is_file():
        package = package.parent
    first = f"{package.name}/__init__.py,"
    records = package.parent.glob("*.dist-info/RECORD")
    return any(line.startswith(first) for each in records for line in each.read_text(errors="replace").splitlines())


def own_names(model: Any) -> set[str]:
    """Return the names that the user's own classes define, of those that a network of Keras is an instance of."""
    own = [each for each in type(model).__mro__[:-1] if not each.__module__.startswith(OF_KERAS)]
    return {name for each in own for name in vars(each)}


def names_in(code: CodeType) -> set[str]:
    """Return the names that code uses, and that of the functions within it."""
    within = [each for each in code.co_consts if isinstance(each, CodeType)]
    return {*code.co_names, *(name for each in within for name in names_in(each))}
