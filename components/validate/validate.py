"""The implementation of validate: judge the dataset that preprocess wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deep_mnist.contract.folder import contract_of
from deep_mnist.data.dataset import DatasetError, open_dataset
from deep_mnist.doctor.case import NotUsableError
from deep_mnist.doctor.diagnosis import Diagnosis
from deep_mnist.doctor.judge import diagnose


def validate_dataset(folder: Path, accept: Sequence[Mapping[str, Any]] = ()) -> Diagnosis:
    """Judge the dataset that preprocess wrote, by the contract that lies in it.

    Args:
        folder: A dataset folder.
        accept: What a person takes responsibility for: [{"field", "split" (absent: any), "because"}]; contract.json
            may name more.

    Raises:
        DatasetError: The folder was altered since, or holds nothing; the message names the step to rerun.
    """
    dataset = open_dataset(folder)
    contract = contract_of(dataset)
    try:
        return diagnose(folder, contract, fit=contract.fit, record=dataset.record, accept=accept)
    except NotUsableError as error:
        raise DatasetError(f"{error} Fix: Rerun preprocess.") from error
