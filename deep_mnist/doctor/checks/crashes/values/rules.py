"""The rules of errors about values that are used as what they are not."""

from __future__ import annotations

from deep_mnist.doctor.checks.crashes.rules import crash_rule

NO_ARRAY = crash_rule(
    "E024",
    "used-as-an-array",
    "program.values",
    "A list, a table of pandas, a tensor or a dataset is used as only an array of numpy can be.",
)
FRACTION = crash_rule(
    "E025", "fraction-for-a-whole-number", "program.values", "A float is given where only an int counts or cuts."
)
ROWS_DIFFER = crash_rule(
    "E026",
    "rows-of-another-count",
    "program.values",
    "Arrays that belong together row by row have other numbers of rows.",
)
AXES_OTHER = crash_rule(
    "E027",
    "axes-of-a-table",
    "program.values",
    "What takes a table, (rows, columns), is given one axis, three, or other columns.",
)
MANY_TRUTHS = crash_rule(
    "E028",
    "truth-of-many-values",
    "program.values",
    "A condition, `and`, `or` or `not` is asked of more than one value.",
)
FRACTIONS_IN_PLACE = crash_rule(
    "E038",
    "fractions-in-place",
    "program.values",
    "Whole numbers, as pixels are, are divided in place, where they cannot become floats.",
)
ROW_MISSING = crash_rule(
    "E039",
    "place-beyond-the-end",
    "program.values",
    "An array is asked for a row that it does not have, or that is no whole number.",
)
AXIS_MISSING = crash_rule(
    "E040", "axis-missing", "program.values", "An array is asked for an axis that it does not have."
)
SHAPE_OTHER = crash_rule(
    "E041",
    "shapes-that-do-not-fit",
    "program.values",
    "Arrays of shapes that do not fit are put together, or into one.",
)
NOT_FITTED = crash_rule(
    "E031",
    "not-fitted-to-it",
    "program.values",
    "A scaler, encoder or split of scikit-learn is used before it is fitted, on classes that it has not seen, or with "
    "a class of too few rows.",
)
MISSING_INT = crash_rule(
    "E032",
    "missing-for-an-int",
    "program.values",
    "Missing or infinite values of a table are made ints, which have none.",
)
KIND_OTHER = crash_rule(
    "E033",
    "value-not-for-this-use",
    "program.values",
    "A number is gone through or joined with a text, a value is called as a function, a list is asked by a name, a "
    "column of texts is used as dates, or joined with one of numbers.",
)
PARTS_DIFFER = crash_rule(
    "E034",
    "parts-that-do-not-fit",
    "program.values",
    "Arrays are joined, or a table is given rows, columns or names, whose sizes do not fit one another.",
)
NO_TABLE = crash_rule(
    "E047", "used-as-a-table", "program.values", "An array of numpy is used as only a table of pandas can be."
)
