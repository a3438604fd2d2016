"""The Docker Engine: whether it answers, what images it has, and an end for every container that a run started.

    python -m pipeline.containers.engine LABEL

waits until its stdin closes, which is when the process that started it is gone, and then stops the containers with
that label.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

STOP_SECONDS = 5.0
GIVE_UP_SECONDS = 30.0  # an engine can fail to remove a container for good
_watchers: list[subprocess.Popen[bytes]] = []  # kept, for what closes their stdin wakes them


class ContainersError(RuntimeError):
    """Containers cannot be used as requested; the message says what to change."""

    fix = "read the engine's answer, or run without containers: make run"


class EngineMissingError(ContainersError):
    """No container engine answers."""

    fix = "start a Docker Engine, or run without containers: make run"


def engine_ready() -> None:
    """Return silently when a container engine answers.

    Raises:
        EngineMissingError: None does.
    """
    open_engine().close()


def open_engine() -> Any:
    """Return a client of the engine that answers.

    Raises:
        EngineMissingError: None does.
    """
    import docker

    try:
        client = docker.from_env()
        client.ping()
    except docker.errors.DockerException as error:
        raise EngineMissingError(
            f"Expected a Docker Engine that this user may use. Received: {error}. "
            "Fix: Start one (as root on Debian: docker/ensure_engine.sh), or run without containers: make run"
        ) from error
    return client


def inspect(reference: str) -> dict[str, Any] | None:
    """Return what the engine says of an image, or None when it has none of that name."""
    import docker

    client = docker.from_env()
    try:
        return client.images.get(reference).attrs
    except docker.errors.ImageNotFound:
        return None
    finally:
        client.close()


def stop_all(label: str) -> int:
    """Stop and remove every container that has the label ("name=value"); return how many there were.

    Each is sent SIGTERM first, so that a training can still write its checkpoint.
    """
    client = open_engine()
    seen: set[str] = set()
    quiet = 0
    deadline = time.monotonic() + GIVE_UP_SECONDS
    # Listed twice: the engine may still be creating one that was requested before its caller died.
    while quiet < 2 and time.monotonic() < deadline:
        found = client.containers.list(all=True, ignore_removed=True, filters={"label": label})
        seen.update(each.id for each in found)
        _ask_to_end(found)
        for each in found:
            remove(each)
        quiet = 0 if found else quiet + 1
        time.sleep(0 if found else 0.25)
    client.close()
    return len(seen)


def _ask_to_end(containers: Sequence[Any]) -> None:
    """Send SIGTERM to all but PID 1: kfp runs a step below a shell, which would not pass the signal on."""
    import docker

    for container in containers:
        try:
            container.exec_run(["sh", "-c", "kill -TERM -1"])
        except docker.errors.APIError:  # not running (any more)
            continue
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline and any(_is_running(each) for each in containers):
        time.sleep(0.1)


def _is_running(container: Any) -> bool:
    import docker

    try:
        container.reload()
    except docker.errors.NotFound:
        return False
    return container.status == "running"


def remove(container: Any) -> None:
    """Remove a container, running or not, with its volumes."""
    import docker

    with suppress(docker.errors.APIError):  # somebody else is at it
        container.remove(force=True, v=True)


def stop_with_this_process(label: str) -> None:
    """Start a process that waits for this one to be gone, were it by SIGKILL, and then stops its containers."""
    watcher = subprocess.Popen(
        [sys.executable, "-m", "pipeline.containers.engine", label],
        stdin=subprocess.PIPE,  # held open by this process and by nobody else
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    _watchers.append(watcher)


if __name__ == "__main__":
    sys.stdin.read()
    stop_all(sys.argv[1])
