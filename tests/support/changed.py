"""python -m tests.support.changed [pytest's arguments]: the tests that a change can reach, by the graph of imports.

    make test-changed                      # what differs from main, committed or not
    make test-changed ARGS='--since HEAD'  # what is not committed

A test file is run when it is changed, when it imports a changed module over whatever path, or when it names such a
module or one that imports it, as tests do that start `python -m deep_mnist.doctor`. Another file, a template or
a manifest, reaches the tests that name it. The whole suite (make test) stays the judge.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("deep_mnist", "components", "pipeline", "tests")


def main(arguments: list[str]) -> int:
    """Run them; return pytest's exit status, 0 where no test is reached."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.changed", allow_abbrev=False)
    parser.add_argument("--since", default="main", metavar="REVISION", help="(%(default)s)")
    options, others = parser.parse_known_args(arguments)
    try:
        tests = reached(changed_files(options.since))
    except subprocess.CalledProcessError as error:
        parser.error(error.stderr.strip())
    print(f"{len(tests)} test files are reached by what differs from {options.since}", flush=True)
    if not tests:
        return 0
    command = [sys.executable, "-m", "pytest", "-m", "not docker and not load", *others, *tests]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def changed_files(since: str) -> list[str]:
    """Return what differs from where this branch left another, or is new, as paths below the root."""
    fork = _git("merge-base", since, "HEAD")[0]
    return [*_git("diff", "--name-only", fork), *_git("ls-files", "--others", "--exclude-standard")]


def reached(changed: list[str]) -> list[str]:
    """Return the test files that changed files reach, sorted.

    >>> "tests/test_names.py" in reached(["tests/test_names.py"])
    True
    """
    graph = grimp.build_graph(*PACKAGES, cache_dir=str(ROOT / "build" / "grimp"))
    modules = {_module(path) for path in changed} & graph.modules
    for module in list(modules):
        modules |= graph.find_downstream_modules(module)
    named = {each for each in modules if not each.startswith("tests.")}
    named |= {Path(path).name for path in changed if path.split("/")[0] not in PACKAGES or not path.endswith(".py")}
    words = re.compile(r"[\w.-]*\w")
    found = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        name = str(path.relative_to(ROOT))
        said = set(words.findall(path.read_text()))
        if _module(name) in modules or named & (said | {f"{each}.__main__" for each in said}):
            found.append(name)
    return found


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _git(*arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.split("\n")[:-1]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
