"""The lines that make a table one array of numbers, in the words of what it is: a data frame, or an array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deep_mnist.doctor.evidence.columns import Cells, Column, columns_of, is_frame

MOST_WORDS = 0.5  # different ones, as a share of the rows, that a column of its own is made for
YEARS = 'np.datetime64("2000-01-01")'


def fix_of_frames(names: Sequence[str], columns: Sequence[Column], pandas: str, *, imported: bool) -> str:
    """Return statements on data frames, of which the first is train's.

    Args:
        names: Of the frames.
        columns: That do not hold numbers.
        pandas: What the program calls pandas.
        imported: It does so already.
    """
    if (row := _row_among(columns)) is not None:
        return _rows_alone(names, row, f"{{name}}[{row.quoted}]", len(columns))
    before, assigned = [], []
    for index, each in enumerate(columns):
        key, column = each.quoted, f"{{name}}[{each.quoted}]"
        value = _numbers_of(each, column, pandas)
        if not value:
            mapping = _mapping(each)
            if not mapping:
                mapping = f"values{index or ''}"
                words = f"sorted(set({names[0]}[{key}].astype(str)))"
                before.append(f"{mapping} = {{each: number for number, each in enumerate({words})}}")
            value = f"{column}.astype(str).map({mapping}).fillna(-1)"
        assigned.append(f"{key}: {value}")
    statements = [] if imported else [f"import pandas as {pandas}"]
    statements += before
    statements += [f"{name} = {name}.assign(**{{{', '.join(assigned).replace('{name}', name)}}})" for name in names]
    if any(each.gaps for each in columns):
        statements.append(f"middle = {names[0]}.median()")
        statements += [f"{name} = {name}.fillna(middle)" for name in names]
    return "; ".join(statements)


def _numbers_of(column: Column, series: str, pandas: str) -> str:
    """Return the expression for a column's numbers, of a series of pandas; "" of words, which stand for none."""
    if column.cells is Cells.DATES:
        order = ", dayfirst=True" if column.is_day_first else ""
        return f'({pandas}.to_datetime({series}{order}) - {pandas}.Timestamp("2000-01-01")).dt.days / 365.25'
    if column.cells is Cells.NUMBERS_AS_TEXT:
        text = f"{series}.astype(str)"
        if column.comma == "decimal":
            text = f'{text}.str.replace(".", "").str.replace(",", ".")'
        plain = f'{text}.str.replace(r"[^0-9.eE+-]", "", regex=True)'
        return f'{pandas}.to_numeric({plain}, errors="coerce")'
    return f'{series}.astype("float32")' if column.cells is Cells.NUMBERS else ""


def encoded(names: Sequence[str], table: Any, pandas: str, *, imported: bool) -> str:
    """Return statements that make numbers of a table's columns; of one frame, a column for each word.

    Args:
        names: Of the table, which comes first, and of those that are to have the same columns.
        table: A data frame, a series, or an array of objects or text.
        pandas: What the program calls pandas.
        imported: It does so already.
    """
    name = names[0]
    if not is_frame(table) and hasattr(table, "to_frame"):
        (column,) = columns_of(table.to_frame())
        return f"{name} = " + (_numbers_of(column, name, pandas) or f'{name}.astype("category").cat.codes')
    columns = columns_of(table)
    if not is_frame(table):
        return fix_of_arrays(names, columns, flat=table.ndim == 1)
    if len(names) > 1 or any(each.cells is not Cells.WORDS for each in columns):
        return fix_of_frames(names, columns, pandas, imported=imported)
    counts = {each.quoted: int(table[each.key].nunique()) for each in columns}
    spread = {key: count for key, count in counts.items() if count <= MOST_WORDS * len(table)}
    kept = f"{name}.drop(columns=[{', '.join(key for key in counts if key not in spread)}])"
    kept = kept if len(spread) < len(counts) else name
    value = f"{pandas}.get_dummies({kept}, columns=[{', '.join(spread)}])" if spread else kept
    width = len(table.columns) - len(counts) + sum(spread.values())
    before = "" if imported or not spread else f"import pandas as {pandas}; "
    return f"{before}{name} = {value}  # {name} then has {width} columns, and so has Input(({width},))"


def tables_alike(table: Any, names: Mapping[str, Any]) -> list[str]:
    """Return the names of the other data frames that have a table's columns, as its test part has; [] of no frame."""
    if not is_frame(table):
        return []
    frames = {name: each for name, each in names.items() if is_frame(each) and each is not table and name[:1] != "_"}
    return [name for name, each in frames.items() if list(each.columns) == list(table.columns)]


def fix_of_arrays(names: Sequence[str], columns: Sequence[Column], *, flat: bool) -> str:
    """Return statements on arrays (n, columns) of objects or text, of which the first is train's.

    Args:
        names: Of the arrays.
        columns: Of which some do not hold numbers.
        flat: The arrays are of shape (n,).
    """
    if (row := _row_among(columns)) is not None:
        return _rows_alone(names, row, "{name}" if flat else f"{{name}}[:, {row.key}]", len(columns))
    before, cells = [], []
    for index, each in enumerate(each for each in columns if each.cells is not Cells.NUMBERS and not each.is_plain):
        place = "{name}" if flat else f"{{name}}[:, {each.key}]"
        if each.cells is Cells.DATES:
            value = f'(np.array({place}, "datetime64[D]") - {YEARS}).astype(float) / 365.25'
        elif each.cells is Cells.NUMBERS_AS_TEXT:
            known = f"np.nan if str(each) in {list(each.gaps)} else {each.number_of('str(each)')}"
            value = f"[{known if each.gaps else known.partition(' else ')[2]} for each in {place}]"
        else:
            mapping = _mapping(each)
            if not mapping:
                mapping = f"values{index or ''}"
                words = f"sorted(set(map(str, {place.replace('{name}', names[0])})))"
                before.append(f"{mapping} = {{each: number for number, each in enumerate({words})}}")
            value = f"[{mapping}.get(str(each), -1) for each in {place}]"
        cells.append((place, value))
    changed = [
        statement
        for name in names
        for statement in (
            *([] if flat or not cells else [f"{name} = {name}.astype(object)"]),
            *(f"{place} = {value}".replace("{name}", name) for place, value in cells),
            f'{name} = np.asarray({name}).astype("float32")',
        )
    ]
    if any(each.gaps for each in columns):
        changed.append(f"middle = np.nanmedian({names[0]}, axis=0)")
        changed += [f"{name} = np.where(np.isnan({name}), middle, {name})" for name in names]
    return "; ".join([*before, *changed])


def _row_among(columns: Sequence[Column]) -> Column | None:
    return next((each for each in columns if each.cells is Cells.ROWS_AS_TEXT), None)


def _rows_alone(names: Sequence[str], row: Column, place: str, count: int) -> str:
    """Return statements that make the inputs of a column of rows; other columns are then left out."""
    made = "; ".join(f"{name} = {rows_of(place.replace('{name}', name), row)}" for name in names)
    return made if count == 1 else f"{made}  # the other columns are an input of their own"


def rows_of(texts: str, column: Column, dtype: str = '"float32"') -> str:
    """Return the expression for an array (n, row_length) of rows of numbers that are written as text."""
    row = "row"
    if column.example.strip()[:1] in ("[", "("):
        row += '.strip("[]() ")'
    if "," in column.example:
        row += '.replace(",", " ")'
    return f"np.array([{row}.split() for row in {texts}], dtype={dtype})"


def _mapping(column: Column) -> str:
    """Return the dictionary from words to numbers, "" where there are too many of them."""
    return str({each: number for number, each in enumerate(column.values)}) if column.values else ""
