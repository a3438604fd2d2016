"""Start `python -m MODULE`, from a server that has imported the heavy packages already, where there is one.

    with fork_server(("tensorflow",)):
        run_module("components.publish.replay", [folder])

does what `python -m components.publish.replay FOLDER` does, in a new process, without the three seconds that the
import of TensorFlow takes. Where no server is named by DEEP_MNIST_FORK_SERVER, Python is started as usual: on a
cluster, in containers, on systems other than Linux, and for an environment in which TensorFlow would load otherwise.
"""

from __future__ import annotations

import atexit
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Protocol

from deep_mnist.fork_server import Request, as_text

ADDRESS = "DEEP_MNIST_FORK_SERVER"
ROOT = Path(__file__).resolve().parents[1]
POLL_SECONDS = 0.02
WAITING = 64  # requests that may wait while the server imports


class Process(Protocol):
    """What `subprocess.Popen` and a forked process have in common."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | Any: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def kill(self) -> None: ...


def start_module(
    module: str,
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    output: IO[Any] | None = None,
    errors: IO[Any] | None = None,
    new_session: bool = False,
) -> Process:
    """Start `python -m module arguments`, with nothing to read from its stdin, and return the process.

    Args:
        module: A module that Python finds in `folder` or by PYTHONPATH.
        arguments: Its command line.
        environment: Default: this process's.
        folder: Its working directory; default: this process's.
        output, errors: Open files for its stdout and stderr; default: this process's.
        new_session: Make it the leader of a session and a process group of its own.
    """
    there = dict(os.environ if environment is None else environment)
    request = Request(module, list(arguments), there, str(folder or Path.cwd()), new_session)
    address = os.environ.get(ADDRESS)
    forked = _fork(address, request, output, errors) if address else None
    return forked or subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        env=there,
        cwd=folder,
        start_new_session=new_session,
    )


def run_module(
    module: str,
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `python -m module arguments` to its end; return its exit status and what it printed.

    Args:
        module, arguments, environment, folder: As for `start_module`.
        timeout: Seconds that it may take.

    Raises:
        subprocess.TimeoutExpired: It took longer than `timeout` seconds, and was killed.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        process = start_module(module, arguments, environment=environment, folder=folder, output=output, errors=errors)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        texts = [stream.read() for stream in (output, errors) if not stream.seek(0)]
    return subprocess.CompletedProcess([module, *arguments], status, *texts)


class ForkedProcess:
    """A process that the server forked, with what `subprocess.Popen` offers of one."""

    def __init__(self, pid: int, connection: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._connection = connection

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal, or None while it runs."""
        return self._look(blocking=False)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status when it has ended.

        Raises:
            subprocess.TimeoutExpired: It runs on after `timeout` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self._look(blocking=deadline is None)) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            time.sleep(POLL_SECONDS)
        return status

    def kill(self) -> None:
        """Kill it, where it has not ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def _look(self, *, blocking: bool) -> int | None:
        if self.returncode is None:
            self._connection.setblocking(blocking)
            try:
                said = self._connection.recv(64)
            except BlockingIOError:
                return None
            self.returncode = int(said) if said else -signal.SIGKILL  # a server that is gone was killed
            self._connection.close()
        return self.returncode


def _fork(address: str, request: Request, output: IO[Any] | None, errors: IO[Any] | None) -> ForkedProcess | None:
    """Ask the server for the process; return None where it declines or is gone."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.connect(f"\0{address}")
        with tempfile.TemporaryFile() as text:  # longer than a packet, with an environment and an executor's input
            text.write(as_text(request))
            text.flush()
            shown = [1 if output is None else output.fileno(), 2 if errors is None else errors.fileno()]
            socket.send_fds(connection, [b"fork"], [text.fileno(), *shown])
            pid = int(connection.recv(64) or b"0")
    except OSError:
        pid = 0
    if not pid:
        connection.close()
        return None
    return ForkedProcess(pid, connection)


class ForkServer:
    """A server that is started when it is first needed, and ends at the latest with the process that owns it."""

    def __init__(self, modules: Sequence[str]) -> None:
        self._modules, self._lock = tuple(modules), threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and name it in this process's environment, unless one is named there already."""
        with self._lock:
            if ADDRESS in os.environ or sys.platform != "linux":
                return
            address = f"deep-mnist-{os.getpid()}-{secrets.token_hex(8)}"
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
                listener.bind(f"\0{address}")  # no file: nothing is left behind, and only this system's users see it
                listener.listen(WAITING)
                self.process = self._started(listener.fileno())
            os.environ[ADDRESS] = address
            atexit.register(self.stop)  # or nobody would wait for it, and its group would seem to live on

    def _started(self, listener: int) -> subprocess.Popen[bytes]:
        paths = (str(ROOT), os.environ.get("PYTHONPATH", ""))
        command = [sys.executable, "-m", "deep_mnist.fork_server", str(listener), *self._modules]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        return subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[listener], env=environment)

    def stop(self) -> None:
        """Let it end as soon as all that it forked has ended: at once, where it has not imported everything yet."""
        with self._lock:
            if self.process and self.process.stdin:
                os.environ.pop(ADDRESS, None)
                self.process.stdin.close()
                self.process.terminate()  # heeded while it imports; afterwards it ends for want of an owner
                self.process.wait()
                self.process = None
                atexit.unregister(self.stop)


@contextmanager
def fork_server(modules: Sequence[str]) -> Iterator[ForkServer]:
    """Have a server while the block runs; modules that it cannot import are left to the processes that it forks."""
    server = ForkServer(modules)
    server.start()
    try:
        yield server
    finally:
        server.stop()
