"""One of the processes that train together on this machine: python -m components.train.launch.worker FOLDER INDEX.

The folder holds what `launch` wrote, and receives what became of it.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import traceback
from pathlib import Path

from components.failure import failure_of, write_failure
from components.train.request import TrainRequest

SPECIFICATION = "specification.json"
METRICS = "metrics.json"
LIFELINE = "lifeline"


def main(folder: Path, index: int) -> None:
    """Train as the specification says; the first worker writes the trained folder and the metrics."""
    _end_with_the_launcher(folder / LIFELINE)
    specification = json.loads((folder / SPECIFICATION).read_text())
    _share_cores(index, specification["request"]["nodes"])
    from components.train.train import train

    paths = [Path(specification[name]) for name in ("dataset", "trained", "curves")]
    try:
        values = train(paths[0], paths[1], paths[2], TrainRequest(**specification["request"]))
    except Exception as error:
        failure = failure_of(error, f"node {index}")
        write_failure(failure, folder / str(index))
        if not failure.foreseen:
            traceback.print_exception(error, file=sys.stdout)
        print(f"node {index}: {failure.text()}", flush=True)
        raise SystemExit(1) from error
    if index == 0:
        (folder / METRICS).write_text(json.dumps(values))


def _share_cores(index: int, nodes: int) -> None:
    """Keep this process to its share of the cores, one at least."""
    cores = sorted(os.sched_getaffinity(0))
    each = max(1, len(cores) // nodes)
    first = index * each % len(cores)
    os.sched_setaffinity(0, cores[first : first + each])


def _end_with_the_launcher(address: Path) -> None:
    """End this process as soon as the launcher has gone, which keeps the other end of a connection open."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(address))

    def watch() -> None:
        connection.recv(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
