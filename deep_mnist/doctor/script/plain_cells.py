"""Run a notebook's cells where IPython is not installed: Python, await at the top level, display as print."""

from __future__ import annotations

import ast
import asyncio
import inspect
import linecache
import re
from collections.abc import Callable
from types import ModuleType

MAGIC = re.compile(r"^(?P<indent>\s*)(?P<line>[!%].*)$", re.M)
CELL_MAGIC = re.compile(r"\s*%%\s*(\w+)")
HARMLESS = ("time", "timeit", "capture", "prun")  # cell magics around Python


def plain(module: ModuleType) -> Callable[[str, str], None]:
    """Return what runs one cell in the namespace of a module; lines of magics are passed over."""
    space = module.__dict__
    space.setdefault("display", print)

    def run(text: str, name: str) -> None:
        text = without_magics(text)
        linecache.cache[name] = (len(text), None, text.splitlines(True), name)
        code = compile(text, name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if code.co_flags & inspect.CO_COROUTINE:
            asyncio.run(eval(code, space))
        else:
            exec(code, space)

    return run


def without_magics(text: str) -> str:
    """Return a cell as Python alone, its lines where they were.

    >>> without_magics("%matplotlib inline\\nx = 1")
    'pass  # not run: %matplotlib inline\\nx = 1'
    """
    magic = CELL_MAGIC.match(text)
    if magic and magic.group(1) not in HARMLESS:
        return "\n".join(f"# {line}" for line in text.splitlines())
    return MAGIC.sub(r"\g<indent>pass  # not run: \g<line>", text)
