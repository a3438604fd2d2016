"""Read a contract: from a Keras model without TensorFlow, a hand-written file, or the built-in ones.

contract = load_contract(Path("mine.keras"))     # or a Keras .json, a hand-written .yaml, a SavedModel folder
contract = resolve_contract("fast", "")          # a built-in network, from builtin/fast.yaml

Each format's reader is imported when it is needed: the doctor starts cold, and one folder has one format.
"""

from __future__ import annotations

import json
import stat
import tempfile
import zipfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from deep_mnist.contract.contract import MAX_TEXT_BYTES, Contract, ContractError

CONTRACTS = Path(__file__).resolve().parent / "builtin"


def load_contract(path: Path | str) -> Contract:
    """Return the contract of a `.keras`, `.h5`, Keras `.json`, hand-written `.yaml`, or SavedModel folder.

    Raises:
        ContractError: The file is missing, damaged, or no such thing.
    """
    path = Path(path)
    kind = _kind_of(path)
    if kind == "saved_model":
        from deep_mnist.contract.saved_model import contract_of_saved_model

        return contract_of_saved_model(path)
    if kind == "text":
        stated = _read_fields(path)
        if not ("config" in stated or "class_name" in stated):
            return Contract.from_dict({"name": path.stem, **stated})
        model, compiled, weights = stated, stated.get("compile_config"), None
    else:
        from deep_mnist.contract.keras_file import read_keras_file

        model, compiled, weights = read_keras_file(path)
    return _contract_of_model(path, model, compiled, weights)


def _contract_of_model(path: Path, model: Any, compiled: Any, weights: Any) -> Contract:
    from deep_mnist.contract.derive import contract_of_model
    from deep_mnist.contract.keras_file import norms_are_untouched, weight_shapes

    return contract_of_model(
        path.stem, model, compiled, weights, lambda: weight_shapes(path), lambda: norms_are_untouched(path)
    )


def resolve_contract(network: str, model: str = "", digest: str = "") -> Contract:
    """Return the contract of `model` when given, else of a built-in network.

    Args:
        network: Name of a built-in network.
        model: Path, file://, gs:// or s3:// address of a user's own network; its SHA-256 becomes `model_digest`.
        digest: SHA-256 that the model's file must have, or "".

    Raises:
        ValueError: The network is unknown (the message lists the known ones), or the model cannot be read or is
            another than the one with this SHA-256.

    Example:
        >>> contract = resolve_contract("fast")
        >>> contract.input_shape, contract.input_dtype, contract.num_classes
        ((28, 28, 1), 'uint8', 10)
    """
    if model:
        contract = _contract_with_digest(model)
        if digest and contract.model_digest != digest:
            raise ContractError(
                f"Expected {model} with SHA-256 {digest}. Received: {contract.model_digest or 'a folder'}. "
                "Fix: start the run again; the file was changed after it started"
            )
        return contract
    known = sorted(path.stem for path in CONTRACTS.glob("*.yaml"))
    if network not in known:
        raise ValueError(f"Expected a network among {', '.join(known)}, or a model file. Received: {network!r}.")
    return load_contract(CONTRACTS / f"{network}.yaml")


def _contract_with_digest(model: str) -> Contract:
    if "://" not in model and not Path(model).is_file():
        return load_contract(Path(model))  # a SavedModel's folder, or nothing that can be read
    from deep_mnist.storage.open import fetch
    from deep_mnist.storage.store import sha256_of_file

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / f"model{Path(model).suffix}"
        fetch(model, copy)  # what is read and what is digested is one and the same copy
        return replace(load_contract(copy), name=Path(model).stem, model_digest=sha256_of_file(copy))


def _kind_of(path: Path) -> str:
    try:
        status = path.stat()
    except OSError as error:
        told = f"Expected a model or contract file at {path}. Received: {error.strerror}. Fix: correct the path."
        raise ContractError(told) from error
    if stat.S_ISDIR(status.st_mode):
        if (path / "saved_model.pb").is_file():
            return "saved_model"
        raise ContractError(f"Expected a SavedModel folder with saved_model.pb. Received: {path} without one.")
    if not stat.S_ISREG(status.st_mode):
        raise ContractError(f"Expected a regular file. Received: {path}.")
    suffix = path.suffix.lower()
    if suffix in (".keras", ".h5", ".hdf5") or zipfile.is_zipfile(path):
        return "model"
    if suffix in (".json", ".yaml", ".yml"):
        return "text"
    raise ContractError(f"Expected a .keras, .h5, .json or .yaml file or a SavedModel folder. Received: {path.name}.")


def read_json(path: Path) -> Any:
    """Return the JSON of a file of at most MAX_TEXT_BYTES.

    Raises:
        ContractError: It is too large, no UTF-8, or no JSON.
    """
    try:
        return json.loads(_read_text(path))
    except (ValueError, RecursionError) as error:
        raise ContractError(f"Expected JSON in {path.name}. Received: {error}.") from error


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_TEXT_BYTES + 1)
        if len(data) > MAX_TEXT_BYTES:
            raise ContractError(f"Expected at most {MAX_TEXT_BYTES} bytes in {path.name}. Received: more.")
        return data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ContractError(f"Expected UTF-8 text in {path.name}. Received: {error}.") from error


def _read_fields(path: Path) -> dict[str, Any]:
    if path.suffix.lower() == ".json":
        stated = read_json(path)
    else:
        stated = _read_yaml(path)
    if not isinstance(stated, dict):
        raise ContractError(f"Expected named fields in {path.name}. Received: {type(stated).__name__}.")
    return stated


def _read_yaml(path: Path) -> Any:
    text = _read_text(path)
    if text.lstrip().startswith("{"):  # JSON is YAML too; its reader is there already
        with suppress(ValueError, RecursionError):
            return json.loads(text)
    import yaml

    try:
        _refuse_aliases(text, path)
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ContractError(f"Expected YAML in {path.name}. Received: {error}.") from error


def _refuse_aliases(text: str, path: Path) -> None:
    """Aliases let a few lines stand for gigabytes, and no contract needs them."""
    import yaml

    if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
        raise ContractError(f"Expected no YAML aliases in {path.name}. Received: one.")
