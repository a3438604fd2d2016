"""Data, and a network's file: what is judged without running anything of it."""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from deep_mnist.doctor.command.kinds import DATA, SUFFIXES, Kind, kind_of

if TYPE_CHECKING:
    from deep_mnist.doctor.acceptance import Choices
    from deep_mnist.doctor.diagnosis import Diagnosis


def judge_files(options: argparse.Namespace, kind: Kind, started: float) -> int:
    """Judge data, or a network with or without data; print the diagnosis and return the exit status.

    Args:
        options: Of the command.
        kind: What the target is, of DATA or MODELS.
        started: time.perf_counter() to count the seconds from.

    Raises:
        NotUsableError: There is nothing to judge, or it cannot be read.
    """
    with contextlib.ExitStack() as stack:
        target = stack.enter_context(under_a_known_name(options.target, kind))
        if kind in DATA:
            diagnosis = _of_data(options, target, options.model or options.contract, started)
        elif options.data is not None:
            data = stack.enter_context(under_a_known_name(options.data, _kind_of_data(options.data)))
            diagnosis = _of_data(options, data, target, started)
        else:
            diagnosis = _of_model(options, target, started)
        from deep_mnist.doctor.command.output import status_of, write

        write(options, [diagnosis], sys.stdout)
        return status_of([diagnosis])


def _kind_of_data(path: Path) -> Kind:
    from deep_mnist.doctor.case import NotUsableError
    from deep_mnist.doctor.command.refusals import refuse_kind

    kind = kind_of(path)
    refuse_kind(path, kind)
    if kind not in DATA:
        raise NotUsableError(f"Expected a folder, .npz, CSV or Parquet file for --data. Received: {path}, {kind}.")
    return kind


@contextlib.contextmanager
def under_a_known_name(path: Path, kind: Kind) -> Iterator[Path]:
    """Yield the path itself, or a link of a name by which its reader knows it."""
    suffixes = SUFFIXES.get(kind, ())
    if not suffixes or path.name.endswith(suffixes):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="doctor-") as folder:
        link = Path(folder) / f"{path.stem}{suffixes[0]}"
        link.symlink_to(path.resolve())
        yield link


def _of_data(options: argparse.Namespace, data: Path, model: Path | None, started: float) -> Diagnosis:
    from deep_mnist.doctor.evidence.background import passing_the_lock_on_sooner

    with passing_the_lock_on_sooner():
        from deep_mnist.doctor.case import NotUsableError, read_splits, survey_in_background

        try:
            splits = read_splits(data)
        except NotUsableError as error:
            raise NotUsableError(f"{error}{_instead(data)}") from error
        survey_in_background(splits)  # while the rest is imported
        from deep_mnist.doctor.command.arguments import choices_from
        from deep_mnist.doctor.judge import judge_folder

        choices, overrides = choices_from(options), overrides_of(options)
        diagnosis = judge_folder(
            data, model=model, overrides=overrides, choices=choices, splits=splits, started=started
        )
    if options.rehearse and diagnosis.verdict == "fit":
        diagnosis = _rehearsed(model or data / "model.keras", diagnosis, choices)
    return diagnosis


def _instead(folder: Path) -> str:
    """Return what a folder without data may have been meant for."""
    if (folder / "__main__.py").is_file() or (folder / "__init__.py").is_file():
        return f" Fix: python -m deep_mnist.doctor -m {folder.name}.MODULE, to run a module of this package."
    models = sorted(each for each in folder.glob("*.keras")) if folder.is_dir() else []
    return f" Fix: python -m deep_mnist.doctor {models[0]}, for the network alone." if models else ""


def _of_model(options: argparse.Namespace, model: Path, started: float) -> Diagnosis:
    from deep_mnist.doctor.command.arguments import choices_from
    from deep_mnist.doctor.judge import judge_model

    choices, overrides = choices_from(options), overrides_of(options)
    return judge_model(model, overrides=overrides, choices=choices, started=started)


def _rehearsed(model: Path, diagnosis: Diagnosis, choices: Choices) -> Diagnosis:
    from deep_mnist.doctor.case import NotUsableError
    from deep_mnist.doctor.rehearsal.process import rehearse_case

    if model.suffix != ".keras" or not model.is_file():
        raise NotUsableError(f"Expected a .keras file to rehearse. Received: {model}. Fix: --model mine.keras")
    return rehearse_case(diagnosis, model, choices)


def overrides_of(options: argparse.Namespace) -> dict[str, object]:
    """Return what the command line says of the loss; None where it says nothing."""
    return {"loss": options.loss, "from_logits": options.from_logits, "num_classes": options.classes}
