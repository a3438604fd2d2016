"""The documentation of rules, in Markdown: one page for each, and the list of all by subject."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from deep_mnist.doctor.checks.catalogue import rule_named
from deep_mnist.doctor.report.measured import FalseAlarms, false_alarms_of
from deep_mnist.doctor.rule import SUBJECTS, Follows, On, Rule, Scope

FOLDER = "rules"  # of the pages, beside the list
OF_A_CASE = (
    Scope.CASE, Scope.SPLIT, Scope.INPUT, Scope.TARGET, Scope.NETWORK, Scope.NETWORK_INPUT, Scope.NETWORK_OUTPUT,
)  # fmt: skip
WHERE = {
    On.SAME_SPLIT: "in the same split",
    On.SAME_OR_TRAIN: "in the same split or in train",
    On.ANY_SPLIT: "in any split",
    On.ONE_SPLIT: "in train or test alone",
    On.TRAIN: "in train",
    On.BOTH: "of both splits together",
    On.MODEL: "of the network",
}


def rule_page(rule: Rule, example_source: str = "") -> str:
    """Return the page of one rule.

    Args:
        rule: Any, of a package or file of one's own too.
        example_source: Text of its example, a module with fires() and silent(); "" leaves the examples out.
    """
    parts = [
        f"# {rule.code} {rule.name}",
        rule.summary,
        _table(rule),
        f"## What would happen in training\n\n{rule.why}",
        _consequence(rule),
        _examples(rule, example_source),
        f"## False alarms\n\n{_false_alarms(rule)}",
        _accept(rule),
        _switch_off(rule),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def rules_index(rules: Iterable[Rule]) -> str:
    """Return the list of rules by subject, each with a link to its page."""
    by_subject: dict[str, list[Rule]] = {}
    for rule in sorted(rules, key=lambda each: each.order):
        letter = rule.code[0] if len(rule.code) == 4 else ""
        by_subject.setdefault(SUBJECTS.get(letter, "rules of your own"), []).append(rule)
    return "# Rules\n\n" + "\n\n".join(_subject(name, each) for name, each in by_subject.items()) + "\n"


def _subject(name: str, rules: Sequence[Rule]) -> str:
    rows = "\n".join(
        f"| [{rule.code}]({FOLDER}/{rule.code}.md) {rule.name} | {rule.severity} | {_cell(rule.summary)} |"
        for rule in rules
    )
    return f"## {name[0].upper()}{name[1:]}\n\n| rule | severity | what it means |\n|---|---|---|\n{rows}"


def _table(rule: Rule) -> str:
    rows = {
        "field": f"`{rule.field}`",
        "severity": rule.severity,
        "looks at": rule.scope,
        "needs": "; ".join(rule.needs) or "nothing more",
        "kinds of input": ", ".join(sorted(rule.inputs)) or "all",
    }
    return "| | |\n|---|---|\n" + "\n".join(f"| {name} | {_cell(value)} |" for name, value in rows.items())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


# --- what it follows from ------------------------------------------------------------------------


def _consequence(rule: Rule) -> str:
    if not rule.follows:
        return ""
    causes = "\n".join(f"- {each}" for row in rule.follows for each in _causes(row))
    return f"## A consequence of\n\nIt is left out where one of these was found too:\n\n{causes}"


def _causes(row: Follows) -> Iterator[str]:
    least = {"error": ", as an error", "warning": ", as a warning or an error"}.get(row.least, "")
    unless = ", where images and labels differ in number" if row.unless_paired else ""
    for code in row.rules:
        cause = rule_named(code)
        name = code if cause is None else f"[{code}]({code}.md) {cause.name}"
        yield f"{name}, {WHERE[row.on]}{least}{unless}"
    if row.any_field:
        yield f"anything, {WHERE[row.on]}{least}{unless}"
    if row.fields:
        yield f"anything on {', '.join(f'`{each}`' for each in row.fields)}, {WHERE[row.on]}{least}{unless}"


# --- the examples --------------------------------------------------------------------------------


def _examples(rule: Rule, source: str) -> str:
    if not source:
        return ""
    tree = ast.parse(source)
    named = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    shared = [_source_of(node, source) for node in tree.body if _is_shared(node)]
    about = (ast.get_docstring(tree) or "").strip()
    fires = "\n\n".join([*shared, _body_of(named["fires"], source)])
    return (
        f"## Examples\n\n{about}\n\nIt fires:\n\n```python\n{fires}\n```\n\n"
        f"It is silent:\n\n```python\n{_body_of(named['silent'], source)}\n```\n\n"
        f"The tests run both, whole: `tests/deep_mnist/doctor/rules/{rule.code}.py`."
    )


def _is_shared(node: ast.stmt) -> bool:
    """Whether both examples use it: neither of them, the docstring, nor an import."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return False
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return False
    return not (isinstance(node, ast.FunctionDef) and node.name in ("fires", "silent"))


