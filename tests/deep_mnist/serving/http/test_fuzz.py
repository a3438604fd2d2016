"""Thousands of bodies that no well-behaved client sends: each is refused or answered, and the server stands."""

from __future__ import annotations

from collections import Counter

import numpy as np
import requests

from bench.hostile_bodies import hostile_bodies
from tests.support.serving import NAME, RunningServer

BODIES = 2000  # bench/serving.py sends 10,000


def test_hostile_bodies_leave_the_server_standing(served: RunningServer, digits: tuple[np.ndarray, np.ndarray]) -> None:
    """Every response is JSON: predictions, or a 4xx with expected, received and fix. Then a right prediction."""
    before = served.classes(digits[0][:20])
    session, seen = requests.Session(), Counter[int]()
    for number, body in enumerate(hostile_bodies(digits[0], BODIES, seed=1)):
        path = (f"v1/models/{NAME}:predict", f"v2/models/{NAME}/infer")[number % 2]
        response = session.post(f"{served.url}/{path}", data=body, timeout=60)
        document = response.json()
        seen[response.status_code] += 1
        if response.status_code != 200:
            assert 400 <= response.status_code < 500, (body[:200], document)
            assert {"error", "expected", "received", "fix"} <= set(document)

    assert seen[400] > BODIES / 2
    assert served.classes(digits[0][:20]) == before
    assert served.get("v2/health/ready").json() == {"ready": True}
