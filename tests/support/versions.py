"""What looks like a version of a model, for the tests of the registry; light, since racing processes import it."""

from __future__ import annotations

from pathlib import Path

from deep_mnist.registry.pointer import Facts


def make_folder(folder: Path, content: str) -> Path:
    """Write what looks like a version: a graph, weights, a card."""
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_text(f"graph {content}")
    (folder / "variables" / "data").write_text(f"weights {content}")
    (folder / "model_card.md").write_text(f"card {content}")
    return folder


def facts(content: str) -> Facts:
    return Facts(f"digest {content}", "data", "test", 0.5, 100, "because", f"run {content}")
