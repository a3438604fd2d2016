"""The trials of a sweep: which networks with which seeds."""

from __future__ import annotations

import re
from typing import Any

from pipeline.run_arguments import LARGEST_SEED, RunArguments, UsageError, complete

MOST_TRIALS = 100
_RANGE = re.compile(r"(\d{1,10})(?:\.\.(\d{1,10}))?")


def trials_of(seeds: str, networks: str, *, model: str = "") -> list[dict[str, Any]]:
    """Return a trial for each network with each seed, in this order, none twice.

    >>> trials_of("0..1", "fast,deep_mnist")[1:3]
    [{'network': 'fast', 'seed': 1}, {'network': 'deep_mnist', 'seed': 0}]

    Args:
        seeds: Numbers and ranges, both ends included, such as "0..4" or "1,3,5..7".
        networks: Names of built-in networks.
        model: A user's own network, which takes their place: then only the seeds differ.

    Raises:
        UsageError: No trial, too many, or a text of another form.
    """
    numbers = [number for part in seeds.split(",") for number in _range(part.strip(), seeds)]
    names = [RunArguments.network] if model else [name.strip() for name in networks.split(",") if name.strip()]
    for name in dict.fromkeys(names):
        complete(dataset=RunArguments.dataset, network=name)  # refuses an unknown one
    trials = [{"network": name, "seed": seed} for name in dict.fromkeys(names) for seed in dict.fromkeys(numbers)]
    if not 1 <= len(trials) <= MOST_TRIALS:
        raise UsageError(
            f"Expected 1 to {MOST_TRIALS} trials. Received: {len(trials)} (--seeds {seeds} --networks {networks})."
        )
    return trials


def _range(text: str, seeds: str) -> range:
    found = _RANGE.fullmatch(text)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if not first <= last <= LARGEST_SEED or last - first >= 10 * MOST_TRIALS:
        raise UsageError(f"Expected --seeds such as 0..4 or 1,3,5..7. Received: {seeds!r}.")
    return range(first, last + 1)
