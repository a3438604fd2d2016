"""A file of rules as a user writes it: the plant makes no sevens."""

from __future__ import annotations

from pathlib import Path

OWN = """
from deep_mnist.doctor.rule import Rule, Scope, Need, check

NO_SEVENS = Rule(
    code="OWN001", name="own-no-sevens", field="labels.values", severity="error", scope=Scope.TARGET,
    needs=(Need.LABELS,), summary="The plant makes no sevens.", why="A seven is a reading error of the scanner.",
)

@check(NO_SEVENS)
def check_sevens(case, split):
    sevens = int((split.labels == 7).sum())
    if sevens:
        {body}
        yield NO_SEVENS.found(split.name, expected="no sevens", received=f"{{sevens}} sevens", fix="Scan again.")
"""


def write_rules(path: Path, body: str = "pass") -> Path:
    """Write the file and return its path; `body` is a statement that runs before a seven is reported."""
    path.write_text(OWN.format(body=body))
    return path
