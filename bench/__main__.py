"""python -m bench: every measurement one after the other, then each figure with its goal once more.

A measurement that misses a goal, or fails, does not keep the others from running; the exit status is 1 then.
"""

from __future__ import annotations

import subprocess
import sys

MEASUREMENTS = (
    ("bench.doctor",),
    ("bench.doctor", "--millions", "6"),
    ("bench.doctor", "--sparse", "10"),
    ("bench.rehearsal",),
    ("bench.training",),
    ("bench.streaming",),
    ("bench.request_warnings",),
    ("bench.serving",),
    ("bench.clone_to_model",),
    ("bench.suite",),
)
GOAL = "(goal "  # in every line that holds a figure beside its goal


def main() -> int:
    """Run the measurements and print what they claim."""
    claims: list[str] = []
    failed = []
    for module, *arguments in MEASUREMENTS:
        title = " ".join(("python -m", module, *arguments))
        print(f"\n== {title}", flush=True)
        process = subprocess.Popen([sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, text=True)
        for line in process.stdout or ():
            print(line, end="", flush=True)
            claims += [line] if GOAL in line else []
        if process.wait():
            failed.append(title)
    print("\n== every figure with its goal\n" + "".join(claims), end="")
    for title in failed:
        print(f"missed a goal or failed: {title}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
