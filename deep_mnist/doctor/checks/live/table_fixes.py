"""The lines that make a table one array of numbers, in the words of what it is: a data frame, or an array."""

from __future__ import annotations

from collections.abc import Sequence

from deep_mnist.doctor.evidence.columns import Cells, Column

YEARS = 'np.datetime64("2000-01-01")'


def fix_of_frames(names: Sequence[str], columns: Sequence[Column], pandas: str, *, imported: bool) -> str:
    """Return statements on data frames, of which the first is train's.

    Args:
        names: Of the frames.
        columns: That do not hold numbers.
        pandas: What the program calls pandas.
        imported: It does so already.
    """
    before, assigned = [], []
    for index, each in enumerate(columns):
        key, column = each.quoted, f"{{name}}[{each.quoted}]"
        if each.cells is Cells.DATES:
            order = ", dayfirst=True" if each.is_day_first else ""
            value = f'({pandas}.to_datetime({column}{order}) - {pandas}.Timestamp("2000-01-01")).dt.days / 365.25'
        elif each.cells is Cells.NUMBERS_AS_TEXT:
            plain = f'{column}.astype(str).str.replace(r"[^0-9.eE+-]", "", regex=True)'
            value = f'{pandas}.to_numeric({plain}, errors="coerce")'
        elif each.cells is Cells.NUMBERS:
            value = f'{column}.astype("float32")'
        else:
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


def fix_of_arrays(names: Sequence[str], columns: Sequence[Column], *, flat: bool) -> str:
    """Return statements on arrays (n, columns) of objects or text, of which the first is train's.

    Args:
        names: Of the arrays.
        columns: Of which some do not hold numbers.
        flat: The arrays are of shape (n,).
    """
    before, cells = [], []
    for index, each in enumerate(each for each in columns if each.cells is not Cells.NUMBERS and not each.is_plain):
        place = "{name}" if flat else f"{{name}}[:, {each.key}]"
        if each.cells is Cells.DATES:
            value = f'(np.array({place}, "datetime64[D]") - {YEARS}).astype(float) / 365.25'
        elif each.cells is Cells.NUMBERS_AS_TEXT:
            known = f'np.nan if str(each) in {list(each.gaps)} else float(str(each).strip("$€£% ").replace(",", ""))'
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


def _mapping(column: Column) -> str:
    """Return the dictionary from words to numbers, "" where there are too many of them."""
    return str({each: number for number, each in enumerate(column.values)}) if column.values else ""
