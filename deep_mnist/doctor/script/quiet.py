"""TensorFlow's, absl's and CUDA's own log, kept off the report unless its variables are set.

TF_CPP_MIN_LOG_LEVEL silences what is logged once TensorFlow has read it; some lines (oneDNN's) come before that, while
its libraries are loaded.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from types import ModuleType

LEVEL, SILENT = "TF_CPP_MIN_LOG_LEVEL", "3"
VARIABLES = ("TF_CPP_", "ABSL_")  # by which a user asks for the log
LOADED_WITH_ITS_LIBRARIES = "tensorflow"
LOG_LINE = re.compile(
    rb"[IWEF]\d{4} \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWEF] |To enable the following instructions: |"
    rb"WARNING: All log messages before absl::InitializeLog\(\)"
)


def silence_tensorflow() -> None:
    """Keep the log silent in this process and its children, unless one of its variables is set."""
    if not any(name.startswith(VARIABLES) for name in os.environ):
        os.environ[LEVEL] = SILENT
    if not any(isinstance(each, QuietImport) for each in sys.meta_path):
        sys.meta_path.insert(0, QuietImport())


class QuietImport:
    """Keeps the log's lines off standard error while TensorFlow is imported; every other line comes through."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return TensorFlow's own spec, its loader's work done quietly; None for any other module."""
        if name != LOADED_WITH_ITS_LIBRARIES or self not in sys.meta_path:
            return None
        sys.meta_path.remove(self)  # once is enough, and others may look at the same spec
        spec = next((found for each in sys.meta_path if (found := each.find_spec(name, path, target))), None)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def quietly(module: ModuleType) -> None:
            if os.environ.get(LEVEL) != SILENT:  # the script has set it before its import
                return execute(module)
            with _without_log():
                return execute(module)

        spec.loader.exec_module = quietly  # type: ignore[method-assign]
        return spec


@contextlib.contextmanager
def _without_log() -> Iterator[None]:
    """Hold standard error back while the block runs, then let through all but the log's lines."""
    sys.stderr.flush()
    own = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(own, 2)
            os.close(own)
            held.seek(0)
            for line in held:
                if not LOG_LINE.match(line):
                    os.write(2, line)
