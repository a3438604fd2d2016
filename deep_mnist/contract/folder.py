"""contract.json: whole in a dataset that preprocess wrote, in part in a folder that a user made.

A user's folder tells what its network does not: any of `loss`, `from_logits`, `num_classes`, `fit`, and what a person
accepts (`accept`). preprocess puts this and the network's own contract together and writes every field, with the
SHA-256 of the model's file; the dataset's manifest holds the digest of contract.json as of any other file. validate
judges by it and train trains only a network with this SHA-256, so no step after preprocess derives a contract again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deep_mnist.contract.contract import Contract, ContractError
from deep_mnist.contract.load import read_json
from deep_mnist.data.dataset import CONTRACT_FILE, Dataset, DatasetError

ACCEPT = "accept"  # the one field of contract.json that is no field of a contract


def write_contract(folder: Path, contract: Contract, accept: Sequence[Mapping[str, Any]] = ()) -> None:
    """Write the whole contract into a dataset folder, before its manifest.

    Args:
        folder: Of the dataset.
        contract: What the network demands.
        accept: What a person takes responsibility for: [{"field", "split" (absent: any), "because"}].
    """
    stated = {**contract.to_dict(), **({ACCEPT: [dict(each) for each in accept]} if accept else {})}
    (folder / CONTRACT_FILE).write_text(json.dumps(stated, indent=1) + "\n")


def contract_of(dataset: Dataset) -> Contract:
    """Return the contract that a dataset was made for.

    Raises:
        DatasetError: There is none in the manifest, or it is not whole.

    >>> import tempfile
    >>> from deep_mnist.data.dataset import seal_dataset
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_contract(folder, Contract(name="own", input_shape=(28, 28, 1)))
    >>> contract_of(seal_dataset(folder)).input_shape
    (28, 28, 1)
    """
    return read_contract(dataset)[0]


def read_contract(dataset: Dataset) -> tuple[Contract, list[dict[str, Any]]]:
    """Return the contract that a dataset was made for, and what a person accepts of its findings.

    Raises:
        DatasetError: There is none in the manifest, or it is not whole.
    """
    path = dataset.folder / CONTRACT_FILE
    if CONTRACT_FILE not in dataset.files:
        raise DatasetError(f"Expected {path} in the manifest. Received: {sorted(dataset.files)}. Fix: rerun preprocess")
    try:
        stated = read_json(path)
        if not is_whole(stated):
            raise ContractError(f"Expected the whole contract in {path}. Received: {sorted(stated)}.")
        contract = Contract.from_dict({name: value for name, value in stated.items() if name != ACCEPT})
    except ContractError as error:
        raise DatasetError(f"{error} Fix: rerun preprocess") from error
    return contract, [dict(each) for each in stated.get(ACCEPT) or ()]


def acceptances_of(dataset: Dataset) -> list[dict[str, Any]]:
    """Return what a person accepts of a dataset's findings, [] where it has no contract."""
    return read_contract(dataset)[1] if CONTRACT_FILE in dataset.files else []


def is_whole(stated: Any) -> bool:
    """Return whether what contract.json holds is a whole contract, and not some settings of a user."""
    return isinstance(stated, Mapping) and {"input_shape", "layout", "output_tail"} <= set(stated)
