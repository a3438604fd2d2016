"""What the columns of a table hold that is no array of numbers: words, dates, numbers written as text, lists.

A table is a data frame (known by its columns, so that pandas is not imported) or an array of objects or text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from types import FrameType
from typing import Any, NamedTuple

import numpy as np

LOOKED_AT = 20_000  # cells of one column
MOST_COLUMNS = 4096  # looked at
MOST_GAPS = 0.3  # share of cells that are no number, among numbers written as text
LONGEST_SHOWN = 40  # characters of a cell
MOST_LISTED = 12  # different words of a column, given one by one in a fix
DATE = re.compile(r"\s*(\d{4}[-/.]\d{1,2}([-/.]\d{1,2})?|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})([T ]\d{1,2}:\d{2}.*)?\s*")
DECORATION = re.compile(r"[\s,$€£%_]")  # 1,200 and $3.50 are numbers all the same
# 1.234,50 has a comma for the point; 1,234.50 and 1 234 have marks between thousands.
COMMA_FOR_POINT = re.compile(r"\s*[+-]?(\d+|\d{1,3}([. ]\d{3})+),\d+\s*")
BY_THOUSANDS = re.compile(r"\s*[+-]?[1-9]\d{0,2}([, ]\d{3})+(\.\d*)?\s*")
ROW_LENGTH = 4  # numbers in one text, from which they are a row
MOST_ROWS = 200  # texts, looked at for rows
GAPS = ("", "?", "-", "--", "na", "n/a", "nan", "none", "null", "unknown", "missing", ".")
NUMBER_TYPES = (bool, int, float, np.bool_, np.integer, np.floating)


class Cells(StrEnum):
    """What the cells of a column are."""

    NUMBERS = "numbers"
    WORDS = "words"
    DATES = "dates"
    NUMBERS_AS_TEXT = "numbers written as text"
    ROWS_AS_TEXT = "rows of numbers written as text"
    LISTS = "lists or arrays"


class Column(NamedTuple):
    """One column that is not numbers, or an array of objects that are.

    Attributes:
        key: Its name in a data frame, its index in an array.
        cells: What it holds.
        example: One cell, as text.
        values: The different words, sorted; () where there are too many, or none.
        gaps: Cells that are no number among numbers written as text, different ones.
        are_objects: Dates are Python's or pandas's objects, not text.
        is_day_first: Dates as text begin with the day.
        is_plain: Every number written as text can be read as it is.
        comma: What the commas of numbers written as text are: "decimal", "thousands", "" where other signs mark them.
        row_length: Of a row of numbers in one text, 0 of none.
    """

    key: Any
    cells: Cells
    example: str = ""
    values: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    are_objects: bool = False
    is_plain: bool = False
    is_day_first: bool = False
    comma: str = ""
    row_length: int = 0

    @property
    def quoted(self) -> str:
        """Return the key as it stands in Python."""
        return f'"{self.key}"' if isinstance(self.key, str) and '"' not in self.key else repr(self.key)

    @property
    def told(self) -> str:
        """Return what it holds, in words."""
        return f"column {self.quoted} holds {self.cells}, such as {shortened(self.example)!r}"

    def number_of(self, text: str) -> str:
        """Return the expression for the number that a text of the column is."""
        if self.comma == "decimal":
            return f'float({text}.replace(".", "").replace(",", "."))'
        return f'float({text}.strip("$€£% ").replace(",", ""))'


def is_frame(table: Any) -> bool:
    """Whether a table is a data frame, and no class of one: it has columns with a dtype each."""
    return (
        not isinstance(table, type)
        and hasattr(table, "columns")
        and hasattr(table, "dtypes")
        and hasattr(table, "assign")
    )


def is_table(table: Any) -> bool:
    """Whether something is a data frame, or an array of objects, text, dates or records on one or two axes."""
    if is_frame(table):
        return 0 < len(table.columns) <= MOST_COLUMNS and len(table) > 0
    if not isinstance(table, np.ndarray) or table.dtype.kind not in "OUSVMm" or not table.size:
        return False
    return table.ndim == 1 or (table.ndim == 2 and table.shape[1] <= MOST_COLUMNS)


def name_in_frames(frame: FrameType | None, width: int, place: int) -> str:
    """Return " ('price')" of a column, by the program's tables of this width; "" where these do not agree."""
    held = [*frame.f_globals.values(), *frame.f_locals.values()] if frame is not None else []
    named = {str(list(each.columns)[place]) for each in held if is_frame(each) and len(each.columns) == width}
    return f" ({named.pop()!r})" if len(named) == 1 else ""


def columns_of(table: Any) -> list[Column]:
    """Return the columns of a table that do not hold numbers; of an array of objects all of them.

    Args:
        table: A data frame, or an array (n,) or (n, columns) of objects, text or dates.
    """
    if is_frame(table):
        named = [(key, table[key]) for key in table.columns if _count_of(table, key) == 1]
        return [column_of(key, each.to_numpy()) for key, each in named if _kind(each.dtype) not in "biufc"]
    if table.ndim == 1:
        return [column_of(0, table)]
    return [column_of(index, table[:, index]) for index in range(table.shape[1])]


