"""Post one JSON object to a webhook whose address is a secret: tried again, and nothing of it is ever printed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import requests

WEBHOOK = "DEEP_MNIST_WEBHOOK"  # the environment variable with the address
TIMEOUT = 10.0  # seconds for each response
ATTEMPTS = 3
PAUSE = 1.0  # seconds until it is posted again; each further post waits one longer


def post(webhook: str, message: Mapping[str, Any], *, pause: float = PAUSE) -> str:
    """Post and say what came of it. The address is a secret, so no error that quotes it is printed."""
    said = ""
    for attempt in range(ATTEMPTS):
        time.sleep(attempt * pause)
        try:
            response = requests.post(webhook, json=message, timeout=TIMEOUT)
        except (requests.RequestException, ValueError) as error:
            said = type(error).__name__
            continue
        if response.ok:
            return f"Posted: HTTP {response.status_code}."
        said = f"HTTP {response.status_code}"
        if response.status_code < 500 and response.status_code != 429:
            break
    return f"Not posted: {said}."
