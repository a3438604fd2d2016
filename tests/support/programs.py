"""Small Keras programs as people ask about them, run up to their first fit.

A file of programs holds one after another, each headed `# === name | fields that name what is wrong with it`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from deep_mnist.doctor.capture.fit_call import FitCall, Verb
from deep_mnist.doctor.capture.intercept import methods_watch

FOLDER = Path(__file__).parents[1] / "deep_mnist" / "doctor" / "programs"


class Program(NamedTuple):
    """One program: what it is called, its text, the fields of which the first finding owes one."""

    name: str
    text: str
    fields: tuple[str, ...]


class FitReachedError(Exception):
    """The program has come to its first fit."""


def programs(file: str) -> Iterator[Program]:
    """Yield the programs of a file in the folder of programs."""
    beginning = (FOLDER / "beginning.txt").read_text()
    for part in (FOLDER / file).read_text().split("# === ")[1:]:
        head, _, body = part.partition("\n")
        name, _, fields = head.partition("|")
        yield Program(name.strip(), beginning + body, tuple(fields.split()))


def first_fit(program: Program) -> FitCall:
    """Return the call of fit that a program makes first; it is not made."""
    import keras

    calls: list[FitCall] = []

    def before(call: FitCall, _frame: Any, _resume: Any) -> NoReturn:
        calls.append(call)
        raise FitReachedError

    keras.utils.set_random_seed(0)
    watch, remove = methods_watch((Verb.FIT, Verb.TRAIN_ON_BATCH), before)
    watch.start()
    try:
        exec(compile(program.text, f"<{program.name}>", "exec"), {"__name__": "__main__"})
    except FitReachedError:
        pass
    finally:
        watch.stop()
        remove()
    return calls[0]
