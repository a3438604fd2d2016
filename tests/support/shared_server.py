"""One fork server for all workers of a session: the imports that it makes once take ten seconds of a core."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from filelock import FileLock

from deep_mnist.processes import ADDRESS, fork_server
from pipeline.local.forked_steps import MODULES
from tests.support.made_once import shared_folder


@contextmanager
def shared_fork_server(factory: pytest.TempPathFactory) -> Iterator[None]:
    """Have the server that the first worker here has started; once that worker has ended, new Pythons do its work."""
    named = shared_folder(factory) / "fork-server"
    before = os.environ.get(ADDRESS)
    with ExitStack() as stack:
        with FileLock(f"{named}.lock"):
            if named.exists():
                os.environ[ADDRESS] = named.read_text()
            else:
                stack.enter_context(fork_server((*MODULES, "tests.support.preloaded")))
                if ADDRESS in os.environ:  # nowhere but on Linux
                    named.write_text(os.environ[ADDRESS])
        yield
    if before is None:
        os.environ.pop(ADDRESS, None)
