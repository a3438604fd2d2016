"""A training loop over variables of its own, in a program without a network of Keras: no rule judges it."""

from __future__ import annotations

import ast
import functools
import gc
import linecache
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

from deep_mnist.doctor.capture.custom_loop import as_graph_tensor
from deep_mnist.doctor.capture.intercept import ImportWatch, is_inside
from deep_mnist.doctor.capture.training_step import frames_around, users_of
from deep_mnist.doctor.checks.training_code.own_training import CHANGING
from deep_mnist.doctor.evidence.live.own_code import is_of_library_file, names_in
from deep_mnist.doctor.evidence.live.source_text import ProgramText, code_before, code_behind, is_in_a_loop
from deep_mnist.doctor.report.own_fault import is_ours

LAYERS = {"keras.src.layers.layer": "Layer", "tf_keras.src.engine.base_layer": "Layer"}
OF_NETWORKS = {"fit", "fit_generator", "train_on_batch", "Sequential", "Model", "load_model", "applications"}


def watch_tapes(before: Callable[[str], None]) -> tuple[ImportWatch, Callable[[], None]]:
    """Return a watch that calls `before` with the place of such a loop, in its second round, and what takes it away.

    A step that is traced has one round only: its first.
    """
    undo: list[Callable[[], None]] = []
    asked: Counter[tuple[CodeType, int]] = Counter()  # how often gradients were asked for, of the first times

    def patch(module: ModuleType) -> None:
        own = module.GradientTape.gradient

        @functools.wraps(own)
        def gradient(tape: Any, target: Any, sources: Any, *args: Any, **kwargs: Any) -> Any:
            asking = sys._getframe(1)
            place = asking.f_code, asking.f_lineno
            if not is_inside() and asked[place] < 2:
                asked[place] += 1
                if asked[place] == 2 or as_graph_tensor(target):
                    _told(sources, asking, before)
            return own(tape, target, sources, *args, **kwargs)

        module.GradientTape.gradient = gradient
        undo.append(lambda: setattr(module.GradientTape, "gradient", own))

    def remove() -> None:
        while undo:
            undo.pop()()

    return ImportWatch({"tensorflow.python.eager.backprop": patch}), remove


def _told(sources: Any, asking: FrameType, before: Callable[[str], None]) -> None:
    tf = sys.modules["tensorflow"]
    of = tf.nest.flatten(sources)
    if not of or not all(isinstance(each, tf.Variable) for each in of):
        return
    users = [each for each in users_of(list(frames_around(asking))) if not is_ours(each)]
    if users and is_in_a_loop(users[0]) and _changes_variables(users) and not _has_network(users):
        before(ProgramText(users[0]).at(ast.Pass(lineno=users[0].f_lineno)))


def _changes_variables(users: Sequence[FrameType]) -> bool:
    """Whether the program's own code around a tape, or a function of a module that it calls, changes variables."""
    named = (frame.f_globals.get(name) for frame in users for name in frame.f_code.co_names)
    functions = (getattr(each, "python_function", each) for each in named)
    codes = (frame.f_code for frame in users), (getattr(each, "__code__", None) for each in functions)
    return any(isinstance(each, CodeType) and not CHANGING.isdisjoint(names_in(each)) for of in codes for each in of)


def _has_network(users: Sequence[FrameType]) -> bool:
    """Whether a layer of Keras is there, or the program's text has one, or a fit, that comes later."""
    kinds = tuple(getattr(sys.modules[name], kind) for name, kind in LAYERS.items() if name in sys.modules)
    if any(issubclass(type(each), kinds) for each in gc.get_objects()):
        return True
    return any(_names_network(ast.walk(each)) for each in _trees(users))


def _names_network(nodes: Iterator[ast.AST]) -> bool:
    return any(getattr(each, name, None) in OF_NETWORKS for each in nodes for name in ("id", "attr", "name"))


def _trees(users: Sequence[FrameType]) -> Iterator[ast.AST]:
    """Yield what is known of the program's text: its cells, and the modules beside it that are loaded."""
    first = {each.f_code.co_filename for each in users}
    cells = {name for file in first for name in (*code_before(file), *code_behind(file))}
    modules = {getattr(each, "__file__", None) for each in list(sys.modules.values())}
    folders = tuple(f"{Path(file).parent}{os.sep}" for file in first)
    own = {each for each in modules if each and each.startswith(folders) and not is_of_library_file(each)}
    for file in {*first, *cells, *own}:
        if linecache.getlines(file):
            yield ProgramText(users[0], file).tree
