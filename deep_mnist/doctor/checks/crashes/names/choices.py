"""Words for an argument that are none of those that it takes, as the error lists them: the one that is meant."""

from __future__ import annotations

import ast
import re

from deep_mnist.doctor.checks.crashes.crash import Crash, TraceStep
from deep_mnist.doctor.checks.crashes.files.lines import line_changed
from deep_mnist.doctor.checks.crashes.models import nearest
from deep_mnist.doctor.checks.crashes.rules import NAME_UNKNOWN
from deep_mnist.doctor.evidence.live.statements.call_line import held_by
from deep_mnist.doctor.finding import Finding

LISTS = re.compile(
    r"(?:one of|either|should be|must be|supported|[Aa]llowed (?:values|options)|[Vv]alid (?:values|options)|"
    r"[Ee]xpected|choose from)\b(.*)",
    re.S,
)
LISTED = re.compile(r"['\"`]([\w-]+)['\"`]")
NOT_UNDERSTOOD = re.compile(r"(?:Padding|Truncating) type \"(.*)\" not understood")
OF_SIDES = ("pre", "post")
# What people write for it: other libraries' words, and those of other arguments.
MEANT = {
    "add": "sum", "avg": "ave", "average": "avg", "mean": "avg", "multiply": "mul", "integer": "int", "ints": "int",
    "sparse_categorical": "sparse", "onehot": "one_hot", "one-hot": "one_hot", "train": "training", "end": "post",
    "val": "validation", "valid": "validation", "test": "validation", "start": "pre", "begin": "pre", "after": "post",
    "before": "pre", "right": "post", "left": "pre", "none": "None", "multi_class": "categorical", "gray": "grayscale",
    "multiclass": "categorical", "color": "rgb", "colour": "rgb", "grey": "grayscale", "zeros": "constant",
}  # fmt: skip


def explain_choice(crash: Crash) -> Finding | None:
    """Name the word, those that the argument takes, and the user's line with the one that is meant."""
    step = crash.user
    if step is None or not isinstance(crash.error, ValueError):
        return None
    given = [(node, name, word) for node, name, word in _words(step) if _refuses(crash.text, word)]
    if len({word for _, _, word in given}) != 1:
        return None
    node, name, word = given[0]
    known = _listed(crash.text, {word, *(each.arg or "" for call in step.on_line(ast.Call) for each in call.keywords)})
    if len(known) < len(OF_SIDES):
        return None
    meant = _meant(word, known)
    told = " or ".join(map(repr, known))
    return NAME_UNKNOWN.found(
        field="program.values",
        expected=f"{name}{told}",
        received=f"{word!r}, at {crash.place}",
        fix=_line(step, node, meant) if meant is not None else f"Give {name}{told}.",
    )


def _words(step: TraceStep) -> list[tuple[ast.expr, str, str]]:
    """Return the texts that calls on the user's line are given: where, the argument's name with "=", the word."""
    found = []
    for call in step.on_line(ast.Call):
        named = [(each.value, f"{each.arg}=") for each in call.keywords if each.arg]
        for node, name in [*((each, "") for each in call.args), *named]:
            value = node.value if isinstance(node, ast.Constant) else held_by(node, step.frame)
            if isinstance(value, str) and re.fullmatch(r"[\w-]+", value):
                found.append((node, name, value))
    return found


def _refuses(text: str, word: str) -> bool:
    """Whether a message says that it was given a word."""
    said = rf"(?:[Rr]eceived|[Gg]iven|[Gg]ot|[Ii]nvalid|[Uu]nknown|[Uu]nsupported)[^.;]*?[\s='\"`:]{re.escape(word)}\b"
    return bool(re.search(said, text)) or any(word == each for each in NOT_UNDERSTOOD.findall(text))


def _listed(text: str, without: set[str]) -> list[str]:
    """Return the words that a message lists as those which are taken."""
    if NOT_UNDERSTOOD.search(text):
        return list(OF_SIDES)
    match = LISTS.search(text)
    words = LISTED.findall(match[1].partition("eceived")[0]) if match is not None else []
    return sorted({*words} - without)  # a set's order is another one each time


def _meant(word: str, known: list[str]) -> str | None:
    """Return the word that is meant, None where none is near."""
    other = MEANT.get(word.lower())
    if other in known or other == "None":
        return other
    begun = [each for each in known if each.lower().startswith(word.lower()) or word.lower().startswith(each.lower())]
    return nearest(word, known) or (begun[0] if len(begun) == 1 else None)


def _line(step: TraceStep, node: ast.expr, word: str) -> str:
    return line_changed(step, [(node, "None" if word == "None" else f'"{word}"')])
