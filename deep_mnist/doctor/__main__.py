"""python -m deep_mnist.doctor FOLDER|SCRIPT.py: why would training fail?

    python -m deep_mnist.doctor train.py -- --epochs 5      # the script, unmodified, up to its first fit
    python -m deep_mnist.doctor data/                       # judged by data/model.keras and data/contract.json
    python -m deep_mnist.doctor data/ --model mine.keras --loss categorical_crossentropy
    python -m deep_mnist.doctor data/ --contract c.yaml --json

Exit status: 0 fit, 1 unfit, 2 not usable (bad usage, nothing readable to judge).
"""

from __future__ import annotations

import argparse
import atexit
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deep_mnist.doctor.acceptance import Acceptance
    from deep_mnist.doctor.diagnosis import Diagnosis

STARTED = time.perf_counter()


def main(arguments: list[str] | None = None) -> int:
    """Judge a folder or a script and print the diagnosis; return the exit status."""
    own, script_arguments = _split(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(own)
    folder = options.target.is_dir()
    if folder:  # read when numpy is loaded; a script keeps its threads
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from deep_mnist.data.dataset import DatasetError
    from deep_mnist.doctor.case import NotUsableError

    try:
        if folder or _is_image_file(options.target):
            from deep_mnist.doctor.evidence.background import passing_the_lock_on_sooner

            with passing_the_lock_on_sooner():
                return _judge_folder(options)
        return _judge_script(options, script_arguments)
    except (NotUsableError, DatasetError, OSError) as error:
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
    from deep_mnist.doctor.case import read_splits, survey_ahead

    splits = read_splits(options.target)
    survey_ahead(splits)  # while the rest is imported
    from deep_mnist.doctor.acceptance import acceptances_of
    from deep_mnist.doctor.judge import diagnose
    from deep_mnist.doctor.settings import contract_for, known_record

    contract = contract_for(options.target, model=options.model or options.contract, overrides=_overrides(options))
    accept = acceptances_of(dict(options.accept))
    record = known_record(options.target)
    diagnosis = diagnose(options.target, contract, record=record, accept=accept, splits=splits, started=STARTED)
    if options.rehearse and diagnosis.verdict == "fit":
        diagnosis = _rehearsed(options, diagnosis, accept)
    _write(options, [diagnosis], sys.stdout)
    return 0 if diagnosis.verdict == "fit" else 1


def _rehearsed(options: argparse.Namespace, diagnosis: Diagnosis, accept: Sequence[Acceptance]) -> Diagnosis:
    from deep_mnist.doctor.case import NotUsableError
    from deep_mnist.doctor.rehearsal.process import rehearse_case

    model = options.model or options.target / "model.keras"
    if model.suffix != ".keras" or not model.is_file():
        raise NotUsableError(f"Expected a .keras file to rehearse. Received: {model}. Fix: --model mine.keras")
    return rehearse_case(diagnosis, model, accept)


def _judge_script(options: argparse.Namespace, arguments: list[str]) -> int:
    from deep_mnist.doctor.script.run import run_script
    from deep_mnist.doctor.script.stop_at_fit import ScriptOptions

    diagnoses: list[Diagnosis] = []
    stdout = _own_stdout() if options.json else sys.stdout

    def report(diagnosis: Diagnosis) -> None:
        diagnoses.append(diagnosis)
        last = not options.all
        if last or not options.json:
            _write(options, diagnoses if last else diagnoses[-1:], stdout)

    def relay(text: str, as_json: str) -> None:
        print(as_json if options.json else text, file=stdout, flush=True)

    overrides = {name: value for name, value in _overrides(options).items() if value is not None}
    script = ScriptOptions(options.train, options.all, dict(options.accept), overrides, report, relay, options.rehearse)
    status = run_script(options.target, arguments, script)
    if options.all and options.json and diagnoses:
        _write(options, diagnoses, stdout)
    return status


def _own_stdout() -> TextIO:
    """Return a stream to standard output, to which from now on the script's own prints do not go."""
    own = os.fdopen(os.dup(1), "w")
    sys.stdout.flush()
    os.dup2(2, 1)
    return own


def _overrides(options: argparse.Namespace) -> dict[str, object]:
    return {"loss": options.loss, "from_logits": options.from_logits, "num_classes": options.classes}


def _write(options: argparse.Namespace, diagnoses: list[Diagnosis], stdout: TextIO) -> None:
    """Write the reports; of several fits, one JSON object with the whole verdict and each fit's diagnosis."""
    from deep_mnist.doctor.report import render as report

    last = diagnoses[-1]
    if options.html:
        options.html.write_text(report.as_html(last))
    if options.markdown:
        options.markdown.write_text(report.as_markdown(last))
    if options.json:
        print(report.as_json(last) if not options.all else report.as_json_of_all(diagnoses), file=stdout, flush=True)
    else:
        report.print_text(last, stdout)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deep_mnist.doctor",
        description="Say why training would fail: on the data in a folder, or of an unmodified script.",
        epilog="Exit status: 0 fit, 1 unfit, 2 not usable.",
    )
    parser.add_argument(
        "target",
        type=Path,
        metavar="folder|file|script.py",
        help="a Python script (its arguments after --), or a folder of arrays or images, or one .csv or .parquet",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--model", type=Path, help=".keras, .h5 or Keras .json file, or SavedModel folder")
    source.add_argument("--contract", type=Path, help="contract .yaml or .json written by hand")
    parser.add_argument("--loss", help="loss that fit uses; wins over the model's own")
    parser.add_argument("--from-logits", action=argparse.BooleanOptionalAction, default=None, help="of that loss")
    parser.add_argument("--classes", type=_classes, metavar="N", help="number of classes")
    parser.add_argument(
        "--accept", type=_acceptance, action="append", default=[], metavar='FIELD="REASON"', help="take responsibility"
    )
    parser.add_argument(
        "--rehearse", action="store_true", help="when nothing is found: run the network for some seconds, on a sample"
    )
    parser.add_argument("--train", action="store_true", help="of a script: go on when it is fit")
    parser.add_argument("--all", action="store_true", help="of a script: judge every fit, not the first alone")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with the offending images")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the findings as Markdown")
    return parser


def _classes(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 1_000_000:
        raise argparse.ArgumentTypeError(f"expected a number of classes, received {text!r}")
    return int(text)


def _acceptance(text: str) -> tuple[str, str]:
    field, mark, reason = text.partition("=")
    if not mark or not reason.strip():
        raise argparse.ArgumentTypeError(f'expected FIELD="a reason", received {text!r}')
    return field.strip(), reason.strip()


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
