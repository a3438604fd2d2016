"""python -m deep_mnist.doctor FOLDER|SCRIPT.py: why would training fail?

    python -m deep_mnist.doctor train.py -- --epochs 5      # the script, unmodified, up to its first fit
    python -m deep_mnist.doctor data/                       # judged by data/model.keras and data/contract.json
    python -m deep_mnist.doctor data/ --model mine.keras --loss categorical_crossentropy
    python -m deep_mnist.doctor data/ --contract c.yaml --json
    python -m deep_mnist.doctor rules                       # what it can name; `rule I103` explains one

Exit status: 0 fit, 1 unfit, 2 not usable (bad usage, nothing readable to judge), 3 fit, but a rule broke.
"""

from __future__ import annotations

import argparse
import atexit
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from deep_mnist.doctor.acceptance import Choices
    from deep_mnist.doctor.diagnosis import Diagnosis

STARTED = time.perf_counter()


def main(arguments: list[str] | None = None) -> int:
    """Judge a folder or a script and print the diagnosis; return the exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] in (["rules"], ["rule"]) and not Path(given[0]).exists():
        from deep_mnist.doctor.command.rules import explain

        return explain(given)
    from deep_mnist.doctor.command.arguments import parser

    own, script_arguments = _split(given)
    options = parser().parse_args(own)
    folder = options.target.is_dir()
    if folder:  # read when numpy is loaded; a script keeps its threads
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from deep_mnist.data.dataset import DatasetError
    from deep_mnist.doctor.case import NotUsableError
    from deep_mnist.doctor.checks.catalogue import RuleError

    try:
        if folder or _is_image_file(options.target):
            from deep_mnist.doctor.evidence.background import passing_the_lock_on_sooner

            with passing_the_lock_on_sooner():
                return _judge_folder(options)
        return _judge_script(options, script_arguments)
    except (NotUsableError, DatasetError, RuleError, OSError) as error:
        print(f"doctor: {error}", file=sys.stderr)
        return 2


def _is_image_file(path: Path) -> bool:
    from deep_mnist.data.sources import is_image_file

    return is_image_file(path.name)


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return the doctor's own arguments and, after --, the script's."""
    if "--" not in arguments:
        return arguments, []
    place = arguments.index("--")
    return arguments[:place], arguments[place + 1 :]


def _judge_folder(options: argparse.Namespace) -> int:
    from deep_mnist.doctor.case import read_splits, survey_in_background

    splits = read_splits(options.target)
    survey_in_background(splits)  # while the rest is imported
    from deep_mnist.doctor.command.arguments import choices_from
    from deep_mnist.doctor.command.output import status_of, write
    from deep_mnist.doctor.judge import judge_folder

    choices = choices_from(options)
    model = options.model or options.contract
    diagnosis = judge_folder(
        options.target, model=model, overrides=_overrides(options), choices=choices, splits=splits, started=STARTED
    )
    if options.rehearse and diagnosis.verdict == "fit":
        diagnosis = _rehearsed(options, diagnosis, choices)
    write(options, [diagnosis], sys.stdout)
    return status_of([diagnosis])


def _rehearsed(options: argparse.Namespace, diagnosis: Diagnosis, choices: Choices) -> Diagnosis:
    from deep_mnist.doctor.case import NotUsableError
    from deep_mnist.doctor.rehearsal.process import rehearse_case

    model = options.model or options.target / "model.keras"
    if model.suffix != ".keras" or not model.is_file():
        raise NotUsableError(f"Expected a .keras file to rehearse. Received: {model}. Fix: --model mine.keras")
    return rehearse_case(diagnosis, model, choices)


def _judge_script(options: argparse.Namespace, arguments: list[str]) -> int:
    from deep_mnist.doctor.command.arguments import choices_from
    from deep_mnist.doctor.command.output import own_stdout, status_of, write
    from deep_mnist.doctor.script.run import run_script
    from deep_mnist.doctor.script.stop_at_fit import ScriptOptions

    diagnoses: list[Diagnosis] = []
    choices = choices_from(options)
    stdout = sys.stdout if options.format == "text" else own_stdout()
    as_each_comes = options.format == "text" or not options.all

    def report(diagnosis: Diagnosis) -> None:
        diagnoses.append(diagnosis)
        if as_each_comes:
            write(options, diagnoses if not options.all else diagnoses[-1:], stdout)

    def relay(text: str, as_json: str) -> None:
        print(as_json if options.format == "json" else text, file=stdout, flush=True)

    overrides = {name: value for name, value in _overrides(options).items() if value is not None}
    script = ScriptOptions(options.train, options.all, choices, overrides, report, relay, options.rehearse)
    status = run_script(options.target, arguments, script)
    if diagnoses and not as_each_comes:
        write(options, diagnoses, stdout)
    return status_of(diagnoses) if status == 0 and diagnoses else status


def _overrides(options: argparse.Namespace) -> dict[str, object]:
    return {"loss": options.loss, "from_logits": options.from_logits, "num_classes": options.classes}


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
    _leave(main())
