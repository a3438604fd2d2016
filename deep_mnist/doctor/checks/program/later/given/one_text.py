"""Check of a tokenizer of Keras that is given one text in place of a list of texts: it reads each letter as a text."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.program.later.given.texts import is_text
from deep_mnist.doctor.evidence.live.lineage import Lineage, place_of
from deep_mnist.doctor.evidence.live.source_text import ProgramText, argument_of, called, keyword_of, texts_around
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

OF_TEXTS = ("fit_on_texts", "texts_to_sequences", "texts_to_matrix")
LETTERS = "char_level"

ONE_TEXT = Rule(
    code="P154",
    name="tokenizer-given-one-text",
    field="images.vocabulary",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="A tokenizer is given one text, where it takes a list of texts: it reads each letter as a text.",
    why="One text becomes as many rows as it has letters, nearly all of unknown words, with one answer for any text.",
)


@check(ONE_TEXT)
def check_one_text(case: Case) -> Iterator[Finding]:
    """Yield a finding for each place of the program, before the fit or behind it."""
    if case.call is None:
        return
    for text in texts_around(case.frame):
        if any(isinstance(each, ast.keyword) and each.arg == LETTERS for each in text.nodes):
            continue
        for call in text.calls(*OF_TEXTS):
            given = argument_of(call, 0, "texts")
            lineage = Lineage(text, text.around(call))
            if given is None or not _is_of_keras(text, call) or not is_text(lineage, given, place_of(call)):
                continue
            new = ast.List([given], ast.Load())
            yield ONE_TEXT.found(
                expected="a list of texts",
                received=f"one text in `{ast.unparse(call)}`, at {text.at(call)}",
                fix=text.with_expression(given, new)
                or f"Give {called(call)}() at {text.at(call)} a list: {ast.unparse(new)[:60]}.",
            )


def _is_of_keras(text: ProgramText, call: ast.Call) -> bool:
    """Whether a method may be that of Keras's own tokenizer, which was not made for letters."""
    if any(text.functions(*OF_TEXTS)) or not isinstance(call.func, ast.Attribute):
        return False
    owner = text.value_of(call.func.value)
    if owner is None:
        return keyword_of(call, LETTERS) is None
    kind = type(owner)
    of_keras = any(each.__module__.startswith(("keras", "tf_keras", "tensorflow")) for each in kind.__mro__)
    return of_keras and not getattr(owner, LETTERS, False)
