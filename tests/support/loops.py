"""Programs that train by code of their own, judged where they stand: by fit, or by a loop's first call of its model."""

from __future__ import annotations

import linecache
from typing import Any, NoReturn

from deep_mnist.doctor.capture.custom_loop import watch_calls
from deep_mnist.doctor.capture.fit_call import FitCall, Verb
from deep_mnist.doctor.capture.intercept import inside, methods_watch
from deep_mnist.doctor.capture.live_call import judge_call
from deep_mnist.doctor.diagnosis import Diagnosis
from deep_mnist.doctor.script.stop_at_fit import _eagerly
from tests.support.programs import FitReachedError, Program, programs


def judged_step(program: Program) -> Diagnosis:
    """Return the diagnosis of what a program trains first by, judged in its frame; it is not trained."""
    import keras

    found: list[Diagnosis] = []

    def before(call: FitCall, frame: Any, _resume: Any) -> NoReturn:
        with inside(), _eagerly():
            found.append(judge_call(call, frame, overrides=call.overrides))
        raise FitReachedError

    file = f"<{program.name}>"
    linecache.cache[file] = (len(program.text), None, program.text.splitlines(keepends=True), file)
    keras.utils.set_random_seed(0)
    watches = [methods_watch((Verb.FIT, Verb.TRAIN_ON_BATCH), before), watch_calls(before)]
    for watch, _ in watches:
        watch.start()
    try:
        exec(compile(program.text, file, "exec"), {"__name__": "__main__"})
    except FitReachedError:
        pass
    finally:
        for watch, remove in watches:
            watch.stop()
            remove()
    return found[0]


def named(file: str, name: str) -> Program:
    """Return one program of a file."""
    return next(each for each in programs(file) if each.name == name)


def faulty(name: str) -> Diagnosis:
    """Return the diagnosis of a program with a fault in its own training code."""
    return judged_step(named("loops_faulty.txt", name))


def healthy(name: str) -> Diagnosis:
    """Return the diagnosis of a program whose own training code is sound."""
    return judged_step(named("loops_healthy.txt", name))
