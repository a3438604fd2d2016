"""Checks of tables as people have them: words, dates, blanks, numbers written as text, lists, records.

fit refuses each of them at once and names neither the column nor the line that mends it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.fix_lines import alias_of
from deep_mnist.doctor.checks.live.table_fixes import fix_of_arrays, fix_of_frames
from deep_mnist.doctor.evidence.columns import Cells, Column, columns_of, is_frame, is_table
from deep_mnist.doctor.evidence.live.text_inputs import takes_text
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

MOST_SHOWN = 4  # columns in a sentence
SENTENCE = 3  # spaces in a text that is no word


def _rule(code: str, name: str, summary: str, why: str) -> Rule:
    return Rule(
        code=code,
        name=name,
        field="images.dtype",
        severity="error",
        scope=Scope.CASE,
        needs=(Need.LIVE_MODEL,),
        summary=summary,
        why=why,
    )


REFUSED = "Keras refuses an array of objects before the first step, and names no column."
WORDS = _rule("I220", "columns-of-words", "Columns of the table hold words, which no layer can multiply.", REFUSED)
DATES = _rule("I221", "columns-of-dates", "Columns of the table hold dates and not numbers.", REFUSED)
AS_TEXT = _rule("I222", "numbers-written-as-text",
                "Columns hold numbers as text, with blanks, question marks or signs among them.", REFUSED)  # fmt: skip
OBJECTS = _rule("I223", "numbers-held-as-objects", "The inputs are numbers in an array of Python objects, as "
                ".values of a data frame with booleans is.", "Keras refuses an array of objects.")  # fmt: skip
RAGGED = _rule("I224", "rows-held-as-objects", "Each row is a list or an array of its own inside an array of objects.",
               "Keras refuses an array of objects, whatever lies in it.")  # fmt: skip
RECORDS = _rule("I225", "rows-are-records", "The rows are records with named fields, as np.genfromtxt(names=True) "
                "reads them.", "Keras refuses records: their fields are no axis.")  # fmt: skip
SENTENCES = _rule("I226", "inputs-are-sentences", "The inputs are texts, and no layer of the network turns words into "
                  "numbers.", "Text cannot become a tensor of numbers.")  # fmt: skip
NOT_READ = _rule("I229", "inputs-never-read", "Some inputs are None, as cv2.imread returns for a file that it cannot "
                 "read.", "Keras refuses an array of objects, and says nothing of the files.")  # fmt: skip
BY_CELLS = {Cells.WORDS: WORDS, Cells.DATES: DATES, Cells.NUMBERS_AS_TEXT: AS_TEXT, Cells.LISTS: RAGGED,
            Cells.ROWS_AS_TEXT: AS_TEXT, Cells.NUMBERS: OBJECTS}  # fmt: skip
GRAVEST = (Cells.LISTS, Cells.ROWS_AS_TEXT, Cells.WORDS, Cells.DATES, Cells.NUMBERS_AS_TEXT, Cells.NUMBERS)


@check(WORDS, DATES, AS_TEXT, OBJECTS, RAGGED, RECORDS, SENTENCES, NOT_READ)
def check_tables(case: Case) -> Iterator[Finding]:
    """Yield the first thing that keeps train's table from being numbers, with a line that mends all of its columns."""
    tables = _tables(case)
    train = tables.get("train_images")
    if train is None or not is_table(train) or case.call is None or takes_text(case.call.model):
        return
    if not is_frame(train) and train.dtype.kind == "V":
        yield _records(train, list(tables))
        return
    if not is_frame(train) and (missing := _missing(train)).any():
        yield _not_read(train, missing)
        return
    columns = columns_of(train)
    if not columns:
        return
    found = next(each for kind in GRAVEST for each in columns if each.cells is kind)
    if found.cells is Cells.LISTS:
        yield _ragged(train, found, list(tables))
    elif found.cells is Cells.WORDS and len(columns) == 1 and _is_text(case, found):
        yield _sentences(found, list(tables))
    else:
        yield _columns(case, train, columns, found, list(tables))


def _is_text(case: Case, found: Column) -> bool:
    return found.example.count(" ") >= SENTENCE or case.contract.first_layer == "Embedding"


def _missing(train: np.ndarray) -> np.ndarray:
    """Return which of images, held as objects, are None; none of any other array."""
    are_images = train.dtype.kind == "O" and train.ndim == 1
    if not are_images or not {np.ndim(each) for each in train if each is not None} <= {2, 3}:
        return np.zeros(len(train), bool)
    return np.array([each is None for each in train])


