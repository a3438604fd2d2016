"""The rules of errors that end a program while it reads its data."""

from __future__ import annotations

from deep_mnist.doctor.rule import Rule, Scope


def _rule(code: str, name: str, summary: str) -> Rule:
    return Rule(
        code=code,
        name=name,
        field="program.data",
        severity="error",
        scope=Scope.CRASH,
        summary=summary,
        why="The program stops with this error.",
    )


COLUMN_UNKNOWN = _rule(
    "E014",
    "column-unknown",
    "A table of pandas is asked for a column that it does not have under this name.",
)
ENCODING_OTHER = _rule(
    "E015",
    "encoding-of-another",
    "A file is read as text of an encoding that it is not in, or opened as text where bytes are read or written.",
)
HEADER_READ = _rule(
    "E016",
    "header-read-as-numbers",
    "A file of numbers begins with a line of names, or parts its numbers by another mark than it is read with.",
)
SHAPES_DIFFER = _rule(
    "E017",
    "shapes-differ",
    "One array is made of pictures, sequences or windows of several shapes.",
)
JSON_LINES = _rule("E018", "json-of-lines", "A file with a value of JSON on each line is read as one value.")
KEY_OTHER = _rule(
    "E021",
    "key-of-another-name",
    "A file of h5py or a dictionary of a pickle is asked for a key that it has under another name, or as bytes.",
)
NO_TEXT = _rule(
    "E022",
    "missing-among-texts",
    "A missing value or a number stands among the texts of a column or list that the program reads.",
)
FORMAT_OTHER = _rule(
    "E030",
    "text-of-another-format",
    "A text is read as a table, JSON or dates of a format that it is not in: lines with more fields than the first, "
    "open quotes, no line at all, a value of Python, days before months.",
)
