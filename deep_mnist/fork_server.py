"""The server behind `deep_mnist.processes`: it imports modules once, and forks for each process that is asked for.

    python -m deep_mnist.fork_server LISTENER MODULE...

LISTENER is the number of an open, listening socket. Stdin is a pipe: the server ends when nobody holds the pipe's other
end any more and all that it forked has ended. It has one thread and computes nothing, so its children
start as clean as a new interpreter. One packet asks for a process (`fork` and three open files: the request, stdout,
stderr); the answers are the process's number, 0 where the server declines, and at its end its exit status.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import struct
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# What TensorFlow, oneDNN and CUDA read when they are loaded, or keep from then on.
SWITCHES = ("TF_", "XLA_", "KERAS_", "ONEDNN_", "DNNL_", "OMP_", "CUDA_", "NVIDIA_", "LD_")
READ_LATER = ("TF_CPP_", "TF_CONFIG")  # how much is logged; of which nodes this is one
OWNER = 0  # stdin
MEANT_FOR_CHILDREN = (signal.SIGINT, signal.SIGTERM)  # who may want to end in order; nothing is forked after one
PATIENCE_SECONDS = 10.0  # for a request, once its sender has connected
OBJECTS_UNTIL_COLLECTED = 1_000_000
CREDENTIALS = struct.Struct("3i")  # process, user, group


@dataclass(frozen=True)
class Request:
    """What a forked process is to be: `python -m module arguments`, in that folder and that environment."""

    module: str
    arguments: list[str]
    environment: dict[str, str]
    folder: str
    new_session: bool


def main(listener: int, modules: Sequence[str]) -> None:
    """Import the modules and serve; in a forked process, be what was asked for."""
    gc.set_threshold(OBJECTS_UNTIL_COLLECTED)
    for module in modules:
        with suppress(ImportError):  # whoever needs it says so
            importlib.import_module(module)
    gc.freeze()
    signal.pthread_sigmask(signal.SIG_BLOCK, MEANT_FOR_CHILDREN)
    asked = _Server(socket.socket(fileno=listener)).serve()
    _end(_status_of(asked) if asked else 0)


class _Server:
    """Accepts requests and tells of ends until its owner and its children are gone."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener, self._owned = listener, True
        self._children: dict[int, tuple[int, socket.socket]] = {}  # pidfd -> pid, who asked
        self._selector = selectors.DefaultSelector()
        for readable in (listener.fileno(), OWNER):
            self._selector.register(readable, selectors.EVENT_READ)

    def serve(self) -> Request | None:
        """Return None when it is over, or the request in the process that was forked for it."""
        while self._owned or self._children:
            for key, _ in self._selector.select():
                if key.fd == OWNER:
                    self._owned = False
                    self._selector.unregister(OWNER)
                elif key.fd in self._children:
                    self._tell_end(key.fd)
                elif request := self._accept():
                    return request
        return None

    def _accept(self) -> Request | None:
        connection, _ = self._listener.accept()
        connection.settimeout(PATIENCE_SECONDS)
        files: list[int] = []
        try:
            _, files, _, _ = socket.recv_fds(connection, 16, 3)
            request = Request(**json.loads(os.pread(files[0], os.fstat(files[0]).st_size, 0)))
            if not signal.sigpending() and is_this_users(connection) and loads_alike(request.environment, os.environ):
                return self._fork(request, connection, files)
            connection.send(b"0")
            connection.close()
        except (OSError, ValueError, TypeError, IndexError):  # a sender that died or is none
            connection.close()
        finally:
            for each in files:
                os.close(each)
        return None

    def _fork(self, request: Request, connection: socket.socket, files: list[int]) -> Request | None:
        """Fork; the sender hears the number once the process stands in its session, so that it can be signalled."""
        ready, started = os.pipe()
        pid = os.fork()
        if not pid:
            self._leave(connection)
            if request.new_session:
                os.setsid()
            os.dup2(files[1], 1)
            os.dup2(files[2], 2)
            os.close(ready)
            os.close(started)
            return request
        os.close(started)
        os.read(ready, 1)
        os.close(ready)
        watched = os.pidfd_open(pid)
        self._children[watched] = (pid, connection)
        self._selector.register(watched, selectors.EVENT_READ)
        with suppress(OSError):
            connection.send(str(pid).encode())
        return None

    def _leave(self, connection: socket.socket) -> None:
        """In a forked process: close what is the server's."""
        self._selector.close()
        self._listener.close()
        connection.close()
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, OWNER)
        os.close(nothing)
        for watched, (_, other) in self._children.items():
            os.close(watched)
            other.close()

    def _tell_end(self, watched: int) -> None:
        pid, connection = self._children.pop(watched)
        self._selector.unregister(watched)
        os.close(watched)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with suppress(OSError):  # nobody waits for it any more
            connection.send(str(status).encode())
        connection.close()


def is_this_users(connection: socket.socket) -> bool:
    """Say whether the other end of a socket is a process of the same user."""
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    return bool(CREDENTIALS.unpack(told)[1] == os.getuid())


def loads_alike(environment: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Say whether TensorFlow would load in one environment as it does in the other."""
    return _switches(environment) == _switches(other)


def _switches(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(SWITCHES) and not name.startswith(READ_LATER)
    }


def _become(request: Request) -> None:
    """Run the module as `python -m` does; whatever it raises ends this process as it ends any."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, MEANT_FOR_CHILDREN)  # one that came since the fork is handled now
    os.environ.clear()
    os.environ.update(request.environment)
    os.chdir(request.folder)
    added = request.environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:1] = [request.folder, *(path for path in added if path and path not in sys.path)]
    sys.argv = [request.module, *request.arguments]
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()  # else all that are forked draw the same numbers
    with suppress(OSError):
        Path("/proc/self/comm").write_text(request.module.rpartition(".")[2])
    gc.set_threshold(50_000, 20, 100)
    runpy.run_module(request.module, run_name="__main__", alter_sys=True)


def _status_of(request: Request) -> int:
    """Run what was asked for and return the exit status that Python would end with."""
    try:
        _become(request)
    except SystemExit as error:
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def _end(status: int) -> None:
    """End as Python does, except that a million imported objects are not taken apart: that alone takes 0.2 s."""
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status & 0xFF)


def as_text(request: Request) -> bytes:
    """Return a request as it is sent."""
    fields: dict[str, Any] = vars(request)
    return json.dumps(fields).encode()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