def _source_of(node: ast.stmt, source: str) -> str:
    first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
    return "\n".join(source.splitlines()[first - 1 : node.end_lineno])


def _body_of(function: ast.FunctionDef, source: str) -> str:
    """Return what a function does, as statements; the only `return`, at its end, is left out."""
    lines = source.splitlines()[function.lineno : function.end_lineno]  # a comment before the first statement too
    last = function.body[-1]
    returns = [node for node in ast.walk(function) if isinstance(node, ast.Return)]
    if returns == [last]:
        place = last.lineno - function.lineno - 1
        lines[place] = lines[place].replace("return ", "", 1)
    return textwrap.dedent("\n".join(lines)).strip("\n")


# --- what was measured ---------------------------------------------------------------------------


def _false_alarms(rule: Rule) -> str:
    measured = false_alarms_of(rule.code)
    if measured is None or not measured.draws:
        return f"Not measured on drawn data: {_why_not(rule)}."
    often = f"{measured.alarms or 'None'} in {measured.draws:,} healthy sets that it applies to, drawn by"
    return f"{often} `python -m bench.false_alarms`:\n\n{_kinds(measured)}"


def _kinds(measured: FalseAlarms) -> str:
    """Return a line for all kinds of data of which as many were drawn and as many alarmed, most alarms first."""
    groups: dict[tuple[int, int], list[str]] = {}
    for kind, (draws, alarms) in measured.kinds.items():
        groups.setdefault((alarms, draws), []).append(kind)
    return "\n".join(
        f"- {alarms} in {draws:,}{' each' if len(kinds) > 1 else ''}: {', '.join(kinds)}"
        for (alarms, draws), kinds in sorted(groups.items(), reverse=True)
    )


def _why_not(rule: Rule) -> str:
    if rule.scope not in OF_A_CASE:
        return f"the sets drawn are arrays and a network, and this rule judges a {rule.scope}"
    if rule.inputs and "images" not in rule.inputs:
        return f"the sets drawn are images, and this rule judges {', '.join(sorted(rule.inputs))}"
    return "`python -m bench.false_alarms --write` has drawn no set that it applies to"


# --- what a person may do ------------------------------------------------------------------------


def _accept(rule: Rule) -> str:
    if rule.field.startswith("files."):
        return "## To accept it\n\nA file that cannot be read cannot be accepted: write it again."
    if rule.severity == "note":
        return "## To accept it\n\nA note makes nothing unfit: there is nothing to accept."
    return (
        "## To accept it\n\nWhere it is intended, say why; every report shows the reason.\n\n"
        f'```\npython -m deep_mnist.doctor train.py --accept {rule.code}="the reason"\n```\n\n'
        "or, in a folder's `contract.json`:\n\n"
        f'```json\n{{"accept": [{{"rule": "{rule.code}", "because": "the reason"}}]}}\n```'
    )


def _switch_off(rule: Rule) -> str:
    return (
        "## To switch it off\n\n"
        f"```\npython -m deep_mnist.doctor train.py --ignore {rule.code}\n```\n\n"
        "or, for a whole project, in its `pyproject.toml`:\n\n"
        f'```toml\n[tool.deep-mnist.doctor]\nignore = ["{rule.code}"]\n```'
    )
