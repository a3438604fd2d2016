"""Checks of what callbacks watch: names that the fit logs, the better end of them, a path that can be written."""

from __future__ import annotations

import copy
import difflib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.program.given_callbacks import callbacks_of, nothings_given, others_given
from deep_mnist.doctor.checks.program.logs import (
    RATE,
    Logs,
    expression_of_callback,
    is_callback,
    logs_of,
)
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

MONITORS = ("EarlyStopping", "ModelCheckpoint", "ReduceLROnPlateau")
VALIDATION = re.compile(r"val(?:id(?:ation)?|ue)?[_ .-]*", re.I)  # how a name of validation is begun, or meant to be
BETTER_HIGH = ("acc", "auc", "f1", "fbeta", "dice", "iou", "precision", "recall", "score", "psnr", "ssim", "r2")
LIVE = (Need.LIVE_MODEL,)

NOT_LOGGED = Rule(
    code="P020",
    name="monitor-not-logged",
    field="fit.callbacks",
    severity="warning",
    scope=Scope.CASE,
    needs=LIVE,
    summary="A callback watches a name that this fit does not log.",
    why="The callback does nothing but warn: training is never stopped, no rate lowered, and every epoch is the best.",
)
WRONG_END = Rule(
    code="P021",
    name="monitor-in-wrong-direction",
    field="fit.callbacks",
    severity="warning",
    scope=Scope.CASE,
    needs=LIVE,
    summary="A callback takes the lower for the better where higher is better, or the other way round.",
    why="The worst epoch is kept, or training stops as soon as it gets better.",
)
NO_END = Rule(
    code="P022",
    name="monitor-without-direction",
    field="fit.callbacks",
    severity="error",
    scope=Scope.CASE,
    needs=LIVE,
    summary="A callback is to find out by itself whether higher or lower is better, and Keras cannot tell.",
    why="Keras stops with a ValueError at the end of the first epoch.",
)
NAME_IN_PATH = Rule(
    code="P023",
    name="checkpoint-path-names-not-logged",
    field="fit.callbacks",
    severity="error",
    scope=Scope.CASE,
    needs=LIVE,
    summary="The path of a ModelCheckpoint holds a name in braces that this fit does not log.",
    why="Keras stops with a KeyError at the end of the first epoch.",
)
PATH_CLOSED = Rule(
    code="P024",
    name="checkpoint-path-not-writable",
    field="fit.callbacks",
    severity="error",
    scope=Scope.CASE,
    needs=LIVE,
    summary="The path of a ModelCheckpoint cannot be written, or a CSVLogger's folder is not there.",
    why="fit stops when it is to write: a CSVLogger before the first step, a checkpoint behind the first epoch.",
)
NOT_MADE = Rule(
    code="P025",
    name="callback-is-a-class",
    field="fit.callbacks",
    severity="error",
    scope=Scope.CASE,
    needs=LIVE,
    summary="The list of callbacks holds a class, None, or an object that is no callback of Keras's.",
    why="fit stops before its first batch.",
)


@check(NOT_LOGGED, WRONG_END, NO_END)
def check_monitors(case: Case) -> Iterator[Finding]:
    """Yield callbacks that watch what is not there, or its wrong end."""
    watching = [each for each in callbacks_of(case) if is_callback(each, *MONITORS) and _is_heard(each)]
    logs = logs_of(case) if watching else None
    if logs is None:
        return
    for each in watching:
        yield from _of_monitor(case, each, logs)


@check(NAME_IN_PATH, PATH_CLOSED)
def check_paths(case: Case) -> Iterator[Finding]:
    """Yield checkpoints whose path cannot be formatted or written, and logs in a folder that is not there."""
    saving = [each for each in callbacks_of(case) if is_callback(each, "ModelCheckpoint")]
    logs = logs_of(case) if saving else None
    for each in saving:
        if logs is not None:
            yield from _of_name(each, logs)
        yield from _of_path(each)
    for each in callbacks_of(case):
        if is_callback(each, "CSVLogger"):
            yield from _of_table(each)


@check(NOT_MADE)
def check_made(case: Case) -> Iterator[Finding]:
    """Yield classes, None and objects of other classes where callbacks should be."""
    yield from nothings_given(case, NOT_MADE)
    yield from others_given(case, NOT_MADE)
    for each in callbacks_of(case):
        if isinstance(each, type):
            yield NOT_MADE.found(
                expected="callbacks: objects of their classes",
                received=f"the class {each.__name__}",
                fix=f"{'keras.callbacks.' if each.__module__.startswith('keras.') else ''}{each.__name__}()",
            )


# --- monitor and mode -----------------------------------------------------------------------------------


def _is_heard(callback: Any) -> bool:
    """Whether its monitor is a name; a checkpoint's is asked for its direction whatever is saved."""
    return isinstance(getattr(callback, "monitor", None), str)


def _matters(callback: Any) -> bool:
    return bool(getattr(callback, "save_best_only", True))


