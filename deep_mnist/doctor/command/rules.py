"""python -m deep_mnist.doctor rules, and rule CODE: what the doctor can name, and one of it explained."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from deep_mnist.doctor.acceptance import known_names
from deep_mnist.doctor.checks.catalogue import RuleError, add, rule_named, rules
from deep_mnist.doctor.report.pages import rule_page
from deep_mnist.doctor.rule import SUBJECTS, Rule
from deep_mnist.doctor.settings import project_settings

USAGE = "usage: python -m deep_mnist.doctor rules [--rules FILE.py] | rule CODE [--rules FILE.py]"


def explain(arguments: Sequence[str]) -> int:
    """List all rules, or print one rule's page; return the exit status: 0, or 2 where there is no such rule.

    Args:
        arguments: ["rules"] or ["rule", CODE or name], then any --rules FILE.py.
    """
    words = list(arguments)
    try:
        for path in project_settings(Path.cwd()).rules:
            add(path)
        while "--rules" in words[:-1]:
            place = words.index("--rules")
            add(Path(words[place + 1]))
            del words[place : place + 2]
    except RuleError as error:
        print(f"doctor: {error}", file=sys.stderr)
        return 2
    if words == ["rules"]:
        print(listed(rules()))
        return 0
    if len(words) != 2 or words[0] != "rule":
        print(USAGE, file=sys.stderr)
        return 2
    rule = rule_named(words[1])
    if rule is None:
        print(
            f"doctor: Expected the code or name of a rule. Received: {words[1]!r}. {known_names(words[1])}",
            file=sys.stderr,
        )
        return 2
    print(rule_page(rule))
    return 0


def listed(all_rules: Sequence[Rule]) -> str:
    """Return a line for each rule, by subject.

    >>> print(listed([]))
    <BLANKLINE>
    """
    lines: list[str] = []
    subject = None
    for rule in all_rules:
        of = SUBJECTS.get(rule.code[0], "") if len(rule.code) == 4 else ""
        if of != subject:
            subject = of
            lines += ["", (of or "own rules").capitalize()]
        lines.append(f"  {rule.code}  {rule.severity:8} {rule.field:26} {rule.name}")
    return "\n".join(lines[1:])
