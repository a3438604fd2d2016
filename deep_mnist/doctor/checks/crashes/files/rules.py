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
