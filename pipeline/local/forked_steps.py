"""Run steps forked from one process that has imported TensorFlow, in place of kfp's own processes.

What kfp starts is a shell that writes the component's source to a file and gives it to kfp's executor; the same
executor gets the same file and arguments here, in a process of its own.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from components.images import IMAGE_OF
from components.work import BEGAN
from deep_mnist.processes import ADDRESS, ForkServer, start_module

EXECUTOR = "kfp.dsl.executor_main"
MODULES = ("components.failure", "tensorflow", "kfp.dsl.executor")
LIGHT_IMAGES = ("light", "data")  # those without TensorFlow


class ForkedSteps:
    """The steps of one run; their server ends with this process.

    TensorFlow is imported while the data are fetched, prepared and judged, so that no step waits for it. A run that
    ends before is not held up: until it has imported all, the server ends as soon as it is signalled to. From a server
    that was there before, which has imported all, every step is forked.
    """

    def __init__(self) -> None:
        self._was_there = ADDRESS in os.environ
        self.server = ForkServer(MODULES)
        self.server.start()

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> int | None:
        """Run a step to its end and return its exit status; None for one that is better started as kfp does.

        Args:
            command: As kfp gives it: sh, -c, the shell's text, the component's source, the executor's arguments.
            environment: What the step's environment gets besides this process's.
        """
        if not (needs_tensorflow(command) or (self._was_there and kfps_step(command))):
            return None
        with tempfile.TemporaryDirectory() as folder:
            module = Path(folder, "ephemeral_component.py")
            module.write_text(command[3])
            arguments = ["--component_module_path", str(module), *command[4:]]
            added = {**environment, "_KFP_RUNTIME": "true", BEGAN: str(time.time())}
            return start_module(EXECUTOR, arguments, environment={**os.environ, **added}).wait()


def needs_tensorflow(command: Sequence[str]) -> bool:
    """Say whether a command line is kfp's of a component whose image holds TensorFlow."""
    return IMAGE_OF.get(kfps_step(command), LIGHT_IMAGES[0]) not in LIGHT_IMAGES


def kfps_step(command: Sequence[str]) -> str:
    """Return the name of the component function that kfp's command line runs, "" for a command line of another form."""
    is_kfps = len(command) > 4 and command[0] == "sh" and EXECUTOR in command[2]
    return dict(pairwise(command)).get("--function_to_execute", "") if is_kfps else ""
