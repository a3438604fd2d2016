"""Which of how many nodes this process is."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass

TF_CONFIG = "TF_CONFIG"


@dataclass(frozen=True)
class Place:
    """One of the nodes that train together.

    Attributes:
        index: Counted from 0; the first one reports, scores and writes.
        count: Of the nodes.
    """

    index: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        return self.index == 0


ALONE = Place()


def place_here(environment: Mapping[str, str] = os.environ) -> Place:
    """Return the place that TF_CONFIG, TensorFlow's own variable, names.

    >>> cluster = '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}'
    >>> place_here({"TF_CONFIG": cluster}), place_here({}).count
    (Place(index=1, count=2), 1)
    """
    text = environment.get(TF_CONFIG)
    if not text:
        return ALONE
    stated = json.loads(text)
    return Place(int(stated["task"]["index"]), len(stated["cluster"]["worker"]))


def config_of(addresses: list[str], index: int) -> str:
    """Return the value of TF_CONFIG for one of the nodes at some addresses, host:port each."""
    return json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}})
