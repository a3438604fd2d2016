"""Small programs that end by an error, and the same mended: run here, and what the doctor knows of the error.

A file of programs holds one after another, each headed `# === name | code | words that the finding says`. Lines
that end in #BAD are of the failing one alone, those in #GOOD are what the fix says, those in #MORE belong to the
mended one too.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import linecache
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from deep_mnist.doctor.checks.crashes.explain import finding_of
from deep_mnist.doctor.finding import Finding

FOLDER = Path(__file__).parents[1] / "deep_mnist" / "doctor" / "programs"
KERAS = "import keras\nimport numpy as np\n"
GRAPH = "import numpy as np\nimport tensorflow.compat.v1 as tf\n"
BEGINNINGS = {"crashes_fitting.txt": KERAS, "crashes_graphs.txt": GRAPH}
_numbers = itertools.count()


class Crashing(NamedTuple):
    """A failing program and its mended twin.

    Attributes:
        name: Of the program.
        code: Of the rule that names its error.
        words: That the finding's expected and received say.
        failing, mended: Their texts.
        fixes: Lines of the mended one that are the fix.
        is_mended: There is a mended one.
    """

    name: str
    code: str
    words: tuple[str, ...]
    failing: str
    mended: str
    fixes: tuple[str, ...]
    is_mended: bool


def crashing(file: str) -> Iterator[Crashing]:
    """Yield the programs of a file in the folder of programs."""
    beginning = BEGINNINGS.get(file, "")
    for part in (FOLDER / file).read_text().split("# === ")[1:]:
        head, _, body = part.partition("\n")
        name, code, words = (each.strip() for each in head.split("|"))
        lines = body.splitlines()
        failing = [each.removesuffix("#BAD").rstrip() for each in lines if not each.endswith(("#GOOD", "#MORE"))]
        mended = [
            each.removesuffix("#GOOD").removesuffix("#MORE").rstrip() for each in lines if not each.endswith("#BAD")
        ]
        fixes = tuple(each.removesuffix("#GOOD").strip() for each in lines if each.endswith("#GOOD"))
        texts = (beginning + "\n".join(each) + "\n" for each in (failing, mended))
        yield Crashing(name, code, tuple(words.split()), *texts, fixes, "#GOOD" in body or "#MORE" in body)


FOR_GOOD = "disable_v2_behavior"  # of the whole process


def error_of(text: str, name: str = "program") -> BaseException | None:
    """Return the error that ends a program, None where it ends well."""
    import keras
    import tensorflow as tf

    if FOR_GOOD in text:
        ended = subprocess.run(
            [sys.executable, "-c", text], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        return RuntimeError(ended.stderr) if ended.returncode else None
    file = f"<{name} {next(_numbers)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    kept = keras.config.is_traceback_filtering_enabled()
    keras.config.disable_traceback_filtering()  # as the doctor does for a script
    graph = tf.Graph().as_default() if text.startswith(GRAPH) else contextlib.nullcontext()
    try:
        with graph, contextlib.redirect_stdout(io.StringIO()), contextlib.chdir(Path.cwd()):
            exec(compile(text, file, "exec"), {"__name__": "__main__"})
    except BaseException as error:
        return error
    finally:
        if kept:
            keras.config.enable_traceback_filtering()
    return None


def crashed(text: str) -> list[Finding]:
    """Return the finding on the error that ends a program, nothing where it ends well."""
    error = error_of(text)
    found = finding_of(error) if error is not None else None
    return [found] if found is not None else []
