"""Imports the library and what it imports late, for processes that fork (`fresh_processes`).

A process imports them in one to two seconds, with probes before each line, and the tests fork two hundred.
"""

from __future__ import annotations

import importlib
import pkgutil

import components
import deep_mnist

LATE = ("botocore.session", "google.cloud.storage", "jinja2", "scipy.stats")

for name in LATE:
    importlib.import_module(name)
for package in (deep_mnist, components):
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
