"""Ports for servers that must be told theirs before they start."""

from __future__ import annotations

import secrets
import socket

LOWEST, HIGHEST = 10_000, 32_000  # Linux gives outgoing connections theirs from 32,768 on


def free_port() -> int:
    """Return a port of loopback that nothing listens on, drawn at random from LOWEST to HIGHEST.

    One that the system chooses itself may be an outgoing connection's before the server that it is meant for listens.
    """
    while True:
        port = LOWEST + secrets.randbelow(HIGHEST - LOWEST)  # not `random`, which forked processes draw alike from
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
