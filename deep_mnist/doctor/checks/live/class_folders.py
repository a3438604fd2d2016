"""Checks of the folders that classes are read from: some that are no class, splits taken for classes, two lists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.evidence.live.dataset_graph import below, is_dataset
from deep_mnist.doctor.evidence.live.source_text import ProgramText, called, keyword_of
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

NO_CLASSES = ("__MACOSX", "__pycache__", "Thumbs.db", "desktop.ini", "lost+found", "$RECYCLE.BIN")
HIDDEN = (".ipynb_checkpoints", ".DS_Store", ".git", ".gitkeep", ".gitignore", ".Trashes", ".AppleDouble", ".idea")
SPLIT = re.compile(r"(train|training|test|testing|val|valid|validation|dev)([ _-]?(set|data|dataset|images))?", re.I)
MOST_BESIDE = 1  # a folder of pictures to predict, beside those of the splits
READERS = ("flow_from_directory", "image_dataset_from_directory", "text_dataset_from_directory",
           "audio_dataset_from_directory")  # fmt: skip

NO_CLASS = Rule(
    code="L174",
    name="folder-that-is-no-class",
    field="labels.values",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="A folder that a notebook, an archive or the system left among the class folders counts as a class.",
    why="The numbers of all classes behind it are shifted, and one output unit stands for nothing.",
)
SPLIT_FOLDERS = Rule(
    code="L175",
    name="splits-taken-for-classes",
    field="labels.values",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="The classes are called train and test: the folder above the split was read.",
    why="The network learns to tell the splits apart, not the classes.",
)
LISTS_DIFFER = Rule(
    code="L176",
    name="class-folders-differ",
    field="labels.values",
    severity="error",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL,),
    summary="Train and validation have different class folders, so that one number stands for two classes.",
    why="Validation judges by other classes than were trained: its score is near chance.",
)


@check(NO_CLASS, SPLIT_FOLDERS, LISTS_DIFFER)
def check_class_folders(case: Case) -> Iterator[Finding]:
    """Yield what the names of the classes tell."""
    call = case.call
    if call is None:
        return
    train, test = class_names(call.x), class_names(call.held_out)
    text = ProgramText(case.frame) if case.frame is not None else None
    if train and (strange := [each for each in train if _is_none(each)]) and len(train) > len(strange) + 1:
        yield _no_class(text, train, strange)
    elif not train and text is not None:
        yield from _own_list(case, text)
    if _are_splits(train):
        yield _split_folders(text, train)
    elif train and test and train != test:
        yield _lists_differ(text, train, test)


def class_names(data: Any) -> list[str]:
    """Return the classes' names in the order of their numbers, [] where the data do not tell."""
    indices = getattr(data, "class_indices", None)
    if isinstance(indices, dict):
        return [str(name) for name, _ in sorted(indices.items(), key=lambda each: each[1])]
    for node in below(data) if is_dataset(data) else ():
        names = getattr(node, "class_names", None)
        if isinstance(names, list | tuple) and names:
            return [str(each) for each in names]
    return []


def _are_splits(names: list[str]) -> bool:
    """Whether all classes are called as splits are, or those of train and of test lie among a few others."""
    splits = [each.lower() for each in names if SPLIT.fullmatch(each)]
    are_two = any(each.startswith("train") for each in splits) and any(each.startswith("test") for each in splits)
    return len(splits) > 1 and (len(splits) == len(names) or (are_two and len(names) <= MOST_BESIDE + len(splits)))


def _is_none(name: str) -> bool:
    return name.startswith(".") or name in NO_CLASSES


def _no_class(text: ProgramText | None, names: list[str], strange: list[str]) -> Finding:
    kept = [each for each in names if each not in strange]
    fix = f"Remove the folder {strange[0]} from the class folders."
    for call in text.calls("flow_from_directory") if text is not None else ():
        if text is not None and keyword_of(call, "classes") is None:
            fix = text.rewritten(call, classes=ast.parse(repr(kept), mode="eval").body) or fix
            break
    return NO_CLASS.found(
        "train", expected=f"{len(kept)} classes", received=f"{len(names)}: {', '.join(strange)} among them", fix=fix
    )


def _own_list(case: Case, text: ProgramText) -> Iterator[Finding]:
    """Yield a list of the program's own, as long as the network has units, that holds a folder that is no class."""
    units = case.contract.output_units
    for name, value in [*text.frame.f_locals.items(), *text.frame.f_globals.items()]:
        names = value if isinstance(value, list | tuple) and 2 < len(value) <= 5000 else ()
        if not names or not all(isinstance(each, str) for each in names) or len(names) != units:
            continue
        strange = [each for each in names if each in (*NO_CLASSES, *HIDDEN)]  # a vocabulary holds "." as well
        if strange:
            fix = f"Leave {strange[0]} out of `{name}` where it is listed."
            set_at = _assignment(text, name)
            if set_at is not None:
                kept = f"{name} = [each for each in {name} if each not in {strange!r}]"
                fix = text.in_place(f"{ast.unparse(set_at)}; {kept}", set_at)
            yield NO_CLASS.found(
                "train",
                expected=f"{len(names) - len(strange)} classes",
                received=f"{len(names)} in `{name}`: {', '.join(strange)} among them",
                fix=fix,
            )
            return


def _assignment(text: ProgramText, name: str) -> ast.Assign | None:
    for node in text.nodes:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name:
            return node
    return None


def _split_folders(text: ProgramText | None, names: list[str]) -> Finding:
    fix = "Read the folder below: the one whose folders are the classes."
    inner = next((each for each in names if each.lower().startswith("train")), names[0])
    for call in text.calls(*READERS) if text is not None else ():
        statement = text.statement_of(call) if text is not None else None
        if text is not None and call.args and isinstance(statement, ast.Assign):
            again = ast.parse(ast.unparse(statement)).body[0]
            for node in ast.walk(again):
                if isinstance(node, ast.Call) and called(node) == called(call) and node.args:
                    node.args[0] = ast.parse(f"str({ast.unparse(node.args[0])}) + '/{inner}'", mode="eval").body
            fix = text.in_place(ast.unparse(again), statement)
            break
    return SPLIT_FOLDERS.found(
        "train", expected="folders of classes", received=f"classes called {', '.join(names)}", fix=fix
    )


def _lists_differ(text: ProgramText | None, train: list[str], test: list[str]) -> Finding:
    only_train, only_test = [e for e in train if e not in test], [e for e in test if e not in train]
    words = [
        f"{', '.join(each[:5])} only in {name}"
        for name, each in (("train", only_train), ("validation", only_test))
        if each
    ]
    fix = "Give both folders the same class folders, empty ones where a class has no image."
    readers = [each for each in text.calls(*READERS) if each.args] if text is not None else []
    if text is not None and len(readers) == 2:
        roots = [ast.unparse(each.args[0]) for each in readers]
        made = f"[os.makedirs(f'{{root}}/{{name}}', exist_ok=True) for root in ({', '.join(roots)}) "
        fix = f"import os; {made}for name in {sorted({*train, *test})!r}]  # before {text.at(readers[0])}"
    return LISTS_DIFFER.found(
        "test",
        expected=f"the {len(train)} classes of train, in the same order",
        received="; ".join(words) or "the same classes in another order",
        fix=fix,
    )
