"""python -m bench.false_alarms: how often the doctor alarms on healthy data of kinds it was not made for.

Each draw is a healthy set: images of one kind, their correct labels, a random split, one of the sizes 60 to 5,000
(fewer where a kind has fewer), and a network that takes it. An alarm is an error or a warning; a note is none. The goal
is at most 1 alarm in 300 draws of each kind. No TensorFlow; a draw takes about as long as the doctor.

Counted for the doctor as a whole and for each rule: of the draws in which it applied, those in which it alarmed. What
`--write` wrote last, into checks/measured.json, stands beside each line that is printed, and on the rules' pages.

    python -m bench.false_alarms --draws 300 --write && python -m tests.support.rule_pages
    python -m bench.false_alarms --draws 300                       # every kind that this machine has, on all cores
    python -m bench.false_alarms --draws 50 --first 100 digits     # a chunk: draws 100 to 149 of one kind
    python -m bench.false_alarms --photos FOLDER --digits FOLDER   # or PHOTOS_DIR, MNIST_DIR, FASHION_DIR
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from bench.healthy import KINDS, Drawn, available
from deep_mnist.contract.contract import Contract
from deep_mnist.doctor.case import Case, Split
from deep_mnist.doctor.checks.catalogue import rules
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.judge import applies, judge
from deep_mnist.doctor.report.measured import DOCTOR, FalseAlarms, measured, of_kinds, read_measured, written
from deep_mnist.doctor.report.pages import OF_A_CASE
from deep_mnist.doctor.rule import Rule

SIZES = (60, 100, 160, 300, 600, 1000, 2000, 5000)  # of both splits together
TEST_SHARES = (0.15, 0.25, 0.4)
GOAL = 1 / 300
WRITTEN = Path(__file__).resolve().parents[1] / "deep_mnist" / "doctor" / "checks" / "measured.json"


@dataclass
class Tally:
    """Of one kind of data: draws, draws with an alarm, notes, and by rule those it applied to and alarmed in."""

    draws: int = 0
    alarms: int = 0
    notes: int = 0
    seconds: float = 0.0
    fields: Counter[str] = field(default_factory=Counter)
    applied: Counter[str] = field(default_factory=Counter)
    alarmed: Counter[str] = field(default_factory=Counter)

    def counts(self) -> dict[str, tuple[int, int]]:
        """Return (draws, alarms) by the rules' codes, those of the whole doctor under DOCTOR."""
        rules = {code: (draws, self.alarmed[code]) for code, draws in self.applied.items()}
        return {DOCTOR: (self.draws, self.alarms), **rules}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line for each kind; return 0 when every kind keeps the goal."""
    options = _options(arguments)
    for variable, folder in (
        ("PHOTOS_DIR", options.photos),
        ("MNIST_DIR", options.digits),
        ("FASHION_DIR", options.clothes),
    ):
        if folder:
            os.environ[variable] = str(folder)
    kinds = [kind for kind in (options.kinds or KINDS) if available(kind)]
    skipped = [kind for kind in (options.kinds or KINDS) if kind not in kinds]
    print(f"{'kind':22} {'draws':>5} {'alarms':>6} {'before':>7} {'notes':>6} {'s/draw':>7}  alarms of", flush=True)
    draws = range(options.first, options.first + options.draws)
    tallies: dict[str, Tally] = {}
    with ProcessPoolExecutor(options.workers, initializer=_one_thread) as pool:
        for kind in kinds:
            tallies[kind] = _tally(pool.map(partial(judged, kind), draws, chunksize=4))
            _tell(kind, tallies[kind])
    if skipped:
        print(f"skipped, their files are absent: {', '.join(skipped)}")
    if options.write:
        write(options.measured, tallies)
    return 0 if all(each.alarms <= max(1, GOAL * each.draws) for each in tallies.values()) else 1


def write(path: Path, tallies: Mapping[str, Tally]) -> None:
    """Write what was counted, in the place of what the file says of these kinds; of others it keeps its word."""
    before = read_measured(path.read_text()) if path.is_file() else {}
    merged = {}
    for code in (DOCTOR, *(rule.code for rule in rules())):
        kept = {kind: each for kind, each in _kinds_of(before, code).items() if kind not in tallies}
        new = {kind: counts for kind, tally in tallies.items() if (counts := tally.counts().get(code))}
        if known := kept | new:
            merged[code] = of_kinds({kind: known[kind] for kind in KINDS if kind in known})
    path.write_text(written(merged))


def judged(kind: str, draw: int) -> tuple[int, list[Finding], float, list[str]]:
    """Return (draw, the doctor's findings, seconds, codes of the rules that applied) on one healthy set."""
    case = healthy_case(kind, draw)
    started = time.perf_counter()
    findings, seconds = judge(case), time.perf_counter() - started
    return draw, findings, seconds, [rule.code for rule in rules() if applied(rule, case)]


def _kinds_of(measurements: Mapping[str, FalseAlarms], code: str) -> Mapping[str, tuple[int, int]]:
    return measurements[code].kinds if code in measurements else {}


def applied(rule: Rule, case: Case) -> bool:
    """Whether a rule was judged on a case, in one split at least; those of what is no case never are."""
    splits: list[Split | None] = [*case.splits.values()] if rule.scope.is_of_split else [None]
    return rule.scope in OF_A_CASE and any(applies(rule, case, split) for split in splits)


def healthy_case(kind: str, draw: int) -> Case:
    """Return a healthy set of a kind in memory: the same for the same number of the draw."""
    random = np.random.default_rng([list(KINDS).index(kind), draw])
    drawn = KINDS[kind](random, int(random.choice(SIZES)))
    return _as_case(drawn, random)


def _as_case(drawn: Drawn, random: np.random.Generator) -> Case:
    count = len(drawn.labels)
    order = random.permutation(count)
    cut = count - max(10, int(count * random.choice(TEST_SHARES)))
    train, test = order[:cut], order[cut:]
    images = drawn.images if drawn.images.ndim == 4 else drawn.images[..., None]
    splits = {
        "train": Split("train", images[train], drawn.labels[train]),
        "test": Split("test", images[test], drawn.labels[test]),
    }
    return Case(Path(), splits, _contract(images.shape[1:], drawn.classes))


def _contract(shape: tuple[int, ...], classes: int) -> Contract:
    """Return the contract of a small network that takes 0..255 and scales inside."""
    return Contract(
        name="bench",
        input_shape=shape,
        layout="channels_last",
        input_dtype="uint8",
        input_range=(0.0, 255.0),
        scales_inside=True,
        pixel_scale=1 / 255,
        loss="sparse_categorical_crossentropy",
        from_logits=False,
        num_classes=classes,
        label_encoding="sparse",
        output_units=classes,
        output_rank=2,
        output_tail=("softmax",),
    )


def _tally(results: Iterator[tuple[int, list[Finding], float, list[str]]]) -> Tally:
    tally = Tally()
    for draw, findings, seconds, codes in results:
        alarms = [each for each in findings if each.severity != "note"]
        tally.draws += 1
        tally.seconds += seconds
        tally.alarms += bool(alarms)
        tally.notes += len(alarms) < len(findings)
        tally.fields.update({f"{each.severity} {_named(each)} ({each.split})" for each in alarms})
        tally.applied.update(codes)
        tally.alarmed.update({each.rule.code for each in alarms if each.rule})
        for each in alarms:
            print(f"    draw {draw}: {each.sentence()}", file=sys.stderr, flush=True)
    return tally


def _tell(kind: str, tally: Tally) -> None:
    fields = ", ".join(f"{name} {count}" for name, count in tally.fields.most_common())
    each = tally.seconds / max(1, tally.draws)
    before = "{1}/{0}".format(*_kinds_of(measured(), DOCTOR).get(kind, ("-", "-")))
    print(f"{kind:22} {tally.draws:5} {tally.alarms:6} {before:>7} {tally.notes:6} {each:7.3f}  {fields}", flush=True)


def _named(finding: Finding) -> str:
    return f"{finding.rule.code} {finding.field}" if finding.rule else finding.field


def _one_thread() -> None:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.false_alarms", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"one of {', '.join(KINDS)}; every one when left out")
    parser.add_argument("--draws", type=int, default=100, help="of each kind (default 100)")
    parser.add_argument("--first", type=int, default=0, help="number of the first draw, to go on where a chunk ended")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: all cores)")
    parser.add_argument("--photos", type=Path, help="folder of photo sets: SET/{train,test}/classK/*.jpg")
    parser.add_argument("--digits", type=Path, help="folder of MNIST's four IDX files")
    parser.add_argument("--clothes", type=Path, help="folder of Fashion-MNIST's four IDX files")
    parser.add_argument("--write", action="store_true", help="keep the counts by rule in measured.json")
    parser.add_argument("--measured", type=Path, default=WRITTEN, help="another file for --write")
    options = parser.parse_args(arguments)
    unknown = [kind for kind in options.kinds if kind not in KINDS]
    if unknown:
        parser.error(f"Expected kinds among {', '.join(KINDS)}. Received: {', '.join(unknown)}.")
    return options


if __name__ == "__main__":
    sys.exit(main())
