"""Networks of several inputs or outputs: each array is judged against the input or output that it is for.

The first input and output are the case's own images and labels; each further one is judged in a case of its own, with
the checks that speak of inputs alone, or of targets alone. Arrays that cannot be matched are not judged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from deep_mnist.contract.contract import Contract
from deep_mnist.doctor.case import Case, Split, slug
from deep_mnist.doctor.finding import Finding

Judge = Callable[[Case], list[Finding]]
ROLE = {"images": re.compile(r"\b(train|validation|test)_images\b"),
        "labels": re.compile(r"\b(train|validation|test)_labels\b")}  # fmt: skip


def judge_further(case: Case, of_inputs: Judge, of_targets: Judge) -> Iterator[Finding]:
    """Yield what is wrong with every input and output but the first, and with what is fed to it.

    Args:
        case: With all inputs and targets in its splits.
        of_inputs, of_targets: Judge a case by its inputs, or by its targets, alone.
    """
    for contract in case.contract.inputs:
        name = contract.input_name
        if name != case.contract.input_name:
            splits = {each.name: _of_input(each, name) for each in case.splits.values() if name in each.inputs}
            yield from _judged(case, splits, contract, of_inputs, "images", name)
    for contract in case.contract.outputs:
        name = contract.output_name
        if name != case.contract.output_name and contract.loss is not None:
            splits = {each.name: _of_target(each, name) for each in case.splits.values() if name in each.targets}
            yield from _judged(case, splits, contract, of_targets, "labels", name)


def by_output(case: Case, of_output: Callable[[Case], Iterator[Finding]]) -> Iterator[Finding]:
    """Yield what is found of each output with a loss, in a case of the call itself; of the case where it has one."""
    if not case.contract.outputs:
        yield from of_output(case)
    for contract in case.contract.outputs:
        name = contract.output_name
        splits = {each.name: _of_target(each, name) for each in case.splits.values() if name in each.targets}
        if contract.loss is None or "train" not in splits:
            continue
        alone = replace(contract, inputs=case.contract.inputs)
        own = Case(case.folder, splits, alone, case.record, case.fit, case.call, case.frame)
        first = name == case.contract.output_name
        yield from (each if first else _named(each, "labels", name) for each in of_output(own))


def _of_input(split: Split, name: str) -> Split:
    return Split(split.name, split.inputs[name])


def _of_target(split: Split, name: str) -> Split:
    return Split(split.name, split.images, split.targets[name])


def _judged(
    case: Case, splits: dict[str, Split], contract: Contract, judge: Judge, part: str, name: str
) -> Iterator[Finding]:
    if "train" not in splits:
        return
    alone = replace(contract, outputs=case.contract.outputs)  # for the line that compiles them all
    own = Case(case.folder, splits, alone, None, case.fit, frame=case.frame)
    for finding in judge(own):
        yield _named(finding, part, name)


def _named(finding: Finding, part: str, name: str) -> Finding:
    """Return the finding reported of train_images_<name>, with what input or output it is about."""
    role = rf"\g<0>_{slug(name)}"
    what = "input" if part == "images" else "output"
    expected, received, fix, why = (
        ROLE[part].sub(role, text) for text in (finding.expected, finding.received, finding.fix, finding.why)
    )
    named = f"{what} {name!r}: {received}"
    return replace(finding, expected=expected, received=named, fix=fix, why=why, part=f"{what} {name}")
