"""The rules of errors about values that are used as what they are not."""

from __future__ import annotations

from deep_mnist.doctor.rule import Rule, Scope


def _rule(code: str, name: str, summary: str) -> Rule:
    return Rule(
        code=code,
        name=name,
        field="program.values",
        severity="error",
        scope=Scope.CRASH,
        summary=summary,
        why="The program stops with this error.",
    )


NO_ARRAY = _rule(
    "E024",
    "used-as-an-array",
    "A list, a table of pandas, a tensor or a dataset is used as only an array of numpy can be.",
)
FRACTION = _rule("E025", "fraction-for-a-whole-number", "A float is given where only an int counts or cuts.")
ROWS_DIFFER = _rule(
    "E026", "rows-of-another-count", "Arrays that belong together row by row have other numbers of rows."
)
AXES_OTHER = _rule(
    "E027", "axes-of-a-table", "What takes a table, (rows, columns), is given one axis, three, or other columns."
)
MANY_TRUTHS = _rule(
    "E028", "truth-of-many-values", "A condition, `and`, `or` or `not` is asked of more than one value."
)
FRACTIONS_IN_PLACE = _rule(
    "E038", "fractions-in-place", "Whole numbers, as pixels are, are divided in place, where they cannot become floats."
)
ROW_MISSING = _rule(
    "E039",
    "place-beyond-the-end",
    "An array is asked for a row that it does not have, or that is no whole number.",
)
AXIS_MISSING = _rule("E040", "axis-missing", "An array is asked for an axis that it does not have.")
SHAPE_OTHER = _rule("E041", "shapes-that-do-not-fit", "Arrays of shapes that do not fit are put together, or into one.")
NOT_FITTED = _rule(
    "E031",
    "not-fitted-to-it",
    "A scaler, encoder or split of scikit-learn is used before it is fitted, on classes that it has not seen, or with "
    "a class of too few rows.",
)
MISSING_INT = _rule(
    "E032", "missing-for-an-int", "Missing or infinite values of a table are made ints, which have none."
)
KIND_OTHER = _rule(
    "E033",
    "value-not-for-this-use",
    "A number is gone through or joined with a text, a value is called as a function, a list is asked by a name, a "
    "column of texts is used as dates, or joined with one of numbers.",
)
PARTS_DIFFER = _rule(
    "E034",
    "parts-that-do-not-fit",
    "Arrays are joined, or a table is given rows, columns or names, whose sizes do not fit one another.",
)