def _not_read(train: np.ndarray, missing: np.ndarray) -> Finding:
    """Images of files, and None where there was none; with all of them None, no line can tell the paths."""
    shapes = {np.shape(each) for each in train[~missing]}
    fix = "Look at the paths: cv2.imread returns None, and raises nothing, for a file that is not there or no image."
    if len(shapes) == 1:
        fix = (
            "read = np.array([each is not None for each in train_images]); train_images, train_labels = "
            "np.stack(list(train_images[read])), train_labels[read]  # and look at the other files' paths"
        )
    return NOT_READ.found(
        "train",
        expected="an image in every place",
        received=f"None in {np.count_nonzero(missing)} of {len(train)}: files that were not read",
        fix=fix,
        where=tuple(np.flatnonzero(missing)[:10].tolist()),
    )


def _tables(case: Case) -> Mapping[str, Any]:
    """Return what fit is given as inputs, by the names in fixes; {} where it is no table."""
    call = case.call
    if call is None or call.x is None:
        return {}
    held = call.held_out
    test = held[0] if isinstance(held, tuple | list) and len(held) >= 2 else None
    tables = {"train_images": call.x}
    return {**tables, "test_images": test} if is_table(test) else tables


def _columns(case: Case, train: Any, columns: Sequence[Column], found: Column, names: Sequence[str]) -> Finding:
    wrong = [each for each in columns if each.cells is not Cells.NUMBERS] or [found]
    wrong.sort(key=lambda each: GRAVEST.index(each.cells))
    told = "; ".join(each.told for each in wrong[:MOST_SHOWN])
    more = f"; and {len(wrong) - MOST_SHOWN} more" if len(wrong) > MOST_SHOWN else ""
    if is_frame(train):
        pandas, imported = alias_of(case.frame, "pandas", "pd")
        fix = fix_of_frames(names, wrong, pandas, imported=imported)
    else:
        fix = fix_of_arrays(names, columns, flat=train.ndim == 1)
    if found.cells is Cells.NUMBERS:
        told = f"an array of {train.dtype if not is_frame(train) else 'objects'}, whose cells are numbers or booleans"
    return BY_CELLS[found.cells].found(
        "train", expected="numbers in every column", received=f"{told}{more}", fix=fix, where=_places(wrong)
    )


def _places(columns: Sequence[Column]) -> tuple[int, ...]:
    return tuple(each.key for each in columns[:10] if isinstance(each.key, int))


def _ragged(train: Any, found: Column, names: Sequence[str]) -> Finding:
    cells = train[found.key].to_numpy() if is_frame(train) else train if train.ndim == 1 else train[:, found.key]
    lengths = {np.shape(each) for each in cells[:1000]}
    taken = "{name}" if not is_frame(train) else f"{{name}}[{found.quoted}]"
    fix = f'{{name}} = np.stack(list({taken})).astype("float32")'
    if len(lengths) > 1:
        fix = f'{{name}} = keras.utils.pad_sequences({taken}, padding="post", dtype="float32")'
    return RAGGED.found(
        "train",
        expected="one array of numbers, every row of one length",
        received=f"an array of objects: {found.example}s of {len(lengths)} different shapes, such as {min(lengths)}",
        fix="; ".join(fix.replace("{name}", name) for name in names),
    )


def _records(train: np.ndarray, names: Sequence[str]) -> Finding:
    fields = ", ".join(train.dtype.names or ())
    return RECORDS.found(
        "train",
        expected="rows of numbers, (n, columns)",
        received=f"records with the fields {fields[:80]}",
        fix="; ".join(f'{name} = np.array({name}.tolist(), dtype="float32")' for name in names),
    )


def _sentences(found: Column, names: Sequence[str]) -> Finding:
    made = "vectorize = keras.layers.TextVectorization(output_sequence_length=100)"
    taken = [f"np.asarray({name}).astype(str).reshape(-1)" for name in names]
    statements = [made, f"vectorize.adapt({taken[0]})"]
    statements += [f"{name} = vectorize({each}).numpy()" for name, each in zip(names, taken, strict=True)]
    return SENTENCES.found(
        "train",
        expected="numbers, or a TextVectorization layer",
        received=f"texts such as {found.example[:60]!r}",
        fix="; ".join(statements) + "  # tokens, for an Embedding as the first layer",
    )
