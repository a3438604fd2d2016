"""Reads what a saved Keras model says of itself: `.keras` (a zip) and `.h5`; weights only on demand."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from deep_mnist.contract.contract import MAX_TEXT_BYTES, ContractError

_UNREADABLE = (
    OSError, ValueError, KeyError, TypeError, RuntimeError, zipfile.BadZipFile, zlib.error, EOFError)  # fmt: skip
MAX_WEIGHTS_BYTES = 2 << 30  # a Normalization layer in a model beyond this stays unknown
MAX_STATISTICS = 1 << 16  # numbers in one Normalization layer: an image of 256 x 256

Statistics = list[tuple[list[float], list[float], bool]]  # mean, variance, adapted? of each Normalization layer
ReadStatistics = Callable[[], Statistics]
Shapes = dict[str, tuple[int, ...]]  # of each weight, by its path in the file
MAX_WEIGHTS = 10_000  # counted; a cap on hostile files


def weight_shapes(path: Path) -> Shapes:
    """Return the shape of each of the model's weights (not the optimizer's) in a `.keras` file, {} if unreadable."""
    import h5py

    shapes: Shapes = {}

    def add(name: str, stored: Any) -> bool | None:
        if isinstance(stored, h5py.Dataset) and not name.startswith("optimizer"):
            shapes[name] = tuple(stored.shape)
        return True if len(shapes) >= MAX_WEIGHTS else None

    try:
        with _opened_weights(path) as stored:
            stored.visititems(add)
    except (*_UNREADABLE, ContractError):
        return {}
    return shapes


def read_keras_file(path: Path) -> tuple[dict[str, Any], Any, ReadStatistics | None]:
    """Return the model's configuration, its compile configuration, and how to read Normalization statistics.

    Raises:
        ContractError: The file is no saved Keras model, or is damaged.
    """
    if zipfile.is_zipfile(path):
        config = _json_member(path, "config.json")
        return config, config.get("compile_config"), lambda: _statistics_of_zip(path)
    with path.open("rb") as stream:
        if stream.read(4) != b"\x89HDF":
            raise ContractError(f"Expected a Keras model (a zip or HDF5 file) in {path.name}. Received: another kind.")
    return _read_hdf5(path)


def norms_are_untouched(path: Path) -> bool:
    """Return whether every BatchNormalization in a `.keras` file has moving mean 0 and variance 1, as when made.

    False where there is none, or the weights cannot be read.
    """
    import h5py

    found: list[bool] = []

    def look(name: str, stored: Any) -> bool | None:
        if isinstance(stored, h5py.Group) and name.rpartition("/")[2].startswith("batch_normalization"):
            found.append(_is_as_made(stored.get("vars")))
        return True if len(found) >= MAX_WEIGHTS else None

    try:
        with _opened_weights(path) as stored:
            stored.visititems(look)
    except (*_UNREADABLE, ContractError):
        return False
    return bool(found) and all(found)


def _is_as_made(variables: Any) -> bool:
    """Whether the last two variables of a BatchNormalization, its moving statistics, are all 0 and all 1."""
    names = sorted(variables, key=int) if variables is not None else []
    if len(names) < 2:
        return False
    mean, variance = (variables[name][()] for name in names[-2:])
    return bool((mean == 0).all() and (variance == 1).all())


def _json_member(path: Path, member: str) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as bundle, bundle.open(member) as stream:
            data = stream.read(MAX_TEXT_BYTES + 1)
        if len(data) > MAX_TEXT_BYTES:
            raise ContractError(f"Expected {member} of at most {MAX_TEXT_BYTES} bytes in {path.name}. Received: more.")
        config = json.loads(data)
    except KeyError as error:
        raise ContractError(
            f"Expected {member} in {path.name}, as Keras 3 saves it. Received: no such member."
        ) from error
    except (
        OSError,
        ValueError,
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        RecursionError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        if isinstance(error, ContractError):
            raise
        raise ContractError(
            f"Expected an intact {member} in {path.name}. Received: {error}. Fix: Save the model again."
        ) from error
    if not isinstance(config, dict):
        raise ContractError(f"Expected an object in {member} of {path.name}. Received: {type(config).__name__}.")
    return config


def _read_hdf5(path: Path) -> tuple[dict[str, Any], Any, ReadStatistics | None]:
    import h5py

    try:
        with h5py.File(path, "r") as stored:
            model, compiled = stored.attrs.get("model_config"), stored.attrs.get("training_config")
        if model is None:
            raise ContractError(
                f"Expected a whole model in {path.name}. Received: weights only. Fix: Use model.save()."
            )
        return json.loads(model), json.loads(compiled) if compiled is not None else None, None
    except (OSError, ValueError, TypeError, RuntimeError, KeyError) as error:
        if isinstance(error, ContractError):
            raise
        raise ContractError(f"Expected an intact HDF5 model in {path.name}. Received: {error}.") from error


def _statistics_of_zip(path: Path) -> Statistics:
    """Return mean, variance and whether adapt() was called, of each Normalization layer in order."""
    try:
        with _opened_weights(path) as stored:
            return list(_statistics(stored))
    except _UNREADABLE as error:
        raise ContractError(f"Expected readable weights in {path.name}. Received: {error}.") from error


def _opened_weights(path: Path) -> Any:
    import h5py

    with zipfile.ZipFile(path) as bundle:
        entry = bundle.getinfo("model.weights.h5")
        if entry.file_size > MAX_WEIGHTS_BYTES:
            raise ContractError(f"Expected weights of at most {MAX_WEIGHTS_BYTES} bytes. Received: {entry.file_size}.")
        with bundle.open(entry) as stream:
            return h5py.File(io.BytesIO(stream.read(entry.file_size)), "r")


def _statistics(group: Any) -> Iterator[tuple[list[float], list[float], bool]]:
    """Yield the statistics below an HDF5 group; Keras names the groups normalization, normalization_1, …"""
    import h5py

    for name in sorted(group, key=_counted):
        below = group.get(name, getlink=False)
        if not isinstance(below, h5py.Group):
            continue
        variables = below.get("vars")
        if name.split("_")[0] == "normalization" and isinstance(variables, h5py.Group) and len(variables) >= 2:
            yield _mean_and_variance(variables)
        elif name not in ("vars", "optimizer"):
            yield from _statistics(below)


def _counted(name: str) -> tuple[str, int]:
    stem, _, count = name.rpartition("_")
    return (stem, int(count)) if count.isdigit() else (name, 0)


def _mean_and_variance(variables: Any) -> tuple[list[float], list[float], bool]:
    import h5py

    read = []
    for name in ("0", "1"):
        stored = variables.get(name)
        if not isinstance(stored, h5py.Dataset) or stored.size > MAX_STATISTICS or stored.is_virtual or stored.external:
            raise ContractError("Expected the statistics of a Normalization layer. Received: something else.")
        read.append([float(each) for each in stored[()].reshape(-1)])
    mean, variance = read
    return mean, variance, any(mean) or any(each != 1 for each in variance)
