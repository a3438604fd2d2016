"""The libraries that a program takes its names from: how they are written, and their versions."""

from __future__ import annotations

import re
import sys


def as_written(module: str) -> str:
    """Return a module as programs write it, where TensorFlow calls it otherwise."""
    return re.sub(r"^tensorflow\._api\.v2\.", "tensorflow.", module).replace(
        "keras._tf_keras.keras", "tensorflow.keras"
    )


def library_of(name: str) -> str:
    """Return the package of a name with its version, "Python" for one of its own."""
    top = name.partition(".")[0]
    top = "tensorflow" if top == "tf" else top
    version = getattr(sys.modules.get(top), "__version__", None)
    return (
        f"{top} {version}"
        if version
        else f"Python {sys.version_info[0]}.{sys.version_info[1]}"
        if top in sys.stdlib_module_names
        else top
    )


def version_of(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return ""
