"""What a step gets from KFP, as far as its body looks at it."""

from __future__ import annotations

from pathlib import Path


class Artifact:
    """An artifact's path."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
