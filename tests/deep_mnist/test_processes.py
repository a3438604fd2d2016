"""Processes that a server forks are those that Python would start, but for the time of an import."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from deep_mnist.fork_server import loads_alike
from deep_mnist.processes import ADDRESS, ForkedProcess, ForkServer, fork_server, run_module, start_module
from tests.support.children import living_children
from tests.support.runs import environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Python is started as usual")
MODULES = {
    "says": """
        import json, os, sys
        told = {"argv": sys.argv[1:], "folder": os.getcwd(), "name": __name__, "color": os.environ.get("COLOR"),
                "stdin": sys.stdin.read(), "imported": "colorsys" in sys.modules, "leads": os.getpid() == os.getsid(0)}
        print(json.dumps(told))
        print("to stderr", file=sys.stderr)
    """,
    "leaves": """
        import atexit, sys
        atexit.register(print, "at exit", flush=True)
        sys.exit(eval(sys.argv[1]))
    """,
    "raises": "raise ValueError('what it was')",
    "waits": """
        import signal, sys, time
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
        print("waiting", flush=True)
        time.sleep(600)
    """,
    "counts": "import os; print(os.getpid())",
    "asks": """
        from deep_mnist.processes import run_module
        print(run_module("counts", []).stdout)
    """,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with modules to run."""
    import textwrap

    for name, source in MODULES.items():
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source).strip() + "\n")
    return tmp_path


@pytest.fixture(params=["forked", "started"])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    """A server that has imported `colorsys`, which no module here does; or none."""
    monkeypatch.delenv(ADDRESS, raising=False)
    if request.param == "started":
        yield None
        return
    with fork_server(("colorsys", "there_is_no_such_module")) as running:
        yield running


def test_a_module_runs_as_python_runs_it(server, folder, monkeypatch):
    """Arguments, folder, environment, streams and the module's name are the same; only the import was done before."""
    monkeypatch.setenv("COLOR", "of the caller")

    ended = run_module("says", ["one", "two words"], folder=folder)

    told = json.loads(ended.stdout)
    expected = {"argv": ["one", "two words"], "folder": str(folder), "name": "__main__", "color": "of the caller"}
    assert told == {**expected, "stdin": "", "leads": False, "imported": server is not None}
    assert (ended.returncode, ended.stderr.splitlines()[-1]) == (0, "to stderr")


@pytest.mark.parametrize(("code", "status"), [("0", 0), ("None", 0), ("3", 3), ("'a reason'", 1), ("True", 1)])
@pytest.mark.usefixtures("server")
def test_an_exit_status_is_pythons(folder, code, status):
    """What `sys.exit` takes becomes the same status, after what was registered for the exit."""
    ended = run_module("leaves", [code], folder=folder)

    assert (ended.returncode, ended.stdout) == (status, "at exit\n")
    assert ("a reason" in ended.stderr) == (code == "'a reason'")


@pytest.mark.usefixtures("server")
def test_an_exception_ends_with_its_traceback(folder):
    """Status 1, and the traceback on stderr."""
    ended = run_module("raises", [], folder=folder)

    assert ended.returncode == 1
    assert "Traceback" in ended.stderr and ended.stderr.splitlines()[-1] == "ValueError: what it was"


@pytest.mark.usefixtures("server")
def test_a_module_that_is_not_there_fails(folder):
    """As `python -m` says it."""
    ended = run_module("not_there", [], folder=folder)

    assert ended.returncode == 1 and "No module named not_there" in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
@pytest.mark.usefixtures("server")
def test_a_signal_reaches_the_process_and_is_told(folder, number):
    """It runs until it is signalled; the status is the signal's. Python makes an exception of SIGINT."""
    with (folder / "out").open("wb") as output, (folder / "err").open("wb") as errors:
        process = start_module("waits", [], folder=folder, output=output, errors=errors)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    while "waiting" not in (folder / "out").read_text() and process.poll() is None:
        os.sched_yield()
    os.kill(process.pid, number)

    status = process.wait(60)

    if number == signal.SIGINT:
        assert status in (1, -signal.SIGINT) and "KeyboardInterrupt" in (folder / "err").read_text()
    else:
        assert status == -number


@pytest.mark.usefixtures("server")
def test_a_process_that_takes_too_long_is_killed(folder):
    """`run_module` leaves nothing behind."""
    before = set(living_children())
    with pytest.raises(subprocess.TimeoutExpired):
        run_module("waits", [], folder=folder, timeout=0.2)

    assert set(living_children()) <= before


