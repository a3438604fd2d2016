"""Rehearse a model file in a process of its own: the one place where a stranger's layers run.

The child loads the file in Keras's safe mode, without a network where the system lets it give that up, and is killed
with all that it started when it takes more memory or time than allowed. What it leaves is one JSON file, read here.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deep_mnist.doctor.acceptance import Choices
from deep_mnist.doctor.checks.catalogue import rule_named
from deep_mnist.doctor.diagnosis import Diagnosis
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.finish import with_more
from deep_mnist.doctor.rehearsal.findings import abstention
from deep_mnist.doctor.rule import Scope
from deep_mnist.processes import ADDRESS, Process, start_module

SECONDS = 600.0  # of the rehearsal itself, its last resort; loading TensorFlow and the network comes on top
LOAD_SECONDS = 240.0
MEMORY_BYTES = 4 << 30
SAMPLE = 1024  # examples that the child is given of a folder
MAX_OUTPUT_BYTES = 4 << 20
POLL_SECONDS = 0.1
SEVERITIES = ("error", "warning", "note")  # that the child may give; only a person accepts
CLONE_NEWNET, CLONE_NEWUSER = 0x40000000, 0x10000000


def rehearse_file(
    model: Path,
    images: Path,
    labels: Path,
    *,
    batch_size: int = 32,
    epochs: int | None = None,
    seconds: float = SECONDS,
    memory_bytes: int = MEMORY_BYTES,
    limit_seconds: float | None = None,
) -> list[Finding]:
    """Return the findings of a rehearsal, or one note that says why there was none.

    Args:
        model: A compiled `.keras` file.
        images, labels: `.npy` files of one length, memory-mapped by the child.
        batch_size, epochs: Of the real training.
        seconds: Of the rehearsal.
        memory_bytes: Above it the child is killed.
        limit_seconds: After it the child is killed; default: `seconds` and LOAD_SECONDS.
    """
    limit = seconds + LOAD_SECONDS if limit_seconds is None else limit_seconds
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder:
        request: dict[str, Any] = {
            "model": str(model.resolve()),
            "images": str(images.resolve()),
            "labels": str(labels.resolve()),
            "batch_size": batch_size,
            "epochs": epochs,
            "seconds": seconds,
            "memory_bytes": memory_bytes,
            "result": str(Path(folder) / "findings.json"),
        }
        reason = _run_child(request, Path(folder), limit, memory_bytes)
        return [abstention(reason)] if reason else read_result(Path(request["result"]))


def rehearse_case(diagnosis: Diagnosis, model: Path, choices: Choices | None = None, **limits: Any) -> Diagnosis:
    """Return a folder's diagnosis with what a rehearsal of a model file on its training split showed.

    Args:
        diagnosis: Of the folder.
        model: A compiled `.keras` file.
        choices: What the user accepts and ignores.
        **limits: seconds, memory_bytes and limit_seconds of `rehearse_file`.
    """
    train, started = diagnosis.case.train, time.perf_counter()
    if train.images is None or train.labels is None:
        return diagnosis
    rows = np.sort(np.random.default_rng(0).permutation(len(train.images))[:SAMPLE])
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder:
        files = Path(folder) / "images.npy", Path(folder) / "labels.npy"
        for file, array in zip(files, (train.images, train.labels), strict=True):
            np.save(file, np.asarray(array[rows]))
        fit = diagnosis.case.fit
        found = rehearse_file(model, *files, batch_size=fit.get("batch_size") or 32, epochs=fit.get("epochs"), **limits)
    return with_more(diagnosis, found, choices or Choices(), time.perf_counter() - started)


def _run_child(request: Mapping[str, Any], folder: Path, limit: float, memory_bytes: int) -> str:
    """Run the child to its end; return why it wrote no result, "" when it did."""
    root = str(Path(__file__).resolve().parents[3])
    environment = {**os.environ, "PYTHONPATH": root, "TF_CPP_MIN_LOG_LEVEL": "3", "HOME": str(folder)}
    environment.pop(ADDRESS, None)  # a stranger's layers start nothing outside their limits
    with (folder / "log").open("wb") as log:
        child = start_module(
            "deep_mnist.doctor.rehearsal.process",
            [json.dumps(request)],
            environment=environment,
            folder=folder,
            output=log,
            errors=log,
            new_session=True,
        )
        try:
            reason = _watch(child, time.monotonic() + limit, limit, memory_bytes)
        finally:
            _kill(child)
    if reason or Path(request["result"]).is_file():
        return reason
    return f"its process ended with status {child.returncode}: {_last_line(folder / 'log')}"


def _watch(child: Process, deadline: float, limit: float, memory_bytes: int) -> str:
    while child.poll() is None:
        if time.monotonic() > deadline:
            return f"it did not end within {limit:g} s and was stopped"
        if _memory_of(child.pid) > memory_bytes:
            return f"it needed more than {memory_bytes >> 20} MiB of memory and was stopped"
        time.sleep(POLL_SECONDS)
    return ""


def _memory_of(group: int) -> int:
    """Return the resident bytes of every process of a process group."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(fields[2]) == group:
            total += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    return total


