"""Check for files that both train and validation read: two seeds for the subsets of one split, or no subset at all."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.live.dataset_graph import files_of
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called, keyword_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

READERS = (
    "image_dataset_from_directory", "text_dataset_from_directory", "audio_dataset_from_directory",
    "flow_from_directory", "flow_from_dataframe",
)  # fmt: skip
FEW = 0.01  # share of the validation files

SHARED_FILES = Rule(
    code="S161",
    name="files-in-train-and-validation",
    field="splits.leakage",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="Files that validation reads are read by train too: the subsets of one split were drawn by two seeds.",
    why="The validation score counts what was learned by heart: it is too good.",
)


@check(SHARED_FILES)
def check_shared_files(case: Case) -> Iterator[Finding]:
    """Yield at most one finding, by the paths that both sides read."""
    call = case.call
    if call is None or call.held_out is None:
        return
    ours, theirs = (_absolute(files_of(each)) for each in (call.x, call.held_out))
    shared = len(ours & theirs)
    if not shared:
        return
    cause, fix = _cause(case, shared == len(theirs))
    yield SHARED_FILES.found(
        "test",
        severity="error" if shared > FEW * len(theirs) else "warning",
        expected="validation files that train does not read",
        received=f"{shared} of {len(theirs)} validation files are train files as well: {cause}",
        fix=fix,
    )


def _absolute(paths: list[str]) -> set[str]:
    return {os.path.normpath(os.path.abspath(each)) for each in paths}  # noqa: PTH100  (paths that may be URLs)


def _cause(case: Case, all_of_them: bool) -> tuple[str, str]:
    """Return what made the two sides share files, and the line that mends it."""
    general = "both read one folder without a validation_split and a subset of their own"
    if not all_of_them:
        general = "the two subsets were drawn in another order or by another share"
    sentence = "Give both subsets the same seed and validation_split, one subset='training', one subset='validation'."
    if case.frame is None:
        return general, sentence
    text = ProgramText(case.frame)
    readers = text.calls(*READERS)
    train, test = (_of_subset(readers, name) for name in ("training", "validation"))
    if train is None or test is None:
        return general, _split_of_one(text, readers) or sentence
    for name, words in (("seed", "seed"), ("validation_split", "validation_split")):
        ours, theirs = keyword_of(train, name), keyword_of(test, name)
        if _text(ours) != _text(theirs):
            call, stated = (test, ours) if ours is not None else (train, theirs)
            fix = text.rewritten(call, (), **{name: stated}) if stated is not None else ""
            return f"{words}={_text(ours)} for train and {words}={_text(theirs)} for validation", fix or sentence
    return general, sentence


def _of_subset(readers: list[ast.Call], name: str) -> ast.Call | None:
    for call in readers:
        stated = keyword_of(call, "subset")
        if isinstance(stated, ast.Constant) and stated.value == name:
            return call
    return None


def _split_of_one(text: ProgramText, readers: list[ast.Call]) -> str:
    """Return the line that reads both subsets at once, where both are read whole from one folder."""
    plain = [each for each in readers if keyword_of(each, "subset") is None and called(each).endswith("_directory")]
    if len(plain) != 2 or not all("dataset" in called(each) for each in plain):
        return ""
    statements = [text.statement_of(each) for each in plain]
    if not all(isinstance(each, ast.Assign) for each in statements):
        return ""
    names = ", ".join(ast.unparse(each.targets[0]) for each in statements if isinstance(each, ast.Assign))
    again = ast.parse(ast.unparse(plain[0]), mode="eval").body
    if not isinstance(again, ast.Call):
        return ""
    stated = {
        "validation_split": ast.Constant(value=0.2), "subset": ast.Constant(value="both"), "seed": ast.Constant(value=0)
    }  # fmt: skip
    kept = [each for each in again.keywords if each.arg not in stated]
    again.keywords = [*kept, *(ast.keyword(name, value) for name, value in stated.items())]
    return f"{names} = {ast.unparse(again)}  # in place of {text.at(plain[0])} and {text.at(plain[1])}"


def _text(node: ast.expr | None) -> str:
    return "none" if node is None else ast.unparse(node)
