"""Write diagnoses in the form that was asked for, and say what exit status they mean."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from deep_mnist.doctor.diagnosis import Diagnosis


def status_of(diagnoses: Sequence[Diagnosis]) -> int:
    """Return 1 when one is unfit, else 3 when a rule broke, else 0."""
    if any(each.verdict != "fit" for each in diagnoses):
        return 1
    return 3 if any(each.broken for each in diagnoses) else 0


def write(options: argparse.Namespace, diagnoses: Sequence[Diagnosis], stdout: TextIO) -> None:
    """Write the reports of one fit, or of several as one object; the last one's page and Markdown into their files."""
    from deep_mnist.doctor.report import render

    last = diagnoses[-1]
    if options.html:
        options.html.write_text(render.as_html(last))
    if options.markdown:
        options.markdown.write_text(render.as_markdown(last))
    if options.format == "text":
        render.print_text(last, stdout)
    else:
        print(_formatted(options, diagnoses), file=stdout, flush=True)


def _formatted(options: argparse.Namespace, diagnoses: Sequence[Diagnosis]) -> str:
    from deep_mnist.doctor.report import render

    if options.format == "json":
        return render.as_json_of_all(diagnoses) if options.all else render.as_json(diagnoses[-1])
    if options.format in ("html", "markdown"):
        return render.as_html(diagnoses[-1]) if options.format == "html" else render.as_markdown(diagnoses[-1])
    from deep_mnist.doctor.report import formats

    forms = {"sarif": formats.as_sarif, "junit": formats.as_junit, "github": formats.as_github}
    return forms[options.format](diagnoses)


def own_stdout() -> TextIO:
    """Return a stream to standard output, to which from now on the script's own prints do not go."""
    own = os.fdopen(os.dup(1), "w")
    sys.stdout.flush()
    os.dup2(2, 1)
    return own
