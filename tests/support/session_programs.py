"""TensorFlow 1 programs under the doctor, as its real command runs scripts, all in one process of their own.

    python -m tests.support.session_programs tf1_faulty.txt     # JSON: name -> findings, and those after each fix

They switch TensorFlow 2's behavior off, which cannot be undone: hence a process of their own.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import linecache
import os
import sys
import tempfile
import time
from pathlib import Path
from types import CodeType
from typing import Any

from deep_mnist.doctor.diagnosis import Diagnosis
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.script.stop_at_fit import ScriptEnd, ScriptJudge, ScriptOptions
from deep_mnist.doctor.tensorflow1.session_watch import watch_sessions
from tests.support.programs import FOLDER

GRAVE = ("error", "warning")


def programs_of(file: str) -> list[tuple[str, tuple[str, ...], str]]:
    """Return (name, codes of which the first finding owes one, text) of each program of a file."""
    beginning = (FOLDER / "tf1_beginning.txt").read_text()
    found = []
    for part in (FOLDER / file).read_text().split("# === ")[1:]:
        head, _, body = part.partition("\n")
        name, _, codes = head.partition("|")
        found.append((name.strip(), tuple(codes.split()), beginning + body))
    return found


def judged(name: str, text: str) -> Diagnosis | None:
    """Return the doctor's diagnosis of a program, None when it found nothing to judge."""
    import tensorflow.compat.v1 as tf

    reports: list[Diagnosis] = []
    with tempfile.TemporaryDirectory() as folder, tf.Graph().as_default():
        options = ScriptOptions(report=reports.append, rehearse="DOCTOR_REHEARSE" in os.environ)
        judge = ScriptJudge(options, Path(folder) / "status", os.getpid())
        watch, remove = watch_sessions(judge.before_run, judge.wants_runs)
        watch.start()
        try:
            with contextlib.suppress(ScriptEnd):
                exec(_compiled(name, text), {"__name__": "__main__"})
                judge.after_last_run()
        finally:
            watch.stop()
            remove()
    return reports[0] if reports else None


def session_program(body: str) -> list[Finding]:
    """Return what the doctor finds of a program, which begins as those of the files do."""
    diagnosis = judged("program", (FOLDER / "tf1_beginning.txt").read_text() + body)
    assert diagnosis is not None, "the program runs no session that is judged"
    return list(diagnosis.findings)


def _compiled(name: str, text: str) -> CodeType:
    """Compile a program so that its lines can be looked at."""
    file = f"<{name} {abs(hash(text))}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    return compile(text, file, "exec")


def mended(text: str, fix: str) -> str | None:
    """Return a program with a fix in it: each assignment in the place of the last one of that name.

    None where the fix is a sentence, or holds no whole statement.
    """
    try:
        statements = ast.parse(fix).body
    except SyntaxError:
        return None
    for statement in statements:
        if not isinstance(statement, ast.Assign) or (text := _replaced(text, statement)) is None:
            return None
    return text


def _replaced(text: str, statement: ast.Assign) -> str | None:
    """Return a program with one assignment in the place of its own of that name, or after it where it takes that."""
    target = statement.targets[0]
    names = [ast.unparse(each) for each in (target.elts if isinstance(target, ast.Tuple) else [target])]
    start = text.splitlines().index("# ----")
    own = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Assign) and node.lineno > start
        if any(ast.unparse(each) in (*names, ast.unparse(target)) or _holds(each, names) for each in node.targets)
    ]
    if not own:
        return None
    last = {ast.unparse(each.targets[0]): each for each in sorted(own, key=_place)}
    taken = {each.id for each in ast.walk(statement.value) if isinstance(each, ast.Name)} & set(names)
    lines = text.splitlines()
    if len(names) == 1:
        last = {names[0]: max(last.values(), key=_place)}
    for place, node in enumerate(sorted(last.values(), key=_place)):
        line, new = lines[node.lineno - 1], ast.unparse(statement) if place == 0 else "pass"
        new = f"{ast.unparse(node)}; {new}" if taken else new
        lines[node.lineno - 1] = line[: node.col_offset] + new + line[node.end_col_offset :]
    return "\n".join(lines)


def _place(node: ast.Assign) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _holds(target: ast.expr, names: list[str]) -> bool:
    """Whether an assignment to several names is to one of these too."""
    return len(names) == 1 and isinstance(target, ast.Tuple) and names[0] in map(ast.unparse, target.elts)


def graver(diagnosis: Diagnosis | None) -> list[Finding]:
    return [each for each in diagnosis.findings if each.severity in GRAVE] if diagnosis is not None else []


def outcome(name: str, text: str) -> dict[str, Any]:
    """Return what the doctor said of a program, and of the program with the first fix in it."""
    started = time.perf_counter()
    diagnosis = judged(name, text)
    found = graver(diagnosis)
    seconds = time.perf_counter() - started
    said: dict[str, Any] = {"findings": [each.to_dict() for each in found], "seconds": seconds}
    said["judged"] = diagnosis is not None
    said["broken"] = [each.to_dict() for each in diagnosis.broken] if diagnosis is not None else []
    if found:
        text_again = mended(text, found[0].fix)
        said["mended"] = None if text_again is None else [each.to_dict() for each in graver(judged(name, text_again))]
    return said


def main(files: list[str]) -> None:
    import tensorflow.compat.v1 as tf

    tf.disable_v2_behavior()
    threads = tf.config.threading  # of all sessions: their runs are too small to be shared out
    threads.set_intra_op_parallelism_threads(1)
    threads.set_inter_op_parallelism_threads(1)
    wanted = set(files[1:])
    said = {}
    for name, _, text in programs_of(files[0]):
        if wanted and name not in wanted:
            continue
        with contextlib.redirect_stdout(io.StringIO()):
            try:
                said[name] = outcome(name, text)
            except Exception as error:
                import traceback

                said[name] = {"error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}
    print(json.dumps(said))


if __name__ == "__main__":
    main(sys.argv[1:])
