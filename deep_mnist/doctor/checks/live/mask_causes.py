"""Why masks are not their images': lists of files in different orders, a shuffle of one of both, two seeds."""

from __future__ import annotations

import ast
import copy
import itertools
import re
from pathlib import PurePath

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.live.dataset_graph import below, is_dataset, path_columns
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called, keyword_of

FEWEST = 16  # files of a list


def order_of_files(case: Case) -> tuple[str, str]:
    """Return why masks are in another order, and the line that sorts both lists of files alike."""
    sentence = "Sort the lists of image and mask files by the same key before they are read."
    if case.frame is None:
        return "", sentence
    text = ProgramText(case.frame)
    lists = _lists_of_files(text)
    for index, (name, files) in enumerate(lists):
        for other, masks in lists[index + 1 :]:
            ours, theirs = _keys(files), _keys(masks)
            if ours != theirs and sorted(ours) == sorted(theirs) and len(set(ours)) == len(ours):
                first = next(place for place, pair in enumerate(zip(ours, theirs, strict=True)) if pair[0] != pair[1])
                shown = ", ".join(PurePath(each[first]).name for each in (files, masks))
                words = f": `{name}` and `{other}` are in different orders, first at {first}: {shown}"
                return words, _sorted_alike(text, name, other) or sentence
    if alone := _shuffled_alone(text):
        return alone
    return _from_dataset(case) or "", sentence


def _shuffled_alone(text: ProgramText) -> tuple[str, str] | None:
    """Return the cause and the line of a shuffle of the images, or of the masks, alone."""
    for fit in text.calls("fit"):
        names = [each.id for each in fit.args[:2] if isinstance(each, ast.Name)]
        for call in text.calls("shuffle") if len(names) == 2 else ():
            statement = text.statement_of(call)
            alone = len(call.args) == 1 and ast.unparse(call.args[0]) in names
            if alone and isinstance(statement, ast.Expr) and isinstance(call.func, ast.Attribute):
                x, y = names
                order = f"order = np.random.default_rng(0).permutation(len({x}))"
                line = f"{order}; {x}, {y} = {x}[order], {y}[order]"
                return f": `{ast.unparse(call)}` alone at {text.at(call)}", text.in_place(line, statement)
    return None


def _lists_of_files(text: ProgramText) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for name, value in [*text.frame.f_locals.items(), *text.frame.f_globals.items()]:
        plain = isinstance(value, list | tuple) and FEWEST <= len(value) <= 100_000
        if plain and not name.startswith("_") and all(isinstance(each, str | PurePath) for each in value[:20]):
            files = [str(each) for each in value]
            if all("." in each[-6:] for each in files[:20]) and name not in dict(found):
                found.append((name, files))
    return found


def _keys(files: list[str]) -> list[str]:
    """Return what tells files of a list apart: the digits in their names, else the names."""
    names = [each.replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0] for each in files]
    digits = [re.sub(r"\D", "", each).lstrip("0") for each in names]
    return digits if len(set(digits)) == len(digits) else [each.lower() for each in names]


def _sorted_alike(text: ProgramText, *names: str) -> str:
    """Return the lines that set two lists, sorted by the digits in their files' names."""
    lines, places = [], []
    for name in names:
        for node in text.nodes:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name:
                key = "lambda file: int(''.join(filter(str.isdigit, str(file).rsplit('/', 1)[-1])))"
                lines.append(f"{name} = sorted({ast.unparse(node.value)}, key={key})")
                places.append(text.at(node))
                break
    return f"{'; '.join(lines)}  # in place of {' and '.join(places)}" if len(lines) == len(names) else ""


def _from_dataset(case: Case) -> str:
    data = case.call.x if case.call is not None else None
    columns = [each for node in below(data) for each in path_columns(node)] if is_dataset(data) else []
    for index, ours in enumerate(columns):
        for theirs in columns[index + 1 :]:
            if _keys(ours) != _keys(theirs) and sorted(_keys(ours)) == sorted(_keys(theirs)):
                return f": the dataset pairs {ours[0]} with {theirs[0]}"
    return ""


def one_seed(case: Case) -> str:
    """Return the line that gives masks the images' seed."""
    text = ProgramText(case.frame) if case.frame is not None else None
    calls = [each for each in text.nodes if isinstance(each, ast.Call)] if text is not None else []
    for one, other in itertools.combinations(sorted(calls, key=lambda each: (each.lineno, each.col_offset)), 2):
        if text is not None and called(one) == called(other) and called(one) and (fix := _alike(text, one, other)):
            return fix
    return "Augment each image and its mask by one draw: the same seed for both, or both as one array of channels."


def _alike(text: ProgramText, one: ast.Call, other: ast.Call) -> str:
    """Return a statement whose call takes the seed of a call before: they differ in one whole number, and in names."""
    if len(one.args) != len(other.args) or {e.arg for e in one.keywords} != {e.arg for e in other.keywords}:
        return ""
    stated = [*one.args, *(each.value for each in one.keywords)]
    others = [*other.args, *(keyword_of(other, each.arg or "") for each in one.keywords)]
    differ = [(a, b) for a, b in zip(stated, others, strict=True) if b is None or ast.unparse(a) != ast.unparse(b)]
    seeds = [(a, b) for a, b in differ if isinstance(a, ast.Constant) and isinstance(b, ast.Constant)]
    statement = text.statement_of(other)
    data = [text.value_of(each) for pair in differ for each in pair if isinstance(each, ast.Name)]
    if len(seeds) != 1 or len(data) < 2 or not all(hasattr(each, "shape") or hasattr(each, "__len__") for each in data):
        return ""
    if not isinstance(statement, ast.Assign) or type(getattr(seeds[0][0], "value", None)) is not int:
        return ""
    ours, theirs = seeds[0]
    place = (theirs.lineno, theirs.col_offset) if theirs is not None else None
    again = copy.deepcopy(statement)
    for node in ast.walk(again):
        if (
            isinstance(node, ast.Constant)
            and (node.lineno, node.col_offset) == place
            and isinstance(ours, ast.Constant)
        ):
            node.value = ours.value
    return text.in_place(ast.unparse(again), statement)
