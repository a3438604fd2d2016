"""python -m deep_mnist.doctor FOLDER|FILE|SCRIPT.py|NOTEBOOK.ipynb|-m MODULE: why would training fail?

    python -m deep_mnist.doctor train.py -- --epochs 5      # the script, unmodified, up to its first fit
    python -m deep_mnist.doctor notebook.ipynb --cell 12    # its cells in order, up to the first fit or cell 12
    python -m deep_mnist.doctor -m package.train            # as python -m runs it
    python -m deep_mnist.doctor data/                       # judged by data/model.keras and data/contract.json
    python -m deep_mnist.doctor data/ --model mine.keras --loss categorical_crossentropy
    python -m deep_mnist.doctor mine.keras                  # by its structure; --data data/ judges data too
    python -m deep_mnist.doctor rules                       # what it can name; `rule I103` explains one

Exit status: 0 fit, 1 unfit, 2 not usable (bad usage, nothing readable to judge), 3 a fault of the doctor.
"""

from __future__ import annotations

import atexit
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    import argparse

STARTED = time.perf_counter()


def main(arguments: list[str] | None = None) -> int:
    """Judge what was named and print the diagnosis; return the exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] in (["rules"], ["rule"]) and not Path(given[0]).exists():
        from deep_mnist.doctor.command.rules import explain

        return explain(given)
    from deep_mnist.doctor.command.arguments import parsed

    options, own = parsed(given)
    try:
        return _judge(options, own)
    except Exception as error:
        from deep_mnist.doctor.report.own_fault import is_own_fault, is_refusal, tell_fault

        if isinstance(error, OSError) or is_refusal(error):
            print(f"doctor: {_told(error)}", file=sys.stderr)
            return 2
        if is_own_fault(error):
            return tell_fault(error, given)
        raise


def _told(error: Exception) -> str:
    """Return a refusal as it is, and what the machine says of a file in the same form."""
    if not isinstance(error, OSError) or not error.filename or not error.strerror:
        return str(error)
    return (
        f"Expected to read or write {error.filename}. Received: {error.strerror}. Fix: correct the path or its rights."
    )


def _judge(options: argparse.Namespace, arguments: list[str]) -> int:
    from deep_mnist.doctor.command.kinds import PROGRAMS, kind_of

    kind = None if options.module is not None else kind_of(options.target)
    program = kind is None or kind in PROGRAMS
    if not program:  # read when numpy is loaded; a script keeps its threads
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from deep_mnist.doctor.command.refusals import refuse_kind, refuse_options

    if kind is not None:
        refuse_kind(options.target, kind)
    refuse_options(options, kind, arguments)
    from deep_mnist.doctor.script.quiet import silence_tensorflow

    silence_tensorflow()
    if kind is None or program:
        from deep_mnist.doctor.command.programs import judge_program

        return judge_program(options, kind, arguments)
    from deep_mnist.doctor.command.files import judge_files

    return judge_files(options, kind, STARTED)


def _leave(status: int) -> NoReturn:
    """End the process; taking its modules and arrays apart one by one would take a tenth of its time."""
    others = {"deep_mnist.doctor.script.run", "deep_mnist.doctor.rehearsal.process"}
    if not others & set(sys.modules):  # our own code alone
        sys.stdout.flush()
        sys.stderr.flush()
        atexit._run_exitfuncs()  # temporary folders go
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    if not sys.flags.safe_path:
        sys.path[0] = str(Path(__file__).parents[2])  # not the working directory, where any random.py may lie
    _leave(main())
