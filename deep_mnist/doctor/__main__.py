"""python -m deep_mnist.doctor FOLDER: why would training on this data fail?

    python -m deep_mnist.doctor data/                       # judged by data/model.keras and data/contract.json
    python -m deep_mnist.doctor data/ --model mine.keras --loss categorical_crossentropy
    python -m deep_mnist.doctor data/ --contract c.yaml --json

Exit status: 0 fit, 1 unfit, 2 not usable (bad usage, nothing readable to judge).
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

STARTED = time.perf_counter()


def main(arguments: list[str] | None = None) -> int:
    """Judge a folder and print the diagnosis; return the exit status."""
    from deep_mnist.data.dataset import DatasetError
    from deep_mnist.doctor.case import NotUsableError
    from deep_mnist.doctor.judge import diagnose
    from deep_mnist.doctor.settings import contract_for, known_record

    told = _parser().parse_args(arguments)
    settings = {"loss": told.loss, "from_logits": told.from_logits, "num_classes": told.classes}
    try:
        if not told.folder.is_dir():
            raise NotUsableError(f"Expected a folder. Received: {told.folder}, which is none.")
        contract = contract_for(told.folder, model=told.model or told.contract, told=settings)
        diagnosis = diagnose(told.folder, contract, record=known_record(told.folder), started=STARTED)
        return _write(told, diagnosis)
    except (NotUsableError, DatasetError, OSError) as error:
        print(f"doctor: {error}", file=sys.stderr)
        return 2


def _write(told: argparse.Namespace, diagnosis: object) -> int:
    from deep_mnist.doctor import report
    from deep_mnist.doctor.judge import Diagnosis

    if not isinstance(diagnosis, Diagnosis):
        raise TypeError(f"Expected a diagnosis. Received: {type(diagnosis).__name__}.")
    if told.html:
        told.html.write_text(report.as_html(diagnosis))
    if told.markdown:
        told.markdown.write_text(report.as_markdown(diagnosis))
    if told.json:
        print(report.as_json(diagnosis))
    else:
        report.print_text(diagnosis)
    return 0 if diagnosis.verdict == "fit" else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deep_mnist.doctor",
        description="Say why training on this data would fail.",
        epilog="Exit status: 0 fit, 1 unfit, 2 not usable.",
    )
    parser.add_argument("folder", type=Path, help="folder of .npy or IDX files, or with one .npz")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--model", type=Path, help=".keras, .h5 or Keras .json file, or SavedModel folder")
    source.add_argument("--contract", type=Path, help="contract .yaml or .json written by hand")
    parser.add_argument("--loss", help="loss that fit uses; wins over the model's own")
    parser.add_argument("--from-logits", action=argparse.BooleanOptionalAction, default=None, help="of that loss")
    parser.add_argument("--classes", type=_classes, metavar="N", help="number of classes")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with the offending images")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the findings as Markdown")
    return parser


def _classes(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 1_000_000:
        raise argparse.ArgumentTypeError(f"expected a number of classes, received {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
