"""A script, notebook or module: run up to its first fit, which is judged."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import TextIO

from deep_mnist.doctor.command.arguments import choices_from
from deep_mnist.doctor.command.files import overrides_of
from deep_mnist.doctor.command.kinds import Kind
from deep_mnist.doctor.command.output import own_stdout, status_of, write
from deep_mnist.doctor.diagnosis import Diagnosis
from deep_mnist.doctor.script.notebook import read_notebook
from deep_mnist.doctor.script.programs import Module, NotebookRun, Program, Script
from deep_mnist.doctor.script.run import run_program
from deep_mnist.doctor.script.stop_at_fit import ScriptOptions

OWN_FAULT = 3
FILES = ("html", "markdown")  # options that name a file to write


def judge_program(options: argparse.Namespace, kind: Kind | None, arguments: Sequence[str]) -> int:
    """Judge the fits of a program, print the diagnoses and return the exit status.

    Args:
        options: Of the command.
        kind: What the target is; None of a module.
        arguments: The program's own.

    Raises:
        NotUsableError: There is no such program.
    """
    program, choices = _program(options, kind), choices_from(options)
    for name in FILES:  # a notebook changes the working directory
        if getattr(options, name) is not None:
            setattr(options, name, getattr(options, name).absolute())
    stdout = sys.stdout if options.format == "text" else own_stdout()
    reports = Reports(options, stdout)
    overrides = {name: value for name, value in overrides_of(options).items() if value is not None}
    script = ScriptOptions(
        options.train, options.all, choices, overrides, reports.take, partial(_relay, options, stdout),
        options.rehearse, reports.deliver, options.given, reports.failed,
    )  # fmt: skip
    try:
        status = run_program(program, arguments, script)
    finally:
        reports.deliver()
    if status or not reports.taken:
        return status
    judged = status_of(reports.taken)
    return 0 if options.train and judged == OWN_FAULT else judged  # which stops no training


def _program(options: argparse.Namespace, kind: Kind | None) -> Program:
    if kind is None:
        return Module(options.module)
    if kind is Kind.NOTEBOOK:
        return NotebookRun(read_notebook(options.target), options.cell)
    return Script(options.target)


def _relay(options: argparse.Namespace, stdout: TextIO, text: str, as_json: str) -> None:
    print(as_json if options.format == "json" else text, file=stdout, flush=True)


class Reports:
    """The diagnoses of a program's fits: written when it has ended, so that its own prints stand above them.

    With --train each is written before its fit goes on.
    """

    def __init__(self, options: argparse.Namespace, stdout: TextIO) -> None:
        self.options, self.stdout = options, stdout
        self.taken: list[Diagnosis] = []
        self.written = 0
        self.owner = os.getpid()

    def take(self, diagnosis: Diagnosis) -> None:
        """Take a diagnosis, of this process or of one that it has forked."""
        self.taken.append(diagnosis)
        text = self.options.format == "text"
        if (self.options.train and (text or not self.options.all)) or os.getpid() != self.owner:
            self.deliver()

    def failed(self, diagnosis: Diagnosis) -> None:
        """Write what is known of the error of a program without a fit; the text form has said it already."""
        if self.options.format != "text" or any(getattr(self.options, name) is not None for name in FILES):
            write(self.options, [diagnosis], self.stdout)

    def deliver(self) -> None:
        """Write what was not written yet: as text one report a fit, in any other form one for all."""
        left = self.taken[self.written :]
        self.written = len(self.taken)
        if not left:
            return
        groups = [[each] for each in left] if self.options.format == "text" or not self.options.all else [self.taken]
        for group in groups:
            write(self.options, group, self.stdout)
