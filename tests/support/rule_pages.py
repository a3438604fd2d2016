"""python -m tests.support.rule_pages: write docs/rules.md and a page for each rule, docs/rules/<CODE>.md.

The pages show the rules' examples, which the tests execute and the wheel does not hold.
"""

from __future__ import annotations

import sys
from pathlib import Path

from deep_mnist.doctor.checks.catalogue import rules
from deep_mnist.doctor.report.pages import FOLDER, rule_page, rules_index
from deep_mnist.doctor.rule import SUBJECTS, Rule

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "tests" / "deep_mnist" / "doctor" / "rules"
DOCS = ROOT / "docs"


def write_pages(folder: Path) -> None:
    """Write rules.md and rules/<CODE>.md; pages of rules that are no more are removed."""
    pages = folder / FOLDER
    pages.mkdir(parents=True, exist_ok=True)
    ours = [rule for rule in rules() if len(rule.code) == 4 and rule.code[0] in SUBJECTS]
    for old in set(pages.glob("*.md")) - {pages / f"{rule.code}.md" for rule in ours}:
        old.unlink()
    for rule in ours:
        (pages / f"{rule.code}.md").write_text(rule_page(rule, example_source(rule)))
    (folder / "rules.md").write_text(rules_index(ours))


def example_source(rule: Rule) -> str:
    """Return the text of a rule's example, "" where it has none."""
    path = EXAMPLES / f"{rule.code}.py"
    return path.read_text() if path.is_file() else ""


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS)
