"""The implementation of validate: judge the dataset that preprocess wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from deep_mnist.contract.folder import read_contract
from deep_mnist.data.dataset import RULES_FILE, DatasetError, open_dataset
from deep_mnist.doctor.acceptance import choices_of
from deep_mnist.doctor.case import NotUsableError
from deep_mnist.doctor.checks.catalogue import with_rules_of
from deep_mnist.doctor.diagnosis import Diagnosis
from deep_mnist.doctor.judge import diagnose


def validate_dataset(
    folder: Path, accept: Sequence[Mapping[str, Any]] = (), ignore: Sequence[str] = (), *, own_rules: bool = False
) -> Diagnosis:
    """Judge the dataset that preprocess wrote, by the contract that lies in it.

    Args:
        folder: A dataset folder.
        accept: What a person takes responsibility for: [{"rule" or "field", "split" (absent: any), "because"}];
            contract.json may name more.
        ignore: Codes or names of rules that are not judged.
        own_rules: Add the rules of the user's own that preprocess put into the dataset; the file is run.

    Raises:
        DatasetError: The folder was altered since, or holds nothing; the message names the step to rerun.
        NotUsableError: An acceptance, or a rule to ignore, is none.
        RuleError: The file of rules cannot be used.
    """
    dataset = open_dataset(folder)
    with with_rules_of(folder / RULES_FILE) if own_rules else nullcontext():
        choices = choices_of(list(accept), ignore)
        contract, accepted = read_contract(dataset)
        try:
            choices += choices_of(accepted)
            return diagnose(folder, contract, fit=contract.fit, record=dataset.record, choices=choices)
        except NotUsableError as error:
            raise DatasetError(f"{error} Fix: Rerun preprocess.") from error
