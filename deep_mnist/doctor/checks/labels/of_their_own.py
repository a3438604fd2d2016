"""Check of labels that nearly every example has to itself: numbers of rows, or amounts, taken for classes."""

from __future__ import annotations

from collections.abc import Iterator

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Follows, Need, On, Rule, Scope, check

FEWEST = 64  # examples
SHARE = 0.9  # of the examples
OF_A_BATCH = ("train_on_batch", "a custom loop", "Session.run")  # whose rows may be told from each other

OF_THEIR_OWN = Rule(
    code="L214",
    name="a-class-for-each-example",
    field="labels.values",
    severity="warning",
    scope=Scope.TARGET,
    needs=(Need.LABELS, Need.CLASSES),
    follows=(Follows(rules=("L101", "L104", "L110", "L112", "M110"), on=On.ANY_SPLIT),),
    summary="Nearly every example has a class to itself, as numbers of rows and amounts are.",
    why="Of a class with one example nothing can be learned that holds for another: validation stays at chance.",
)


@check(OF_THEIR_OWN)
def check_classes_of_their_own(case: Case, split: Split) -> Iterator[Finding]:
    """Yield train's labels where there are about as many classes as examples; next words of few texts are let be."""
    classes = split.classes
    if split.name != "train" or classes is None or not split.is_whole or case.contract.vocabulary is not None:
        return
    verb = case.call.verb if case.call is not None else ""
    if not case.task.has_classes or len(classes) < FEWEST or verb in OF_A_BATCH:
        return
    different = len(classes.tally.values)
    if different >= SHARE * len(classes):
        yield OF_THEIR_OWN.found(
            split.name,
            expected="classes that examples have in common",
            received=f"{different} different labels of {len(classes)} {case.example}s",
            fix="Take as labels what is to be told of a new example: an id says nothing of it. Of an amount, such as a "
            "price, predict the number: one unit without an activation, and mean_squared_error.",
        )
