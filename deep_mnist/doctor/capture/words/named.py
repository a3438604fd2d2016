"""Findings reported in the names and lines of the source: a fix for `train_images` becomes one for `x_train`."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import replace

from deep_mnist.doctor.capture.source import Variable
from deep_mnist.doctor.capture.words.origin import Origin, is_shared
from deep_mnist.doctor.evidence.live.statements.call_line import (
    parameter,
    with_arguments,
)
from deep_mnist.doctor.evidence.live.statements.compile_line import in_compile_call
from deep_mnist.doctor.evidence.live.statements.fix_statements import IN_PLACE, ROLE, is_code, of_library, without_roles
from deep_mnist.doctor.finding import Finding

MODEL = re.compile(
    r"\bmodel(?=\.(?:compile|fit|optimizer|layers|get_layer|loss|trainable|get_compile_config|compile_from_config)\b"
    r"| = keras\b)|(?<=clone_model\()model(?=\))"
)


def named(finding: Finding, origin: Origin) -> Finding:
    """Return a finding reported in the source's names."""
    variables = origin.variables
    if not variables:
        return finding
    unnamed = {role for role, each in variables.items() if each.name == parameter(role)} if not origin.is_own else set()
    fix = of_library(finding.fix, unnamed, origin.call) or _one_statement(finding, variables)

    def spoken(match: re.Match[str]) -> str:
        variable = variables.get(match.group())
        return variable.expression if variable is not None else match.group()

    def name(match: re.Match[str]) -> str:
        variable = variables.get(match.group())
        return variable.name if variable is not None else match.group()

    expected, received, why = (ROLE.sub(spoken, text) for text in (finding.expected, finding.received, finding.why))
    model = variables.get("model")
    fix = ROLE.sub(name if is_code(fix) else spoken, fix)
    fix = _within_pipeline(finding, fix, origin) or _in_call(finding, fix, origin)
    if model is not None:
        fix = recompiled(MODEL.sub(lambda _: model.name, fix), origin)
    return replace(finding, expected=expected, received=received, why=why, fix=fix)


def recompiled(fix: str, origin: Origin) -> str:
    """Return a fix that compiles the model again as the source's own line that does; else the fix as it is."""
    model = origin.variables.get("model")
    return fix if model is None else in_compile_call(fix, model.name, origin.tree, origin.at)


def _one_statement(finding: Finding, variables: Mapping[str, Variable]) -> str:
    """Leave out what a fix does to the test split where both splits are one variable of the source."""
    body, mark, comment = finding.fix.partition("  # ")
    shared = {role for role in variables if role.startswith("test_") and is_shared(variables, role)}
    if finding.split == "test" or not any(role in body for role in shared):
        return finding.fix
    return without_roles(shared, body) + mark + comment


def _within_pipeline(finding: Finding, fix: str, origin: Origin) -> str:
    """Return a fix for one of multiple inputs or targets that has no name outside its pipeline, as a sentence."""
    body = fix.partition("  # ")[0]
    whole = origin.variables.get("test_images" if finding.split == "test" else "train_images")
    if whole is None or not is_code(body) or not any(match.group(3) for match in ROLE.finditer(body)):
        return ""
    return f"Do this where {whole.expression} is made: {ROLE.sub(lambda match: parameter(match.group()), body)}."


def _in_call(finding: Finding, fix: str, origin: Origin) -> str:
    """Return a fix in the source's names as the whole line of the call, where the call is given expressions."""
    body, _, comment = fix.partition("  # ")
    roles = {match.group() for match in ROLE.finditer(finding.fix)}
    names = {origin.variables[each].name.partition("[")[0] for each in roles if each in origin.variables}
    given = {
        each.name: each.expression for each in origin.variables.values() if each.is_argument and each.name in names
    }
    if not given or origin.node is None or origin.tree is None or IN_PLACE in comment or not is_code(body):
        return fix
    line = with_arguments(origin.tree, origin.node, body, given)
    if not line and origin.later is not None:
        again = _given_names(origin.later, given)
        first = "; ".join(f"{name} = {expression}" for name, expression in given.items())
        return f"{first}; {body}  # {f'{comment}; ' if comment else ''}and {again} below"
    if not line:
        told = "; ".join(f"{name}: {expression}" for name, expression in given.items())
        return f"{body}  # {f'{comment}; ' if comment else ''}where the call is given {told}"
    return f"{line}  # {f'{comment}; ' if comment else ''}{IN_PLACE} {origin.at(origin.node.lineno)}"


def _given_names(call: ast.Call, given: Mapping[str, str]) -> str:
    """Return a call that is given names in the place of expressions."""
    text = ast.unparse(call)
    for name, expression in given.items():
        text = text.replace(expression, name)
    return text
