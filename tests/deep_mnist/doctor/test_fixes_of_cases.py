"""Every fix of a bank of real cases is run and the doctor asked again; the bank lies beside the checkout or nowhere."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.judge import diagnose, judge
from deep_mnist.doctor.settings import contract_for
from tests.support.fixes import FixedCase

BANK = Path(os.environ.get("DOCTOR_CASES", Path(__file__).resolve().parents[4] / "shared" / "cases.tar.xz"))
OF_THE_NETWORK = ("model.", "Dense(", "BatchNormalization(")  # test_programs.py runs those
FOLLOWS = {"splits.class_coverage"}  # shown by the fix, not made by it: it could not be judged before

pytestmark = pytest.mark.skipif(not BANK.exists(), reason="no bank of cases beside the checkout")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Every case in a folder of its own."""
    place = tmp_path_factory.mktemp("cases")
    with tarfile.open(BANK) as bank:
        bank.extractall(place, filter="data")
    return sorted(path.parent for path in place.rglob("case.json"))


def graver(findings):
    return [each for each in findings if each.severity in ("error", "warning")]


@pytest.mark.slow
def test_every_line_fixes_and_none_undoes_another(folders):
    """All lines of a case are run in their order: none raises, what they fix is gone, and nothing else appears."""
    left = {}
    for folder in folders:
        contract = contract_for(folder)
        diagnosis = diagnose(folder, contract)
        found = [each for each in graver(diagnosis.findings) if not each.fix.startswith(OF_THE_NETWORK)]
        arrays = {
            f"{name}_{part}": np.array(array)
            for name, split in diagnosis.case.splits.items()
            for part, array in (("images", split.images), ("labels", split.labels))
            if array is not None
        }
        if any(f"{each}_images" not in arrays or f"{each}_labels" not in arrays for each in diagnosis.case.splits):
            continue  # of files that cannot be read a line cannot speak
        case = FixedCase(arrays, None)
        fixed = [each for each in found if case.apply(each.fix)]
        splits = {
            name: Split(name, case.arrays[f"{name}_images"], case.arrays[f"{name}_labels"])
            for name in diagnosis.case.splits
        }
        again = {each.field for each in graver(judge(Case(folder, splits, contract, None, contract.fit)))}
        untouched = {each.field for each in graver(diagnosis.findings) if each not in fixed}
        if wrong := again - untouched - FOLLOWS:
            left[folder.name] = wrong

    assert left == {}