@pytest.mark.usefixtures("server")
def test_a_session_of_its_own_stands_when_the_process_is_known(folder):
    """The whole group can be killed at once, however soon."""
    process = start_module("waits", [], folder=folder, new_session=True)

    assert os.getsid(process.pid) == process.pid
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait(60) == -signal.SIGKILL


def test_what_is_forked_asks_the_same_server(folder, monkeypatch):
    """A step's own children are forked as well: their parent is the server, not the step."""
    monkeypatch.delenv(ADDRESS, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    with fork_server(("colorsys",)):
        first, second = (run_module(module, [], folder=folder) for module in ("asks", "asks"))

    assert first.stdout.strip().isdigit() and second.stdout.strip().isdigit()
    assert first.stdout != second.stdout


def test_many_at_once_are_told_apart(folder, monkeypatch):
    """Each gets its own status."""
    monkeypatch.delenv(ADDRESS, raising=False)
    with fork_server(("colorsys",)):
        processes = [start_module("leaves", [str(number)], folder=folder) for number in range(12)]

        assert [process.wait(60) for process in processes] == list(range(12))
        assert all(isinstance(process, ForkedProcess) for process in processes)


def test_an_environment_that_loads_otherwise_gets_a_new_python(folder, monkeypatch):
    """What TensorFlow reads when it is loaded must be what the server loaded it with."""
    monkeypatch.delenv(ADDRESS, raising=False)
    with fork_server(("colorsys",)):
        process = start_module("leaves", ["3"], folder=folder, environment={**os.environ, "TF_USE_LEGACY_KERAS": "1"})

        assert isinstance(process, subprocess.Popen) and process.wait(60) == 3
    assert loads_alike({"TF_CPP_MIN_LOG_LEVEL": "3"}, {}) and not loads_alike({"CUDA_VISIBLE_DEVICES": ""}, {})


def test_a_server_that_is_gone_is_done_without(folder, monkeypatch):
    """A killed server, or the name of one that never was: Python is started, and a forked process is told as killed."""
    monkeypatch.setenv(ADDRESS, "deep-mnist-there-is-none")
    assert run_module("leaves", ["3"], folder=folder).returncode == 3
    monkeypatch.delenv(ADDRESS)
    with fork_server(("colorsys",)) as running:
        process = start_module("waits", [], folder=folder)
        assert isinstance(process, ForkedProcess) and running.process is not None
        running.process.kill()
        running.process.wait()

        assert process.wait(60) == -signal.SIGKILL
        assert run_module("leaves", ["3"], folder=folder).returncode == 3
        os.kill(process.pid, signal.SIGKILL)


def test_a_server_ends_with_its_owner(folder):
    """However the owner ends: nobody has to stop it."""
    source = "import os, sys; from deep_mnist.processes import *; s = ForkServer(('colorsys',)); s.start(); "
    source += "print(s.process.pid, flush=True); run_module('counts', []); os._exit(0)"
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=folder, env=environment(), capture_output=True, text=True, check=True
    )
    number = int(done.stdout.split()[0])

    try:
        psutil.Process(number).wait(60)
    except psutil.NoSuchProcess:
        pass
    assert not psutil.pid_exists(number) or psutil.Process(number).status() == psutil.STATUS_ZOMBIE


def test_a_server_is_started_once(monkeypatch):
    """Whoever needs it may say so."""
    monkeypatch.delenv(ADDRESS, raising=False)
    server = ForkServer(())
    server.start()
    first = server.process
    server.start()

    assert server.process is first and os.environ[ADDRESS]
    server.stop()
    assert ADDRESS not in os.environ and server.process is None


def test_what_is_forked_may_end_after_the_server_was_told_to(folder, monkeypatch):
    """`stop` waits for it and gives it the time it needs."""
    monkeypatch.delenv(ADDRESS, raising=False)
    with fork_server(("colorsys",)):
        run_module("counts", [], folder=folder)  # now it has imported
        process = start_module("leaves", ["__import__('time').sleep(0.5) or 7"], folder=folder)

    assert process.wait(60) == 7


def test_a_server_that_is_still_importing_ends_at_once(folder, monkeypatch):
    """A run that is refused does not wait for TensorFlow."""
    (folder / "imports_for_long.py").write_text("import time; time.sleep(600)")
    monkeypatch.delenv(ADDRESS, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    with fork_server(("imports_for_long",)) as server:
        process = server.process

    assert process is not None and process.returncode == -signal.SIGTERM
