"""A notebook as it lies in its file: its cells of code, in their order, and what kernel it was written for."""

from __future__ import annotations

import json
import platform
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deep_mnist.doctor.case import NotUsableError

PYTHON = ("python", "ipython", "python3", "")  # names of the language
OWN_KERNELS = ("python3", "python", "")  # whichever interpreter the notebook is opened with
SKIPPED_TAG = "skip-execution"  # as nbclient knows it
# Lines that change what is installed: the doctor changes nothing.
INSTALLS = re.compile(
    r"^(?P<indent>\s*)(?:[!%]{1,2}\s*)(?:sudo\s+)?(?:\S*python\S*\s+-m\s+)?"
    r"(?:pip3?|conda|mamba|uv|apt|apt-get)\s+(?:pip\s+)?(?:-\S+\s+)*(?:install|uninstall|update|upgrade|remove)\b.*$",
    re.M,
)


@dataclass(frozen=True)
class NotebookCell:
    """A cell of code.

    Attributes:
        number: Its place among the notebook's cells of code, from 1 on.
        execution: The number in its brackets, In [12], when it was last saved; None for one that was not run.
        source: Its text.
    """

    number: int
    execution: int | None
    source: str


@dataclass(frozen=True)
class Notebook:
    """A notebook of Python.

    Attributes:
        path: Its file.
        cells: Those of code that a run of all cells would run.
        kernel: Name of its kernel, "" when it names none.
        version: Of the Python that it was last run with, "" when it names none.
    """

    path: Path
    cells: Sequence[NotebookCell]
    kernel: str = ""
    version: str = ""

    def remarks(self) -> Iterator[str]:
        """Yield what its reader should know: another kernel, another order."""
        here = platform.python_version()
        other = self.version and self.version.split(".")[:2] != here.split(".")[:2]
        if self.kernel not in OWN_KERNELS or other:
            made = " ".join(each for each in (self.kernel, self.version and f"Python {self.version}") if each)
            yield (
                f"{self.path.name} was made for the kernel {made}; its cells run here in Python {here} "
                f"({sys.executable}) with the packages installed for it"
            )
        counts = [each.execution for each in self.cells if each.execution is not None]
        if counts != sorted(counts):
            yield f"the cells of {self.path.name} were last run in another order; here they run from the first on"


def read_notebook(path: Path) -> Notebook:
    """Return the notebook that a file holds; outputs and what else it keeps are not looked at.

    Raises:
        NotUsableError: It is no notebook, of another language, or holds no cells of code.
    """
    try:
        stated = json.loads(path.read_text("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise NotUsableError(f"Expected a notebook, JSON with cells, in {path.name}. Received: {error}.") from error
    metadata = _fields(_fields(stated).get("metadata"))
    kernel, language = _fields(metadata.get("kernelspec")), _fields(metadata.get("language_info"))
    spoken = str(language.get("name") or kernel.get("language") or "").lower()
    if spoken not in PYTHON:
        raise NotUsableError(f"Expected a notebook of Python. Received: {path.name}, whose language is {spoken!r}.")
    cells = [
        NotebookCell(number, _count(each), _source(each, number, path))
        for number, each in enumerate(_code_cells(stated), 1)
        if SKIPPED_TAG not in _tags(each)
    ]
    if not cells:
        raise NotUsableError(f"Expected cells of code in {path.name}. Received: none.")
    return Notebook(path, cells, str(kernel.get("name") or ""), str(language.get("version") or ""))


def _fields(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _code_cells(stated: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the cells of code, of nbformat 4 or 3."""
    sheets = _fields(stated).get("worksheets")
    groups = [_fields(each).get("cells") for each in sheets] if isinstance(sheets, list) else [stated.get("cells")]
    for group in groups:
        for each in group if isinstance(group, list) else ():
            if _fields(each).get("cell_type") == "code":
                yield each


def _count(cell: Mapping[str, Any]) -> int | None:
    count = cell.get("execution_count", cell.get("prompt_number"))
    return count if isinstance(count, int) else None


def _tags(cell: Mapping[str, Any]) -> Sequence[Any]:
    tags = _fields(cell.get("metadata")).get("tags")
    return tags if isinstance(tags, list) else []


def _source(cell: Mapping[str, Any], number: int, path: Path) -> str:
    text = cell.get("source", cell.get("input"))
    lines = [text] if isinstance(text, str) else text
    if not isinstance(lines, list) or not all(isinstance(each, str) for each in lines):
        raise NotUsableError(f"Expected text in cell {number} of {path.name}. Received: {type(text).__name__}.")
    return "".join(lines)


def without_installs(source: str) -> tuple[str, list[str]]:
    """Return a cell's text with each line that installs packages put out of force, and those lines.

    >>> without_installs("!pip install keras\\nimport keras")
    ('pass  # not run: !pip install keras\\nimport keras', ['!pip install keras'])
    """
    found: list[str] = []

    def put_out(match: re.Match[str]) -> str:
        line = match.group().strip()
        found.append(line)
        return f"{match['indent']}pass  # not run: {line}"

    return INSTALLS.sub(put_out, source), found


def with_its_lines(source: str) -> str:
    """Return a cell's text with comments for the empty lines before its first, which IPython would leave out.

    >>> with_its_lines("\\n \\nx = 1"), with_its_lines("\\n%%time\\nx = 1")
    ('#\\n#\\nx = 1', '\\n%%time\\nx = 1')
    """
    rest = source.lstrip()
    empty = source[: len(source) - len(rest)].count("\n")
    if not empty or rest.startswith("%%"):
        return source
    return "#\n" * empty + source.split("\n", empty)[-1]
