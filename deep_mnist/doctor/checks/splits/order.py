"""Checks of the order of the examples: sorted labels harm when fit does not shuffle, or cuts off the last part."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.splits.coverage import listed
from deep_mnist.doctor.evidence.classes import Classes
from deep_mnist.doctor.evidence.live.dataset_graph import is_dataset
from deep_mnist.doctor.evidence.live.source_text import ProgramText
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope, check

FEWEST = 20  # examples
TAIL_EXAMPLES = 7  # due in the last part: with 10 classes, none at all then has a chance below 0.01
FEWEST_ONLY_IN_TAIL = 3  # examples of a class that the part before has none of
ORDERED = 0.5  # changes of label from one example to the next, relative to a shuffled set's
SEQUENCES = ("PyDataset", "Sequence")  # of Keras's; fit shuffles their batches, not what is within
IN_RUNS = "labels in runs of one class"
SHUFFLED = (
    "order = np.random.default_rng(0).permutation(len(train_labels)); "
    "train_images, train_labels = train_images[order], train_labels[order]"
)

LAST_PART_DIFFERS = Rule(
    code="S150",
    name="validation-part-of-other-classes",
    field="splits.order",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.PAIRS,),
    summary="The last part, which validation_split takes before fit shuffles, lacks classes or has some to itself.",
    why="Validation measures classes that training never saw, and the other way round.",
)
SORTED_UNSHUFFLED = Rule(
    code="S151",
    name="sorted-labels-without-shuffling",
    field="splits.order",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.PAIRS,),
    summary="The labels come in runs of one class, and fit is told not to shuffle.",
    why="Each batch holds one class: the network predicts the last class it was shown.",
)
SORTED = Rule(
    code="S152",
    name="labels-sorted",
    field="splits.order",
    severity="note",
    scope=Scope.CASE,
    needs=(Need.PAIRS,),
    follows=(Follows(fields=("splits.order",), least="warning", on=On.ANY_SPLIT),),
    summary="The labels come in runs of one class.",
    why="Harmless while fit shuffles the whole set; not with validation_split or a small shuffle buffer.",
)


@check(LAST_PART_DIFFERS, SORTED_UNSHUFFLED, SORTED)
def check_order(case: Case) -> Iterator[Finding]:
    """Yield what is wrong with the order of train's examples, given what is known of fit.

    `capture/live_call.py` calls it once more, with train as it was before validation_split cut off its part.
    """
    classes, call = case.train.classes, case.call
    if classes is None or len(classes) < FEWEST:
        return
    if call is not None and call.verb == "train_on_batch" and call.direct:
        return  # one batch: its examples have no order
    stated = case.fit.get("validation_split")
    share = float(stated) if isinstance(stated, int | float) and 0 < stated < 1 else 0.0
    if share and (missing := _missing_in_tail(classes, share)):
        yield LAST_PART_DIFFERS.found(
            "train",
            expected=f"all classes in the last {share:.0%}, which validation_split takes before shuffling",
            received=f"class {listed(np.array(missing))} only before or only after it",
            fix=SHUFFLED,
        )
    if not _is_sorted(classes):
        return
    if case.fit.get("shuffle") is False:
        yield SORTED_UNSHUFFLED.found(
            "train",
            expected="examples in random order, or shuffle=True",
            received=f"{IN_RUNS}, shuffle=False",
            fix=_shuffled(case),
        )
    elif not share and not (call is not None and is_dataset(call.x)):  # a dataset's shuffle() is judged with it
        yield SORTED.found("train", expected="examples in random order", received=IN_RUNS, fix=_shuffled(case))


def _shuffled(case: Case) -> str:
    """Return the line that shuffles the examples: those that a sequence of batches holds, where it is given one."""
    x = case.call.x if case.call is not None else None
    if not any(each.__name__ in SEQUENCES for each in type(x).__mro__):
        return SHUFFLED
    name = ProgramText(case.frame).name_of(x) if case.call is not None and case.frame is not None else None
    rows = [each for each, value in vars(x).items() if isinstance(value, np.ndarray) and value.ndim and len(value) > 1]
    if name is None or len(rows) != 2 or len({len(getattr(x, each)) for each in rows}) > 1:
        return (
            f"Shuffle examples and labels together before {type(x).__name__} cuts them: Keras shuffles batches alone."
        )
    one, other = (f"{name}.{each}" for each in rows)
    drawn = f"order = np.random.default_rng(0).permutation(len({one}))"
    return f"{drawn}; {one}, {other} = {one}[order], {other}[order]  # before fit"


def _is_sorted(classes: Classes) -> bool:
    if not classes.tally.complete:
        return False  # hardly classes
    shares = classes.tally.counts / len(classes)
    due = 1 - float(np.square(shares).sum())
    return len(shares) > 1 and classes.changes / (len(classes) - 1) < ORDERED * due


def _missing_in_tail(classes: Classes, share: float) -> list[int]:
    cut = int(len(classes) * (1 - share))
    after_cut = len(classes) - cut
    if not cut or not after_cut or not classes.tally.complete:
        return []
    found, tail = [], classes.tally_of(cut)
    in_tail = dict(zip(tail.values.tolist(), tail.counts.tolist(), strict=True))
    for each, all_ in zip(classes.tally.values.tolist(), classes.tally.counts.tolist(), strict=True):
        after = in_tail.get(each, 0)
        before, due = all_ - after, all_ * after_cut / len(classes)
        if (before == 0 and after >= FEWEST_ONLY_IN_TAIL) or (after == 0 and due > TAIL_EXAMPLES):
            found.append(each)
    return found
