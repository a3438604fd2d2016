"""Write deep_mnist/contract/builtin/*.yaml from the Keras code: `python -m components.train.contracts`.

The checked-in files let light steps know a built-in network without TensorFlow.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import keras

from components.train.networks import NETWORKS
from deep_mnist.contract.load import CONTRACTS, load_contract

# The seed's failing example is fed its raw data as they are: that is what it shows.
UNPREPARED = ("example1",)


def contract_text(name: str) -> str:
    """Return the YAML of a built-in network's contract, its layers numbered as in a new process."""
    keras.utils.clear_session()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.keras"
        NETWORKS[name].build().save(path)
        contract = load_contract(path)
    return replace(contract, preparation="none" if name in UNPREPARED else "contract").to_yaml()


def write_contracts(folder: Path = CONTRACTS) -> None:
    """Write one file a built-in network."""
    for name in NETWORKS:
        (folder / f"{name}.yaml").write_text(contract_text(name))


if __name__ == "__main__":
    write_contracts()
