"""Where a name of an older Keras, TensorFlow, numpy or Python is today, as far as the installed libraries have it.

What kept its name is looked up in the installed libraries themselves, and TensorFlow's renames in the table that it
ships for tf_upgrade_v2; only what has another name today stands here. A successor that is a name is said only if it
is there.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from functools import lru_cache

from deep_mnist.doctor.checks.crashes.names.renames import CONTRIB, OTHERS, RENAMED, TODAY

# Today's name, or a sentence (it has a space) where there is no such name.


MODULES_OF = ("layers", "utils", "engine", "callbacks", "models", "optimizers")
OF_FUNCTIONS = ("losses", "metrics", "objectives")  # whose names in small letters are functions


@lru_cache(maxsize=4096)
def exists(name: str) -> bool:
    """Whether a dotted name is a module, or an attribute of one, that is installed."""
    name = f"tensorflow{name[2:]}" if name == "tf" or name.startswith("tf.") else name
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:count]))
        except Exception:  # whatever an import of a part that is no module raises
            continue
        return _has(value, parts[count:])
    import builtins

    return _has(builtins, parts)


def _has(value: object, parts: list[str]) -> bool:
    for part in parts:
        try:
            value = getattr(value, part)
        except Exception:  # a lazy loader of TensorFlow raises what its import raises
            return False
    return True


def successor(name: str) -> str | None:
    """Return today's name of what was called so, or what to write in its place; None where that is not known.

    Args:
        name: Whole and dotted: "keras.layers.core.Dense", "tensorflow.placeholder", "numpy.float".
    """
    if name.startswith("tf."):
        name = f"tensorflow{name[2:]}"
    if name in OTHERS:
        return OTHERS[name]
    for old, new in OTHERS.items():
        if name.startswith(f"{old}.") and " " not in new and exists(new + name[len(old) :]):
            return new + name[len(old) :]
    if name.startswith("tensorflow.contrib"):
        return _of_contrib(name)
    for prefix in (
        "tensorflow.python.keras",
        "tensorflow.contrib.keras",
        "tensorflow.compat.v1.keras",
        "tensorflow.keras",
        "keras",
    ):
        if name == prefix or name.startswith(f"{prefix}."):
            return _of_keras(name[len(prefix) :].lstrip("."), "keras" if prefix == "keras" else "tensorflow.keras")
    return _of_tensorflow(name) if name.startswith("tensorflow.") else None


def _of_tensorflow(name: str) -> str | None:
    """Return today's name by TensorFlow's own table, else that of TensorFlow 1's interface."""
    short = f"tf{name[len('tensorflow') :]}"
    for each in (_renames().get(short), f"tf.compat.v1{short[2:]}"):
        if each is not None and each != short and exists(each):
            return each
    head, _, leaf = short.rpartition(".")
    while head and head != "tf":
        moved = _renames().get(f"{head}.{leaf}")
        if moved and exists(moved):
            return moved
        head = head.rpartition(".")[0]
    return None


@lru_cache(maxsize=1)
def _renames() -> dict[str, str]:
    try:
        table = importlib.import_module("tensorflow.tools.compatibility.all_renames_v2")
    except ImportError:
        return {}
    return {old: new for old, new in table.symbol_renames.items() if isinstance(new, str)}


def _of_contrib(name: str) -> str | None:
    inner = name[len("tensorflow.contrib") :].lstrip(".")
    listed = _renames().get(f"tf.contrib.{inner}")
    if listed and exists(listed):
        return listed
    parts = inner.split(".")
    for count in range(len(parts), 0, -1):
        if (found := CONTRIB.get(".".join(parts[:count]))) is not None:
            return found
    return (
        "what TensorFlow 2 has: tf.contrib was taken out; tf.keras.layers for its layers, the package tf_slim for slim"
    )


def _of_keras(inner: str, package: str) -> str | None:
    """Return today's name in keras, or in tensorflow.keras for a program of it."""
    if not inner:
        return package
    parts = inner.split(".")
    room, leaf = parts[0], parts[-1]
    for key in (f"keras.{inner}", f"keras.{room}.{leaf}", f"keras.{'losses' if room == 'objectives' else room}.{leaf}"):
        if (named := RENAMED.get(key)) is not None:
            own = named.replace("keras.", f"{package}.", 1) if named.startswith("keras.") else named
            if " " in own or exists(own):
                return own
            if exists(named):
                return named
    for each in _places(inner, room, leaf, package):
        if each != f"{package}.{inner}" and exists(each):
            return each
    alike = next(
        (each for at in (room, *TODAY.get(room, ())) for each in _spelled_otherwise(f"{package}.{at}", leaf)), None
    )
    if alike is not None and room in OF_FUNCTIONS and leaf == leaf.lower() and isinstance(_value_of(alike), type):
        return f"an object of the class {alike}, for there is no such function"
    if alike is not None:
        return alike
    is_module = len(parts) == 2 and leaf == leaf.lower() and room in MODULES_OF
    return f"{package}.{room if exists(f'{package}.{room}') else 'layers'}" if is_module else None


def _spelled_otherwise(module: str, leaf: str) -> Iterator[str]:
    """Yield names of a module that differ from one in underscores and capitals alone."""
    if exists(module):
        for each in dir(importlib.import_module(module)):
            if each.replace("_", "").lower() == leaf.replace("_", "").lower() and exists(f"{module}.{each}"):
                yield f"{module}.{each}"


def _value_of(name: str) -> object:
    module, _, leaf = name.rpartition(".")
    return getattr(importlib.import_module(module), leaf, None)


def _places(inner: str, room: str, leaf: str, package: str) -> Iterator[str]:
    """Yield the names under which it may be today, nearest first."""
    yield f"{package}.{room}.{leaf}"
    if room == "backend":
        yield f"tensorflow.keras.{inner}"
    for other in TODAY.get(room, (room,)):
        yield f"{package}.{other}.{leaf}"
    yield f"tensorflow.keras.{inner}"
    yield f"tensorflow.keras.{room}.{leaf}"
    yield f"{package}.{leaf}"
    for other in TODAY.get(room, (room,)):
        yield f"keras.{other}.{leaf}"  # what tensorflow.keras calls by its short name alone
