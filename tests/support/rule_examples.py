"""What the examples of rules are written with: each rule has one that fires and one that is silent.

An example returns a Diagnosis, findings, or the findings of a script's JSON; `codes_of` reads all of them. Prefer
`judged(case)`, which needs no TensorFlow; a live network, a script or a graph only where the rule is about one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any

from deep_mnist.contract.contract import Contract
from deep_mnist.data.dataset import Preprocessing
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.judge import diagnose, run_checks
from tests.support.doctor_cases import CaseFiles, digits  # noqa: F401  (examples are written with it)

EXAMPLES = Path(__file__).resolve().parents[1] / "deep_mnist" / "doctor" / "rules"


def judged(case: CaseFiles) -> list[Any]:
    """Return the findings on a folder with these arrays and this network."""
    with tempfile.TemporaryDirectory() as folder:
        return list(case.findings(Path(folder)))


def arrays(
    contract: Contract, *, fit: dict[str, Any] | None = None, record: Preprocessing | None = None, **named: Any
) -> list[Any]:
    """Return what every check finds in train_images=…, train_labels=…, test_images=… under a contract."""
    splits: dict[str, Split] = {"train": Split("train")}
    for name, array in named.items():
        split, part = name.split("_")
        setattr(splits.setdefault(split, Split(split)), part, array)
    return run_checks(Case(Path(), splits, contract, record, fit or {})).findings


def in_folder(write: Callable[[Path], Any]) -> list[Any]:
    """Return the findings on the files that write(folder) leaves, for a network that takes raw pixels."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder)
        return list(diagnose(folder, Contract(input_range=(0, 255), scales_inside=True)).findings)


def codes_of(example: Any) -> set[str]:
    """Return the codes of the rules that an example's result names."""
    findings: Iterable[Any] = getattr(example, "findings", example)
    return {each.get("rule") if isinstance(each, dict) else each.rule.code for each in findings if _has_rule(each)}


def _has_rule(finding: Any) -> bool:
    return "rule" in finding if isinstance(finding, dict) else finding.rule is not None


def example_of(code: str) -> ModuleType | None:
    """Return the module <code>.py with fires() and silent(), None where a rule has none."""
    path = EXAMPLES / f"{code}.py"
    if not path.is_file():
        return None
    spec = util.spec_from_file_location(f"example_{code}", path)
    if spec is None or spec.loader is None:
        return None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
