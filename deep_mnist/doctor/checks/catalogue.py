"""All rules and checks there are: ours, those of packages that bring some, and those of a file that a user named.

Ours stand beside their checks in `checks/` (a room there that has a `rules.py` declares them in it alone), and in a
module `rules.py` where a room judges what is no case: the call, a graph, a run, a request. A package of one's own names
a module of rules under the entry point `deep_mnist.rules`.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import pkgutil
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from types import ModuleType

from deep_mnist.doctor.rule import Check, Rule

CHECKS = "deep_mnist.doctor.checks"
ROOMS = (  # of rules whose checks judge no case
    "deep_mnist.doctor.capture.rules",
    "deep_mnist.doctor.tensorflow1.rules",
    "deep_mnist.doctor.tensorflow1.faults.loss_rules",
    "deep_mnist.doctor.tensorflow1.faults.program_rules",
    "deep_mnist.doctor.tensorflow1.steps.rehearsal_rules",
    "deep_mnist.doctor.rehearsal.rules",
    "deep_mnist.serving.requests.rules",  # by name: the server lies above the doctor, and its rules are listed too
)
# Rooms of checks/ whose rules are of a call in this process.
LIVE = ("crashes", "live", "preparation", "program", "sequences", "training_code")
GROUP = "deep_mnist.rules"
_added: list[ModuleType] = []


class RuleError(ValueError):
    """A file or package of rules that cannot be used, or a rule of no such name."""

    fix = "python -m deep_mnist.doctor rules lists them"


def checks(*, live: bool = True) -> tuple[Check, ...]:
    """Return every check of a case, in the order of their rules.

    Args:
        live: Those too that need the call of fit in this process; without them thirty modules fewer are imported.
    """
    return _checks_of((*_own(live), *_of_packages(), *_added))


def rules() -> tuple[Rule, ...]:
    """Return every rule in the order of lists.

    Raises:
        RuleError: Two rules have one code or one name.
    """
    found: dict[str, Rule] = {}
    for module in (*_own(live=True), *map(_imported, ROOMS), *_of_packages(), *_added):
        for rule in _rules_in(module):
            if found.setdefault(rule.code, rule) is not rule:
                raise RuleError(
                    f"Expected one rule of code {rule.code}. Received: {found[rule.code].name}, {rule.name}."
                )
    every = [rule.name for rule in found.values()]
    if twice := {name for name in every if every.count(name) > 1}:
        raise RuleError(f"Expected one rule of each name. Received several: {', '.join(sorted(twice))}.")
    return tuple(sorted(found.values(), key=lambda each: each.order))


def rule_named(name: str) -> Rule | None:
    """Return the rule of a code or name, None where there is none."""
    return next((each for each in rules() if name in (each.code, each.name)), None)


def fields() -> tuple[str, ...]:
    """Return every field of a rule, once, in the order of lists."""
    return tuple(dict.fromkeys(name for each in rules() for name in (each.field, *each.other_fields)))


def add(path: Path) -> None:
    """Read a file of rules and checks of a user's own, which is run; from then on they count as ours.

    Raises:
        RuleError: The file cannot be read or run, or holds no check.
    """
    name = f"deep_mnist_own_rules_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise RuleError(f"Expected a Python file of rules. Received: {path}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise RuleError(f"Expected rules in {path}. Received: {type(error).__name__}: {error}.") from error
    _use(module, str(path))


@contextmanager
def with_rules_of(path: Path) -> Iterator[None]:
    """Add a file of rules for the block alone.

    Raises:
        RuleError: As `add`.
    """
    before = list(_added)
    add(path)
    try:
        yield
    finally:
        _added[:] = before


def _use(module: ModuleType, source: str) -> None:
    if not any(_checks_in(module)):
        raise RuleError(f"Expected a function marked with @check(RULE) in {source}. Received: none.")
    _added[:] = [each for each in _added if each.__name__ != module.__name__]
    _added.append(module)
    rules()  # two of one code are refused at once


@lru_cache(maxsize=4)  # of a few sets of modules: every judgement asks
def _checks_of(modules: tuple[ModuleType, ...]) -> tuple[Check, ...]:
    found = {id(each): each for module in modules for each in _checks_in(module)}
    return tuple(sorted(found.values(), key=lambda each: min(rule.order for rule in each.rules)))


@cache
def _own(live: bool) -> tuple[ModuleType, ...]:
    names = _modules_in(_imported(CHECKS).__path__, f"{CHECKS}.", () if live else LIVE)
    rooms = tuple(name.removesuffix("rules") for name in names if name.endswith(".rules"))
    return tuple(_imported(name) for name in names if name.endswith(".rules") or not name.startswith(rooms))


def _modules_in(path: Iterable[str], prefix: str, without: Collection[str]) -> list[str]:
    """Return the names of the modules below a package, those of some of its rooms left out."""
    names = []
    for each in pkgutil.iter_modules(path, prefix):
        if not each.ispkg:
            names.append(each.name)
        elif each.name.removeprefix(prefix) not in without:
            names += _modules_in(_imported(each.name).__path__, f"{each.name}.", ())
    return names


@cache
def _of_packages() -> tuple[ModuleType, ...]:
    if not any(map(_names_the_group, sys.path)):
        return ()
    from importlib.metadata import entry_points  # 30 ms, for the few that have such a package

    found = []
    for each in entry_points(group=GROUP):
        try:
            found.append(each.load())
        except Exception as error:
            raise RuleError(f"Expected rules in {each.value}. Received: {type(error).__name__}: {error}.") from error
    return tuple(found)


def _names_the_group(place: str) -> bool:
    """Whether a package installed in a folder of the path names rules."""
    section = f"[{GROUP}]".encode()
    try:
        with os.scandir(place or ".") as entries:  # Path.glob takes five times as long
            folders = [each.path for each in entries if each.name.endswith((".dist-info", ".egg-info"))]
    except OSError:  # no folder: a zip, or none any more
        return False
    return any(section in _read(f"{folder}/entry_points.txt") for folder in folders)


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError:
        return b""


def _imported(name: str) -> ModuleType:
    return importlib.import_module(name)


def _checks_in(module: ModuleType) -> Iterator[Check]:
    for value in vars(module).values():
        found = getattr(value, "check", None)
        if isinstance(found, Check) and found.run.__module__ == module.__name__:
            yield found


def _rules_in(module: ModuleType) -> Iterator[Rule]:
    """Yield the module's rules, the imported ones too: a rule is one object wherever it is seen."""
    seen: dict[int, Rule] = {}
    for value in vars(module).values():
        values = value if isinstance(value, tuple) else (value,)
        seen.update({id(each): each for each in values if isinstance(each, Rule)})
    yield from seen.values()
