"""Small Keras programs as people ask about them, run up to their first fit.

A file of programs holds one after another, each headed `# === name | fields or codes that name what is wrong with it`;
what stands before the first is run before each.
"""

from __future__ import annotations

import ast
import linecache
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from deep_mnist.doctor.capture.fit_call import METHODS, FitCall, Verb
from deep_mnist.doctor.capture.intercept import methods_watch
from deep_mnist.doctor.capture.live_call import judge_call
from deep_mnist.doctor.diagnosis import Diagnosis
from tests.support.fixed_calls import trained

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
    first, *parts = (FOLDER / file).read_text().split("# === ")
    for part in parts:
        head, _, body = part.partition("\n")
        name, _, fields = head.partition("|")
        yield Program(name.strip(), beginning + first + body, tuple(fields.split()))


def first_fit(program: Program) -> FitCall:
    """Return the call of fit that a program makes first, which is not made; its `names` are the program's."""
    import keras

    calls: list[FitCall] = []

    def before(call: FitCall, _frame: Any, _resume: Any) -> NoReturn:
        calls.append(call)
        raise FitReachedError

    keras.utils.set_random_seed(0)
    watch, remove = methods_watch((Verb.FIT, Verb.TRAIN_ON_BATCH), before)
    watch.start()
    names: dict[str, Any] = {"__name__": "__main__"}
    try:
        exec(compile(program.text, f"<{program.name}>", "exec"), names)
    except FitReachedError:
        pass
    finally:
        watch.stop()
        remove()
    calls[0].names = names  # type: ignore[attr-defined]
    return calls[0]


def judged(program: Program) -> Diagnosis:
    """Return the diagnosis of the call of fit that a program makes first, judged where it stands; it is not made."""
    import keras

    found: list[Diagnosis] = []

    def before(call: FitCall, frame: Any, _resume: Any) -> NoReturn:
        found.append(judge_call(call, frame))
        raise FitReachedError

    file = f"<{program.name}>"
    linecache.cache[file] = (len(program.text), None, program.text.splitlines(keepends=True), file)
    keras.utils.set_random_seed(0)
    watch, remove = methods_watch(METHODS, before)  # as the command does
    watch.start()
    try:
        exec(compile(program.text, file, "exec"), {"__name__": "__main__"})
    except FitReachedError:
        pass
    finally:
        watch.stop()
        remove()
    return found[0]


def mended(program: Program, fix: str, line_of_fit: int) -> Program:
    """Return a program with a fix where it belongs: in the place of a statement, before one, or before fit.

    Args:
        program: As it was judged.
        fix: One line; "# in place of <name>:12" and "# …, before <name>:12" tell where it belongs, and
            "…, and in place of <name>:14: statement" (or before fit) what becomes of another line.
        line_of_fit: Before which it stands otherwise.
    """
    body, _, comment = fix.partition("  # ")
    comment, *further = re.split(r", and (?=in place of <[^>]*>:\d+: |before fit: )", comment)
    for place, _, text in (each.partition(": ") for each in further):  # later: the other stays
        program = mended(program, f"{text}  # {place}", line_of_fit)
    is_head = body.endswith(":")  # of a statement that holds a block, which stays
    ast.parse(f"{body} pass" if is_head else body)
    lines = program.text.splitlines()
    places = [int(each) for each in re.findall(r"<[^>]*>:(\d+)", comment)]
    at = places[0] if places else line_of_fit
    indent = re.match(r" *", lines[at - 1]).group()
    if "in place of" in comment and places:
        statement = min((each for each in ast.walk(ast.parse(program.text)) if isinstance(each, ast.stmt)
                         and each.lineno == at), key=lambda each: (each.end_lineno or 0) - each.lineno)  # fmt: skip
        for place in places[1:]:
            lines[place - 1] = indent + "pass"
        end = statement.body[0].lineno - 1 if is_head else statement.end_lineno
        lines[at - 1 : end] = [indent + body]
    else:
        lines.insert(at - 1, indent + body)
    return program._replace(text="\n".join(lines) + "\n")


def told(file: str, name: str) -> Diagnosis:
    """Return the diagnosis of one program of a file."""
    return next(judged(each) for each in programs(file) if each.name == name)


def every_fit(program: Program, *, ran: bool, seen: Callable[[FitCall, Any], None] = lambda *_: None) -> list[Any]:
    """Return the diagnoses of all fits of a program in order, each judged with those before it.

    Args:
        program: Its fits are made, for a few batches of one epoch, or answered with NaN.
        ran: They are made.
        seen: Called with each call and its diagnosis before the call is made.
    """
    from deep_mnist.doctor.capture.intercept import inside
    from deep_mnist.doctor.capture.live_call import judge_call
    from deep_mnist.doctor.checks.program.earlier_fits import Fits
    from deep_mnist.doctor.script.unrun_fit import result_of

    fits, diagnoses = Fits(), list[Any]()
    lines = program.text.splitlines(keepends=True)
    linecache.cache[f"<{program.name}>"] = (len(program.text), None, lines, program.name)

    def before(call: FitCall, frame: Any, _resume: Any) -> Any:
        call.earlier = fits.earlier()
        with inside():
            diagnoses.append(judge_call(call, frame))
            seen(call, diagnoses[-1])
            fits.add(call, diagnoses[-1].case, ran=ran)
            return trained(call, epochs=1) if ran else result_of(call)

    watch, remove = methods_watch((Verb.FIT,), before)
    watch.start()
    try:
        exec(compile(program.text, f"<{program.name}>", "exec"), {"__name__": "__main__"})
    except ValueError:  # what Keras refuses was judged before
        pass
    finally:
        watch.stop()
        remove()
    return diagnoses
