"""The arguments of `python -m deep_mnist.doctor`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deep_mnist.doctor.command.kinds import PROGRAMS, kind_of

if TYPE_CHECKING:
    from deep_mnist.doctor.acceptance import Choices

FORMATS = ("text", "json", "html", "markdown", "sarif", "junit", "github")
EXIT = "Exit status: 0 fit, 1 unfit, 2 not usable, 3 a fault of the doctor or of a rule, never of your program."
COMMAND = "python -m deep_mnist.doctor"


def parsed(given: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return the doctor's options and, after --, the program's own arguments.

    Raises:
        SystemExit: With status 2, when they cannot be used; the sentence on standard error says the line to type.
    """
    place = given.index("--") if "--" in given else len(given)
    own, rest = list(given[:place]), list(given[place + 1 :])
    made = parser()
    options, unknown = made.parse_known_args(own)
    if options.module is not None and options.target is not None:
        unknown = [each for each in own if each == str(options.target) or each in unknown]
    if options.module is None and options.target is None:
        made.error("expected folder|file|script.py, or -m MODULE")
    second = next((each for each in unknown if options.target is not None and each != str(options.target)), "")
    if second and not second.startswith("-") and Path(second).exists() and kind_of(options.target) not in PROGRAMS:
        fix = f"{COMMAND} {options.target}, then {COMMAND} {second}"
        print(
            f"doctor: Expected one folder or file. Received: {options.target} and {second}. Fix: {fix}", file=sys.stderr
        )
        raise SystemExit(2)
    if unknown:
        print(f"doctor: {_hint(own, unknown, rest, list(made._option_string_actions))}", file=sys.stderr)
        raise SystemExit(2)
    options.given = tuple(given)
    return options, rest


def _hint(own: Sequence[str], unknown: Sequence[str], rest: Sequence[str], known: Sequence[str]) -> str:
    """Return what to type where a program's arguments were given as the doctor's."""
    import difflib  # these two by those alone whose call is wrong
    import shlex

    left, kept = list(unknown), []
    for each in own:
        if each in left:
            left.remove(each)
        else:
            kept.append(each)
    near = [match for each in unknown for match in difflib.get_close_matches(each, known, n=1, cutoff=0.8)]
    line = f"{COMMAND} {shlex.join([*kept, '--', *unknown, *rest])}"
    meant = f"{' '.join(near)}, where an option of the doctor is meant; else " if near else ""
    return f"Expected a program's own arguments after --. Received: {shlex.join(unknown)}. Fix: {meant}{line}"


def parser() -> argparse.ArgumentParser:
    """Return the parser of the doctor's own arguments."""
    own = argparse.ArgumentParser(
        prog="python -m deep_mnist.doctor",
        description="Say why training would fail: on the data in a folder, or of an unmodified script.",
        epilog=f"{EXIT} `rules` in the target's place lists every rule, `rule CODE` explains one.",
        allow_abbrev=False,
    )
    own.add_argument(
        "target",
        type=_path,
        nargs="?",
        metavar="folder|file|script.py",
        help="a Python script or notebook (its arguments after --), a folder of arrays or images, one .npz, .csv or "
        ".parquet, or a Keras model",
    )
    own.add_argument("-m", dest="module", metavar="MODULE", help="run a module by its name, as python -m does")
    _of_network(own)
    _of_choices(own)
    own.add_argument(
        "--rehearse", action="store_true", help="when nothing is found: run the network for some seconds, on a sample"
    )
    own.add_argument("--data", type=_path, metavar="FOLDER", help="of a model: judge these data against it")
    own.add_argument("--cell", type=_cell, metavar="N", help="of a notebook: stop before its cell of code N")
    own.add_argument("--train", action="store_true", help="of a script: go on when it is fit")
    own.add_argument("--all", action="store_true", help="of a script: judge every fit, not the first alone")
    _of_output(own)
    return own


def _of_network(own: argparse.ArgumentParser) -> None:
    source = own.add_mutually_exclusive_group()
    source.add_argument("--model", type=_path, help=".keras, .h5 or Keras .json file, or SavedModel folder")
    source.add_argument("--contract", type=_path, help="contract .yaml or .json written by hand")
    own.add_argument("--loss", help="loss that fit uses; wins over the model's own")
    own.add_argument("--from-logits", action=argparse.BooleanOptionalAction, default=None, help="of that loss")
    own.add_argument("--classes", type=_classes, metavar="N", help="number of classes")


def _of_choices(own: argparse.ArgumentParser) -> None:
    own.add_argument(
        "--accept",
        type=_acceptance,
        action="append",
        default=[],
        metavar='CODE|FIELD="REASON"',
        help="take responsibility for what a rule, or all rules of a field, find; every report shows it",
    )
    own.add_argument("--ignore", type=_names, default=(), metavar="CODE,…", help="do not judge these rules")
    own.add_argument(
        "--rules", type=_path, action="append", default=[], metavar="FILE.py", help="rules of your own; the file is run"
    )


def _of_output(own: argparse.ArgumentParser) -> None:
    form = own.add_mutually_exclusive_group()
    form.add_argument("--format", choices=FORMATS, default="text", help="of what is printed")
    form.add_argument("--json", action="store_const", const="json", dest="format", help="as --format json")
    own.add_argument("--html", type=_path, metavar="FILE", help="write a page with the offending images")
    own.add_argument("--markdown", type=_path, metavar="FILE", help="write the findings as Markdown")


def _path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("expected a path. Received: an empty one")
    return Path(text)


def _cell(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 1_000_000:
        raise argparse.ArgumentTypeError(f"expected the number of a cell, received {text!r}")
    return int(text)


def _classes(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 1_000_000:
        raise argparse.ArgumentTypeError(f"expected a number of classes, received {text!r}")
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(",") if each.strip())


def _acceptance(text: str) -> tuple[str, str]:
    name, mark, reason = text.partition("=")
    if not mark or not reason.strip():
        raise argparse.ArgumentTypeError(f'expected CODE="a reason" or FIELD="a reason", received {text!r}')
    return name.strip(), reason.strip()


def choices_from(options: argparse.Namespace) -> Choices:
    """Return what the command line and the target's pyproject.toml accept and ignore; load the rules they name.

    Raises:
        NotUsableError: A name is of no rule or field, or pyproject.toml cannot be read.
        RuleError: A file of rules cannot be used.
    """
    from deep_mnist.doctor.acceptance import choices_of
    from deep_mnist.doctor.checks.catalogue import add
    from deep_mnist.doctor.settings import project_settings

    project = project_settings(options.target or Path.cwd())
    for path in (*project.rules, *options.rules):
        add(path)
    own = choices_of(dict(options.accept), options.ignore)
    return own + choices_of(project.accept, project.ignore)