def _kill(child: Process) -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.wait()


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


def read_result(path: Path) -> list[Finding]:
    """Return the child's findings; what a hostile network wrote in their place is refused."""
    try:
        if path.stat().st_size > MAX_OUTPUT_BYTES:
            raise ValueError("too large")
        return [_finding_of(each) for each in json.loads(path.read_text())]
    except (OSError, ValueError, TypeError, KeyError) as error:
        return [abstention(f"its result cannot be read ({type(error).__name__})")]


def _finding_of(entry: Mapping[str, Any]) -> Finding:
    """Return a finding of a run's rule as `Finding.to_dict` wrote it.

    Raises:
        ValueError: It is of no rule of a run, or not of the form that such a finding has.
        KeyError: Something is missing.
    """
    rule = rule_named(entry["rule"])
    if rule is None or rule.scope is not Scope.RUN or entry["severity"] not in SEVERITIES:
        raise ValueError(f"Expected a finding of a run. Received: {entry['rule']!r}, {entry['severity']!r}.")
    texts = {name: entry[name] for name in ("split", "expected", "received", "fix", "why")}
    if not all(isinstance(each, str) for each in texts.values()):
        raise ValueError(f"Expected texts. Received: {texts}.")
    split = texts.pop("split")
    return rule.found(split, severity=entry["severity"], where=tuple(map(int, entry["where"])), **texts)


# --- in the child ------------------------------------------------------------------------------------------------


def main(request: Mapping[str, Any]) -> None:
    """Rehearse as asked and write the findings."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    give_up_network()
    findings = _rehearse(request)
    result = Path(request["result"])
    partial = result.with_suffix(".partial")
    partial.write_text(json.dumps([each.to_dict() for each in findings]))
    partial.replace(result)


def give_up_network() -> bool:
    """Leave this process without a network, where the system allows it; return whether it did."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        alone: bool = libc.unshare(CLONE_NEWNET) == 0 or libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0
        return alone
    except AttributeError:  # no Linux
        return False


def _rehearse(request: Mapping[str, Any]) -> Sequence[Finding]:
    import keras

    from deep_mnist.doctor.rehearsal.rehearse import rehearse

    try:
        model = keras.saving.load_model(request["model"], safe_mode=True)
    except Exception as error:  # Keras raises nearly every kind on a damaged or hostile file
        return [abstention(f"Keras does not load it in safe mode: {str(error).splitlines()[0][:300]}")]
    images = np.load(request["images"], mmap_mode="r", allow_pickle=False)
    labels = np.load(request["labels"], mmap_mode="r", allow_pickle=False)
    return rehearse(
        model,
        images,
        labels,
        batch_size=request["batch_size"],
        epochs=request["epochs"],
        examples=len(images),
        seconds=request["seconds"],
        memory_bytes=request["memory_bytes"],
    ).findings


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
