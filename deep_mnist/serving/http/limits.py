"""What one server takes on: size, time and number of requests."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class ServingLimits:
    """What a request may cost.

    Attributes:
        body_bytes: Of a request's body; a longer one is refused while it arrives.
        concurrent: Requests at work at once; one more is refused with 503 and may be sent again.
        connections: Open at once, idle ones included.
        seconds: From a request's whole body to its response; likewise for a client to take what it is sent.
        body_seconds: From a request's head to the end of its body.
        head_seconds: From a connection, or the end of the response before, to the end of a request's head.
        workers: Threads that read bodies and predict.
        examples: Of one request.
        batch_rows: Examples of waiting requests that are predicted together.
        batch_seconds: That the first of them waits for others; 0 takes those that wait already.
    """

    body_bytes: int = 16 << 20
    concurrent: int = 64
    connections: int = 512
    seconds: float = 30.0
    body_seconds: float = 20.0
    head_seconds: float = 10.0
    workers: int = max(2, os.cpu_count() or 1)
    examples: int = 10_000
    batch_rows: int = 64
    batch_seconds: float = 0.0

    def __post_init__(self) -> None:
        for each in fields(self):
            value, may_be_0 = getattr(self, each.name), each.name == "batch_seconds"
            if not (value > 0 or (value == 0 and may_be_0)):
                raise ValueError(f"Expected {each.name} {'>=' if may_be_0 else '>'} 0. Received: {value}")
