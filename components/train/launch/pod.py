"""One pod of a TrainJob: python -m components.train.launch.pod.

It takes the dataset from the store, trains as one of the nodes, and the first one puts what it trained into the store.
Exit status 1 is a fault of the training itself, which no restart mends; any other restarts all pods.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

from components.failure import failure_of
from components.train.launch.train_job import SPECIFICATION, addresses_of
from components.train.nodes.place import TF_CONFIG, config_of
from components.train.request import TrainRequest
from deep_mnist.storage.open import open_store
from deep_mnist.storage.store import Store

INDEX = "JOB_COMPLETION_INDEX"  # Kubernetes' own, of a pod of an indexed Job
DATASET, TRAINED, CURVES, METRICS = "dataset", "trained", "curves.html", "metrics.json"
FAILURE = "failure-{index}.json"


def main() -> None:
    """Train as the environment says."""
    specification, index = json.loads(os.environ[SPECIFICATION]), int(os.environ.get(INDEX, "0"))
    addresses = specification.get("addresses") or addresses_of(specification["name"], specification["request"]["nodes"])
    os.environ[TF_CONFIG] = config_of(addresses, index)
    store = open_store(specification["store"])
    try:
        with tempfile.TemporaryDirectory() as work:
            _train(Path(work), store, specification, index)
    except Exception as error:
        failure = failure_of(error, f"node {index}")
        if not failure.foreseen:
            traceback.print_exception(error, file=sys.stdout)
        print(f"node {index}: {failure.text()}", flush=True)
        store.write(FAILURE.format(index=index), failure.to_json().encode())
        raise SystemExit(1) from error


def _train(work: Path, store: Store, specification: dict[str, Any], index: int) -> None:
    from components.train.train import train

    for key in store.list(f"{DATASET}/"):
        path = work / key
        path.parent.mkdir(parents=True, exist_ok=True)
        store.download_file(key, path)
    request = TrainRequest(**specification["request"])
    values = train(work / DATASET, work / TRAINED, work / CURVES, request)
    if index == 0:
        store.upload_folder(work / TRAINED, TRAINED)
        store.upload_file(work / CURVES, CURVES)
        store.write(METRICS, json.dumps(values).encode())  # last: what it tells of is there


if __name__ == "__main__":
    main()
