"""The runs that need nobody beside them: they go on in the background, three at a time, while other tests work."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from tests.cluster import webhook
from tests.cluster.real_cluster import Cluster, Ended

AFTER = {"again": "published", "sweep again": "sweep"}  # what a scenario waits for; it comes earlier in SCENARIOS
# Folder in the store -> what is wrong with its digits.
BAD: dict[str, Callable[[dict[str, np.ndarray]], object]] = {
    "digits": lambda _arrays: None,
    "scaled": lambda arrays: arrays.update(train_images=(arrays["train_images"] / 255).astype(np.float64)),
    "sizes": lambda arrays: arrays.update(test_images=arrays["test_images"][:, :20]),
    "labels": lambda arrays: arrays.update(train_labels=arrays["train_labels"][:-1]),
    "outside": lambda arrays: arrays.update(train_labels=arrays["train_labels"].astype(np.int64) - 1),
}
BAD_FOLDERS = ("sizes", "labels", "outside")


def schedules_experiment(cluster: Cluster) -> str:
    """Return the session's other experiment, that of its schedule."""
    return f"{cluster.name}-schedule"


def prepare(cluster: Cluster) -> None:
    """Put the data into the store and the webhook into the cluster."""
    for name, change in BAD.items():
        cluster.put_digits(name, change)
    webhook.install(cluster)


def start(cluster: Cluster, wanted: Iterable[str]) -> None:
    """Start the scenarios that the collected tests wait for, and those that these wait for."""
    needed = {*wanted, *(AFTER[name] for name in wanted if name in AFTER)}
    for name, made in SCENARIOS.items():
        if name in needed:
            cluster.later(name, lambda made=made: made(cluster))


def _published(cluster: Cluster) -> Ended:
    return cluster.command(*cluster.submission("published", "--notify", webhook.name(cluster)))


def _again(cluster: Cluster) -> Ended:
    """The same once more, when the first has filled the cache."""
    cluster.result(AFTER["again"])
    return cluster.command(*cluster.submission("again", model="published"))


def _refused(cluster: Cluster) -> Ended:
    return cluster.command(*cluster.submission("refused", "--notify", webhook.name(cluster), data="scaled"))


def _no_image(cluster: Cluster) -> Ended:
    return cluster.command(*cluster.submission("no-image", "--patience", "100"), DEEP_MNIST_TAG="is-not-there")


def _no_gpu(cluster: Cluster) -> Ended:
    return cluster.command(*cluster.submission("no-gpu", "--gpu", "1", "--patience", "400"))


def _sweep(cluster: Cluster, parallelism: int) -> Ended:
    return cluster.command(
        "sweep", "--wait", "--seeds", "0..1", "--networks", "fast", "--parallelism", str(parallelism), "--store",
        cluster.store, "--experiment", cluster.name, "--run-name", f"{cluster.name}-sweep-{parallelism}",
        "--model-name", f"{cluster.name}-sweep", "--dataset", cluster.data("digits"), "--epochs", "1", "--poll", "2",
        "-p", "min_accuracy=0.05", "-p", "min_class_accuracy=0",
    )  # fmt: skip


def _sweep_again(cluster: Cluster) -> Ended:
    cluster.result(AFTER["sweep again"])
    return _sweep(cluster, 2)


def _race(cluster: Cluster, seed: int) -> Ended:
    return cluster.command(*cluster.submission("race", "--seed", str(seed), "--fresh"))


SCENARIOS: dict[str, Callable[[Cluster], Ended]] = {
    "published": _published,
    "refused": _refused,
    "race-1": lambda cluster: _race(cluster, 1),
    "race-2": lambda cluster: _race(cluster, 2),
    "again": _again,
    "sweep": lambda cluster: _sweep(cluster, 2),
    "one at a time": lambda cluster: _sweep(cluster, 1),
    "sweep again": _sweep_again,
    **{
        f"bad {name}": lambda cluster, name=name: cluster.command(*cluster.submission(f"bad-{name}", data=name))
        for name in BAD_FOLDERS
    },
    "no image": _no_image,
    "no gpu": _no_gpu,
}