def _count_of(table: Any, key: Any) -> int:
    return sum(each == key for each in table.columns)


def _kind(dtype: Any) -> str:
    """Return numpy's letter of a dtype, or of that which pandas puts around it; "O" for categories."""
    return str(getattr(dtype, "kind", "O"))


def column_of(key: Any, cells: np.ndarray) -> Column:
    """Return what one column holds.

    Args:
        key: Its name or index.
        cells: (n,), of any dtype.
    """
    if cells.dtype.kind in "Mm":
        return Column(key, Cells.DATES, str(cells[:1].tolist()[0] if len(cells) else ""), are_objects=True)
    if cells.dtype.kind in "biufc":
        return Column(key, Cells.NUMBERS)
    held = [each for each in _some(cells) if not _is_missing(each)]
    lists = [each for each in held if isinstance(each, list | tuple | np.ndarray)]
    if lists:
        return Column(key, Cells.LISTS, type(lists[0]).__name__)
    if held and all(hasattr(each, "isoformat") for each in held):
        return Column(key, Cells.DATES, str(held[0]), are_objects=True)
    texts = [_text(each) for each in held if isinstance(each, str | bytes)]
    if not texts:
        others = [each for each in held if not isinstance(each, NUMBER_TYPES)]
        return _of_words(key, others) if others and not hasattr(others[0], "__float__") else Column(key, Cells.NUMBERS)
    return _of_texts(key, texts, [each for each in held if not isinstance(each, str | bytes)])


def _is_missing(cell: Any) -> bool:
    """Whether a cell is None, NaN, or what pandas writes for a missing number or date."""
    nan = isinstance(cell, float | np.floating) and bool(np.isnan(cell))
    return cell is None or nan or type(cell).__name__ in ("NAType", "NaTType")


def _some(cells: np.ndarray) -> Iterable[Any]:
    step = max(1, len(cells) // LOOKED_AT)
    return iter(cells[::step].tolist() if cells.dtype.kind != "O" else cells[::step])


def _text(cell: str | bytes) -> str:
    return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell


def _of_texts(key: Any, texts: Sequence[str], others: Sequence[Any]) -> Column:
    different = dict.fromkeys(texts)
    dates = [each for each in different if DATE.fullmatch(each)]
    if len(dates) == len([each for each in different if each.strip().lower() not in GAPS]) > 0:
        first = [re.split(r"[-/.]", each.strip())[0] for each in dates]
        return Column(key, Cells.DATES, dates[0], is_day_first=any(12 < int(each) < 32 for each in first))
    if not others and (length := _row_length(list(different)[:MOST_ROWS])):
        return Column(key, Cells.ROWS_AS_TEXT, texts[0], row_length=length)
    gaps = [each for each in different if not is_number(each)]
    is_gap = [each.strip().lower() in GAPS for each in gaps]
    count = sum(not is_number(each) for each in texts)
    few = all(is_gap) or (len(gaps) <= 3 and count < 0.05 * len(texts))  # a word among hundreds of numbers
    if few and count <= MOST_GAPS * (len(texts) + len(others)) and len(gaps) < len(different) + bool(others):
        written = [each for each in different if is_number(each)]
        marked = [each for each in written if DECORATION.search(each.strip())]
        example = [*gaps, *marked, *written, ""][0]
        return Column(
            key, Cells.NUMBERS_AS_TEXT, example, gaps=tuple(gaps), is_plain=not gaps and not marked,
            comma=_comma_of(marked),
        )  # fmt: skip
    return _of_words(key, [*texts, *others])


def _row_length(texts: Sequence[str]) -> int:
    """Return how many numbers each text holds, 0 where they are not as many in all, or groups of thousands of one."""
    lengths = {len(each.split()) if _are_numbers(each := _without_brackets(text)) else 0 for text in texts}
    length = lengths.pop() if len(lengths) == 1 else 0
    return length if length >= ROW_LENGTH and not all(map(BY_THOUSANDS.fullmatch, texts)) else 0


def _without_brackets(text: str) -> str:
    return text.strip("[]() \n").replace(",", " ")


def _are_numbers(text: str) -> bool:
    try:
        return all(float(each) is not None for each in text.split())
    except ValueError:
        return False


def _comma_of(marked: Sequence[str]) -> str:
    """Return what the commas stand for in the numbers that are not written plainly."""
    if marked and all(BY_THOUSANDS.fullmatch(each) and " " not in each.strip() for each in marked):
        return "thousands"
    return "decimal" if marked and all(map(COMMA_FOR_POINT.fullmatch, marked)) else ""


def _of_words(key: Any, cells: Sequence[Any]) -> Column:
    different = sorted({str(each) for each in cells})
    listed = tuple(different) if len(different) <= MOST_LISTED else ()
    return Column(key, Cells.WORDS, str(cells[0]), listed)


def shortened(text: str) -> str:
    """Return a text, or its beginning where it is long."""
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def is_number(text: str) -> bool:
    """Whether a text is a number, perhaps with a currency, a per cent sign or separators of thousands."""
    try:
        float(DECORATION.sub("", text))
    except ValueError:
        return False
    return text.strip().lower() != "nan"
