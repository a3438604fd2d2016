"""Whether a `.keras` file can be loaded as it is: nothing in it is code, and all of it is Keras's own."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deep_mnist.contract.contract import ContractError
from deep_mnist.contract.keras_file import read_keras_file

PACKAGES = ("keras", "keras_hub", "keras_cv", "keras_nlp")  # whose classes Keras finds by itself
OWN_LAYERS = "replace it by layers of Keras, such as Rescaling, and save again"


def require_loadable(path: Path) -> None:
    """Refuse a `.keras` file that no other program than the one that wrote it can load.

    Raises:
        ContractError: It is none or damaged, or holds no weights, a Lambda layer, or a class or function of the user's
            own; the message names it.
    """
    config = read_keras_file(path)[0]
    names = zipfile.ZipFile(path).namelist() if zipfile.is_zipfile(path) else ()
    if not any(each.startswith("model.weights") for each in names):
        held = ", ".join(names) or "none"
        raise ContractError(f"Expected model.weights.h5 in {path}. Received: {held}. Fix: model.save('model.keras')")
    if (found := next(parts_of_ones_own(config), None)) is not None:
        raise ContractError(
            f"Expected Keras's own layers and losses in {path}. Received: {found}, which is code that is not in the "
            f"file. Fix: {OWN_LAYERS}"
        )


def parts_of_ones_own(config: Any) -> Iterator[str]:
    """Yield each Lambda layer, and each class or function that is not Keras's, of a configuration as Keras saves it.

    >>> layers = [{"module": "keras.layers", "class_name": "Lambda", "config": {"name": "halve"}}]
    >>> list(parts_of_ones_own({"layers": layers}))
    ["Lambda layer 'halve'"]
    """
    below = config.values() if isinstance(config, Mapping) else config if isinstance(config, list | tuple) else ()
    if isinstance(config, Mapping) and (found := _named(config)):
        yield found
        return
    for each in below:
        yield from parts_of_ones_own(each)


def _named(saved: Mapping[str, Any]) -> str:
    """Return what is said of a saved object that is not Keras's own, "" of any other."""
    kind, own = saved.get("class_name"), saved.get("config")
    name = own.get("name") if isinstance(own, Mapping) else own if isinstance(own, str) else None
    shown = f" {name!r}" if name else ""
    if kind == "Lambda":
        return f"Lambda layer{shown}"
    if not saved.get("registered_name") or str(saved.get("module")).partition(".")[0] in PACKAGES:
        return ""
    return f"the function{shown}" if kind == "function" else f"{str(kind)[:60]}{shown}, a class of its own"
