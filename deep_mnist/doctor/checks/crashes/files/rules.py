"""The rules of errors that end a program while it reads its data."""

from __future__ import annotations

from deep_mnist.doctor.checks.crashes.rules import crash_rule

SAVED_OTHERWISE = crash_rule(
    "E044",
    "model-saved-otherwise",
    "files.model",
    "A saved model holds arguments that layers of this Keras do not take, or code that it does not run unasked.",
)
COLUMN_UNKNOWN = crash_rule(
    "E014",
    "column-unknown",
    "program.data",
    "A table of pandas is asked for a column that it does not have under this name.",
)
ENCODING_OTHER = crash_rule(
    "E015",
    "encoding-of-another",
    "program.data",
    "A file is read as text of an encoding that it is not in, or opened as text where bytes are read or written.",
)
HEADER_READ = crash_rule(
    "E016",
    "header-read-as-numbers",
    "program.data",
    "A file of numbers begins with a line of names, or parts its numbers by another mark than it is read with.",
)
SHAPES_DIFFER = crash_rule(
    "E017",
    "shapes-differ",
    "program.data",
    "One array is made of pictures, sequences or windows of several shapes.",
)
JSON_LINES = crash_rule(
    "E018", "json-of-lines", "program.data", "A file with a value of JSON on each line is read as one value."
)
KEY_OTHER = crash_rule(
    "E021",
    "key-of-another-name",
    "program.data",
    "A file of h5py or a dictionary of a pickle is asked for a key that it has under another name, or as bytes.",
)
NO_TEXT = crash_rule(
    "E022",
    "missing-among-texts",
    "program.data",
    "A missing value or a number stands among the texts of a column or list that the program reads.",
)
FORMAT_OTHER = crash_rule(
    "E030",
    "text-of-another-format",
    "program.data",
    "A text is read as a table, JSON or dates of a format that it is not in: lines with more fields than the first, "
    "open quotes, no line at all, a value of Python, days before months.",
)
FOLDER_OTHERWISE = crash_rule(
    "E045",
    "folder-read-otherwise",
    "program.data",
    "A folder is read as a dataset by arguments that do not go together, such as validation_split without a seed.",
)
