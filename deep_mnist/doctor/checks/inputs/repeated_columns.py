"""A check of tables: the same column twice, as a join leaves it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.evidence.sampling import sample_indices, take
from deep_mnist.doctor.finding import MAX_WHERE, Finding
from deep_mnist.doctor.rule import COLUMNS, Need, Rule, Scope, check

SAMPLE = 2000  # rows looked at
FEWEST_VALUES = 8  # different ones, without which two columns of flags are equal by chance

REPEATED = Rule(
    code="I154",
    name="columns-repeated",
    field="images.distribution",
    severity="note",
    scope=Scope.INPUT,
    needs=(Need.SURVEY,),
    inputs=COLUMNS,
    summary="Two columns of a table hold the same values in every row looked at.",
    why="The network counts one feature twice; a join may also have brought the target itself that way.",
)


@check(REPEATED)
def check_repeated_columns(_: Case, split: Split) -> Iterator[Finding]:
    """Yield at most one note on columns of train that repeat an earlier one."""
    images = split.images
    if split.name != "train" or images is None or images.ndim != 2:
        return
    values = take(images, sample_indices(len(images), SAMPLE))
    earlier: dict[bytes, int] = {}
    repeated = [
        (column, first)
        for column in range(values.shape[1])
        if (first := earlier.setdefault(values[:, column].tobytes(), column)) != column
        and len(np.unique(values[:, column])) >= FEWEST_VALUES
    ]
    if repeated:
        column, first = repeated[0]
        where = tuple(each for each, _ in repeated[:MAX_WHERE])
        yield REPEATED.found(
            split.name,
            expected="columns that each tell something of their own",
            received=f"column {column} equal to column {first} in all {len(values)} rows looked at"
            + (f", and {len(repeated) - 1} more" if len(repeated) > 1 else ""),
            fix=f"train_images = np.delete(train_images, {list(where)}, axis=1)  # in every split alike",
            where=where,
        )