def _of_monitor(case: Case, callback: Any, logs: Logs) -> Iterator[Finding]:
    title, name = type(callback).__name__, callback.monitor
    end = _end_of(callback, logs)
    if name not in logs.names:
        near = nearest(name, logs)
        if end is None or _matters(callback):
            yield NOT_LOGGED.found(
                severity="error" if end is None else "",
                expected=f"one of what this fit logs: {', '.join(logs.names)}",
                received=f'{title} with monitor="{name}"{without(name, logs)}',
                fix=validating(case, name, logs) or _watching(callback, near, logs),
                why="Keras stops with a ValueError at the end of the first epoch." if end is None else "",
            )
        return
    known = logs.direction(name)
    if end is None:
        guessed = known or ("up" if any(each in name.lower() for each in BETTER_HIGH) else "down")
        yield NO_END.found(
            expected='mode="max" or mode="min"',
            received=f'{title} with monitor="{name}" and mode="{callback.mode}", which Keras cannot decide',
            fix=expression_of_callback(callback, mode="max" if guessed == "up" else "min"),
        )
    elif known is not None and known != end and _matters(callback):
        yield WRONG_END.found(
            expected=f"{name}, of which {'higher' if known == 'up' else 'lower'} is better",
            received=f'{title} with monitor="{name}", mode="{callback.mode}", which takes the '
            f"{'lower' if end == 'down' else 'higher'} for the better",
            fix=expression_of_callback(callback, mode="max" if known == "up" else "min"),
        )


def _end_of(callback: Any, logs: Logs) -> str | None:
    """Return which end the callback takes for the better, as Keras finds it; None where Keras raises."""
    own = copy.copy(callback)
    if not hasattr(own, "_set_monitor_op"):
        chosen = getattr(own, "monitor_op", None)
        return "down" if "less" in getattr(chosen, "__name__", "less") else "up"
    from keras.src.trainers.compile_utils import MetricsList

    listed = MetricsList([each.metric for each in logs.compiled.metrics if each.metric is not None])
    own.monitor_op = None
    own.set_model(SimpleNamespace(metrics=[listed], optimizer=None, stop_training=False))
    try:
        own._set_monitor_op()
    except ValueError:
        return None
    return "down" if own.monitor_op.__name__ == "less" else "up"


def without(name: str, logs: Logs) -> str:
    is_there = name.removeprefix("val_") in logs.of_train
    return ", and fit has no validation data" if name.startswith("val_") and not logs.validated and is_there else ""


def validating(case: Case, name: str, logs: Logs) -> str:
    """Return the argument that lets fit validate, "" where it has validation or no arrays to split."""
    arrays = case.call is not None and hasattr(case.call.x, "shape")
    return "model.fit(..., validation_split=0.1)" if without(name, logs) and arrays else ""


def _watching(callback: Any, name: str, logs: Logs) -> str:
    """Return the callback watching a name, its direction that of the name where one was stated."""
    known = logs.direction(name)
    if callback.mode == "auto" or known is None:
        return expression_of_callback(callback, monitor=name)
    return expression_of_callback(callback, monitor=name, mode="max" if known == "up" else "min")


def nearest(name: str, logs: Logs) -> str:
    """Return the logged name that was most likely meant."""
    begun = VALIDATION.match(name)
    is_of_output = begun is not None and any(each.startswith(begun.group()) for each in logs.of_train)
    bare = name[begun.end() :] if begun is not None and not is_of_output else name
    if bare == "lr" and RATE in logs.of_train:
        return RATE
    prefix = "val_" if bare != name and logs.validated else ""
    held = [each for each in logs.of_train if each not in ("loss", RATE)]
    alike = [each for each in held if each.lower() == bare.lower()]
    alike = alike or [each for each in held if "acc" in each and "acc" in bare]
    alike = alike or difflib.get_close_matches(bare, held, 1, 0.4)
    return prefix + (alike[0] if alike and bare != "loss" else "loss")


# --- paths ----------------------------------------------------------------------------------------------


def _of_name(callback: Any, logs: Logs) -> Iterator[Finding]:
    path = str(callback.filepath)
    names = logs.names if callback.save_freq == "epoch" else logs.of_train
    try:
        path.format(epoch=1, batch=1, **dict.fromkeys(names, 0.5))
    except KeyError as error:
        wrong = str(error.args[0])
        near = nearest(wrong, logs)
        yield NAME_IN_PATH.found(
            expected=f"names that this fit logs: epoch, {', '.join(names)}",
            received=f'ModelCheckpoint("{path}"), with {{{wrong}}} in it{without(wrong, logs)}',
            fix=expression_of_callback(callback, filepath=path.replace("{" + wrong, "{" + near)),
        )
    except (IndexError, ValueError, AttributeError, TypeError):
        return  # other braces: Keras says it at once, or they are meant


def _of_path(callback: Any) -> Iterator[Finding]:
    stated = str(callback.filepath)
    if "://" in stated:
        return
    path = Path(stated.partition("{")[0] if "{" in stated else stated)
    held = Path(stated)
    folder = (path if "{" in stated and stated.partition("{")[0].endswith("/") else path.parent).absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    reason = ""
    if "{" not in stated and held.is_dir():
        reason = "which is a folder"
    elif not folder.is_dir():
        reason = f"where {folder.name} is a file and no folder"
    elif not os.access(folder, os.W_OK):
        reason = f"below {folder}, which cannot be written"
    if reason:
        name = "checkpoint" + "".join(held.suffixes[-2:] if stated.endswith(".weights.h5") else held.suffixes[-1:])
        yield PATH_CLOSED.found(
            expected="a path in a folder that can be written",
            received=f'ModelCheckpoint("{stated}"), {reason}',
            fix=expression_of_callback(callback, filepath=name),
        )


def _of_table(callback: Any) -> Iterator[Finding]:
    """Yield the path of a CSVLogger, which makes no folders."""
    stated = str(callback.filename)
    folder = Path(stated).parent
    if "://" not in stated and not folder.is_dir():
        yield PATH_CLOSED.found(
            expected="a path in a folder that is there",
            received=f'CSVLogger("{stated}"), in a folder that is not',
            fix=f'import os; os.makedirs("{folder}", exist_ok=True)',
        )
