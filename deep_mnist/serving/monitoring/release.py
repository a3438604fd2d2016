"""Which release of this package serves."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def release() -> str:
    """Return the version of this package; "unreleased" where it runs from the tree, uninstalled."""
    try:
        return version("deep-mnist")
    except PackageNotFoundError:
        return "unreleased"
