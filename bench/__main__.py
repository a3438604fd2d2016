"""python -m bench: every measurement one after the other, then each figure with its goal once more.

    python -m bench --json now.json                          # also as JSON, with the machine it ran on
    python -m bench --against before.json --only bench.calls  # each figure beside that of another run, with the ratio

A measurement that misses a goal, or fails, does not keep the others from running; the exit status is 1 then. The tests
themselves take longer than all the rest: `--suite` measures them too.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.claims import RECORD, Claim

MEASUREMENTS = (
    ("bench.calls",),
    ("bench.doctor",),
    ("bench.doctor", "--millions", "6"),
    ("bench.doctor", "--sparse", "10"),
    ("bench.rehearsal",),
    ("bench.training",),
    ("bench.streaming",),
    ("bench.request_warnings",),
    ("bench.serving",),
    ("bench.clone_to_model",),
)
SUITE = ("bench.suite",)
OF_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "ARGS")
INSTRUCTIONS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")


def main() -> int:
    """Run the measurements and print what they claim."""
    options = _options()
    made: dict[str, Any] = {"machine": machine(), "figures": [], "seconds": {}}
    print(_line(made["machine"]))
    failed = []
    for module, *arguments in chosen(options.only, options.suite):
        title = " ".join((module, *arguments))
        print(f"\n== python -m {title}", flush=True)
        began = time.monotonic()
        figures, status = _measured(module, arguments)
        made["figures"] += figures
        made["seconds"][title] = round(time.monotonic() - began, 1)
        failed += [title] if status else []
    print("\n== every figure with its goal\n" + "".join(f"{Claim(**each)}\n" for each in made["figures"]), end="")
    if before := options.against:
        print("\n".join(("", f"== beside the other run: {_line(before['machine'])}", *compared(before, made))))
    if options.json:
        options.json.write_text(json.dumps(made, indent=1) + "\n")
    for title in failed:
        print(f"missed a goal or failed: python -m {title}")
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures and the machine")
    parser.add_argument("--against", type=recorded, metavar="FILE", help="such a file, to compare with")
    known = tuple(dict.fromkeys(each[0] for each in (*MEASUREMENTS, SUITE)))
    parser.add_argument("--only", nargs="+", metavar="MODULE", choices=known)
    parser.add_argument("--suite", action="store_true", help="the tests' time, too (half an hour)")
    return parser.parse_args()


def recorded(name: str) -> dict[str, Any]:
    """Return what --json wrote into a file.

    Raises:
        ArgumentTypeError, ValueError: It cannot be read, or holds something else.
    """
    with argparse.FileType()(name) as stream:
        run = json.load(stream)
    if not isinstance(run, dict) or not {"machine", "figures"} <= run.keys():
        raise ValueError(name)
    return run


def chosen(only: Sequence[str] | None, suite: bool) -> list[tuple[str, ...]]:
    """Return the measurements of some modules, or all of them, the tests' time if it is asked for."""
    return [each for each in (*MEASUREMENTS, SUITE) if (each[0] in only if only else suite or each is not SUITE)]


def _measured(module: str, arguments: list[str]) -> tuple[list[dict[str, Any]], int]:
    """Run one measurement; return its figures and its exit status."""
    with tempfile.NamedTemporaryFile("r", suffix=".jsonl") as record:
        # A `make` that is measured has variables of its own: not the ARGS of the one that runs this.
        environment = {name: value for name, value in os.environ.items() if name not in OF_MAKE} | {RECORD: record.name}
        status = subprocess.run([sys.executable, "-m", module, *arguments], env=environment, check=False).returncode
        return [json.loads(line) for line in record], status


def compared(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return a line for each figure that both runs have: what it was, what it is, and the ratio."""
    earlier = {each["name"]: each["value"] for each in before["figures"]}
    lines = []
    for each in now["figures"]:
        was, value = earlier.get(each["name"]), each["value"]
        if was is not None and value is not None:
            ratio = f"{value / was:6.2f} times" if was else "     –"
            lines.append(f"{each['name']:62} {was:10.{each['digits']}f} -> {value:10.{each['digits']}f}  {ratio}")
    return lines


def machine() -> dict[str, Any]:
    """Return what figures depend on: processor, its cores and instructions, load, and versions."""
    information = Path("/proc/cpuinfo")
    stated = information.read_text().partition("\n\n")[0] if information.exists() else ""
    facts = dict(line.split(":", 1) for line in stated.splitlines() if ":" in line)
    facts = {name.strip(): value.strip() for name, value in facts.items()}
    return {
        "processor": facts.get("model name", platform.processor()),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "instructions": [each for each in INSTRUCTIONS if each in facts.get("flags", "").split()],
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "keras")},
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def _line(facts: dict[str, Any]) -> str:
    return ", ".join(f"{name} {' '.join(each) if isinstance(each, list) else each}" for name, each in facts.items())


if __name__ == "__main__":
    sys.exit(main())
