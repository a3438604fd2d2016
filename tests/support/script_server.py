"""Run the doctor on many scripts in one process that has imported TensorFlow, each in a fork of its own.

python -m tests.support.script_server FOLDER   reads {"name": ["script.py", …]} from standard input, writes each
script's name.out and name.err to FOLDER and prints {"name": exit status}.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import traceback
from pathlib import Path


def main() -> None:
    folder, statuses = Path(sys.argv[1]), {}
    for module in ("tensorflow", "keras", "tf_keras", "tests.support.preloaded"):
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(module)
    for name, arguments in json.load(sys.stdin).items():
        child = os.fork()
        if child == 0:
            _run(folder / name, arguments)
        statuses[name] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(json.dumps(statuses))


def _run(outputs: Path, arguments: list[str]) -> None:
    from deep_mnist.doctor.__main__ import main as doctor

    leave = os._exit
    for stream, suffix in ((1, ".out"), (2, ".err")):
        os.dup2(os.open(outputs.with_suffix(suffix), os.O_WRONLY | os.O_CREAT, 0o644), stream)
    status = 99
    try:
        status = doctor(arguments)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        leave(status)


if __name__ == "__main__":
    main()
