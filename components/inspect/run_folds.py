"""python -m components.inspect.run_folds DATA FOLD OUT NETWORK EPOCHS SEED: train a network without each fold in turn.

DATA is a dataset folder, FOLD an int64 `.npy` of the fold of each training example; OUT receives fold-0.npy and so on.
A fold that lies there is not trained again.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from components.inspect.fold import predict_fold
from components.train.examples.split import TrainingSplit
from components.train.request import TrainRequest
from deep_mnist.data.dataset import open_dataset
from deep_mnist.labels.kept_folds import load_fold, save_fold


def run_folds(data: Path, fold: np.ndarray, out: Path, request: TrainRequest) -> None:
    """Write the predictions of every fold that is not there yet, and print a line for each.

    Args:
        data: Dataset folder, with a preprocessing record.
        fold: int64 (n,), the fold of each training example.
        out: Receives the predictions.
        request: Network, epochs and seed.
    """
    dataset = open_dataset(data)
    split = TrainingSplit(dataset.images("train"), dataset.labels("train"))
    folds = int(fold.max()) + 1
    for number in range(folds):
        if load_fold(out, number) is not None:
            print(f"labels: fold {number + 1} of {folds} is there already", flush=True)
            continue
        began = time.perf_counter()
        save_fold(out, number, predict_fold(split, fold == number, request, dataset.record))
        print(f"labels: fold {number + 1} of {folds} in {time.perf_counter() - began:.1f} s", flush=True)


def main(arguments: list[str]) -> int:
    """Run what the command line says."""
    data, fold, out, network, epochs, seed = arguments
    request = TrainRequest(network=network, epochs=int(epochs), seed=int(seed))
    run_folds(Path(data), np.load(fold, allow_pickle=False), Path(out), request)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
