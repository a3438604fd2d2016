"""The names of the models in a registry: what may be one, which there are, which is meant."""

from __future__ import annotations

import re

from deep_mnist.registry.pointer import RegistryError
from deep_mnist.storage.open import open_store
from deep_mnist.storage.store import Store

MODEL_NAME = "a model name of letters, digits, '.', '_', '-', a letter first"
USUAL = "mnist"  # what make run publishes where nothing else is said; served and fetched beside others
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,127}")


def is_model_name(name: str) -> bool:
    """Return whether a model may be called so: its name is a folder's."""
    return _NAME.fullmatch(name) is not None


def model_names(store: Store) -> list[str]:
    """Return the names of the models of which a version was promoted."""
    return [name for name in store.folders() if store.exists(f"{name}/champion.json")]


def only_name(url: str, given: str = "", usual: str = "") -> str:
    """Return the name that is given, else the usual one where it is there, else that of the only model.

    Args:
        url: Of the registry.
        given: By the user, "" where nothing is.
        usual: Meant where there are several; "" where none is, as of a rollback.

    Raises:
        RegistryError: None is given, and there is no model or more than one; the message names them.
        StorageError: The registry cannot be read.
    """
    if given:
        return given
    names = model_names(open_store(url))
    if not names:
        raise RegistryError(
            f"Expected a champion in {url}. Received: none: it holds no model yet. Fix: make run publishes one"
        )
    if usual in names:
        return usual
    if len(names) > 1:
        raise RegistryError(
            f"Expected --model-name, one of those in {url}: {', '.join(names)}. Received: none. "
            f"Fix: --model-name {names[0]}"
        )
    return names[0]
