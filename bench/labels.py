"""python -m bench.labels: how many wrong labels are found, how many right ones are accused, and what it costs.

    python -m bench.labels [--examples 10000] [--photos FOLDER …] [--cleanlab PYTHON] [--work FOLDER]

Labels are changed at random (uniform: to any other class; alike: to the class that is most easily taken for it) and
sought with `deep_mnist.labels`. --cleanlab names the Python of an environment of its own that holds cleanlab, which
then ranks the same probabilities: it is no dependency (docs/adr/0013). --work keeps the folds, so that a bench that was
cut goes on. `fast` predicts digits and clothes; photos, folders of images by class, are predicted by the cheap
classifier. The rows over all 60,000 digits are the goals; the others use --examples of them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.claims import Claim, tell
from bench.label_costs import corrected_trainings, cost_ratio
from deep_mnist.doctor.case import NotUsableError
from deep_mnist.labels.predict import Predictor
from deep_mnist.labels.search import search
from deep_mnist.labels.source import LabelledSplit, open_source
from deep_mnist.labels.suspects import Suspects

NOISES = (("uniform", 0.01), ("uniform", 0.05), ("uniform", 0.2), ("alike", 0.01), ("alike", 0.05), ("alike", 0.2))
FOUND, PRECISION, ACCUSED, TIMES = 0.95, 0.95, 0.003, 3.0
# Classes that are easily taken for one another, by what the clean searches confuse most.
ALIKE = {
    "mnist": {4: 9, 9: 4, 3: 5, 5: 3, 1: 7, 7: 1, 2: 7, 6: 0, 0: 6, 8: 3},
    "fashion-mnist": {0: 6, 6: 0, 2: 4, 4: 2, 1: 3, 3: 1, 5: 7, 7: 5, 9: 7, 8: 6},
}
HEAD = f"{'data':19}{'noise':14}{'wrong':>6}{'estimate':>9}{'interval':>14}{'flagged':>8}{'precision':>10}{'recall':>8}"
CLEANLAB = """
import json, sys, time
import numpy as np
from cleanlab.count import num_label_issues
from cleanlab.filter import find_label_issues
read = np.load(sys.argv[1])
began = time.perf_counter()
found = find_label_issues(read["given"], read["probabilities"], return_indices_ranked_by="self_confidence", n_jobs=1)
seconds = time.perf_counter() - began
print(json.dumps({"found": found.tolist(), "estimate": int(num_label_issues(read["given"], read["probabilities"])),
                  "seconds": seconds}))
"""


def main() -> int:
    """Print a row a search, then the figures with their goals; 0 when all are met."""
    options = _options()
    with tempfile.TemporaryDirectory() as scratch:
        work = options.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        print(HEAD, flush=True)
        clean = _row(open_source("mnist"), "none", 0.0, work, options.cleanlab)
        noisy = _row(open_source("mnist"), "uniform", 0.01, work, options.cleanlab)
        for name in ("mnist", "fashion-mnist"):
            some = first_of(open_source(name), options.examples)
            for kind, share in (("none", 0.0), *NOISES):
                _row(some, kind, share, work, options.cleanlab)
        for folder in options.photos:
            photos = open_source(str(folder))
            for kind, share in (("none", 0.0), *(each for each in NOISES if each[0] == "uniform")):
                _row(photos, kind, share, work, options.cleanlab)
        ratio = cost_ratio(work)
        for line in corrected_trainings(first_of(open_source("mnist"), options.examples), 0.05, work):
            print(line, flush=True)
    met = tell(
        Claim("1 % of 60,000 labels changed: share found", noisy["recall"], FOUND, at_least=True, digits=4),
        Claim("1 % of 60,000 labels changed: precision", noisy["precision"], PRECISION, at_least=True, digits=4),
        Claim("unchanged 60,000: share flagged", clean["flagged"] / 60_000, ACCUSED, digits=5),
        Claim("search in 5 folds over one training, processor time", ratio, TIMES),
    )
    return 0 if met else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.labels")
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--photos", type=Path, nargs="*", default=[])
    parser.add_argument("--cleanlab", type=Path)
    parser.add_argument("--work", type=Path)
    return parser.parse_args()


def first_of(source: LabelledSplit, count: int) -> LabelledSplit:
    """Return the first examples of a split."""
    count = min(count, source.judged)
    return replace(source, images=source.images[:count], given=source.given[:count], judged=count)


def changed_labels(source: LabelledSplit, kind: str, share: float, seed: int = 0) -> np.ndarray:
    """Return int64 (n,): the labels with a share of them changed, uniformly or to a class that looks alike."""
    random = np.random.default_rng(seed)
    given = source.given.copy()
    chosen = random.choice(len(given), round(share * len(given)), replace=False)
    if kind == "alike":
        alike = ALIKE[source.name]
        given[chosen] = [alike[int(each)] for each in given[chosen]]
    elif len(chosen):
        classes = int(given.max()) + 1
        given[chosen] = (given[chosen] + random.integers(1, classes, len(chosen))) % classes
    return given


def _row(source: LabelledSplit, kind: str, share: float, work: Path, cleanlab: Path | None) -> dict[str, float]:
    """Search, print the row, and return its figures."""
    given = changed_labels(source, kind, share)
    wrong = given != source.given
    by = Predictor("fast" if source.name in ALIKE else "cheap")
    try:
        found = search(replace(source, given=given), by, work / "folds")
    except NotUsableError as error:
        print(f"{source.name}: {error}")
        return {}
    flagged = np.array([each.index for each in found.of_kind("label")], np.int64)
    low, high = found.ranking.interval
    figures = {"flagged": len(flagged), **_figures(flagged, wrong)}
    data = f"{Path(source.name).name} {source.judged // 1000}k" if source.judged >= 1000 else Path(source.name).name
    noise = f"{kind} {share:.0%}" if share else "none"
    unjudged = sum(not each.judged for each in found.ranking.classes)
    print(
        f"{data:19}{noise:14}{wrong.sum():6}{found.ranking.wrong:9.0f}{f'{low:.0f} – {high:.0f}':>14}{len(flagged):8}"
        f"{figures['precision']:10.4f}{figures['recall']:8.4f}"
        + (
            f"  {unjudged} of its classes not judged, agreement {(found.ranking.suggested == given).mean():.2f}"
            * bool(unjudged)
        ),
        flush=True,
    )
    if cleanlab:
        _beside(found, wrong, work, cleanlab)
    return figures


def _figures(flagged: np.ndarray, wrong: np.ndarray) -> dict[str, float]:
    hits = int(wrong[flagged].sum())
    return {
        "precision": hits / len(flagged) if len(flagged) else float("nan"),
        "recall": hits / int(wrong.sum()) if wrong.any() else float("nan"),
    }


def _beside(found: Suspects, wrong: np.ndarray, work: Path, cleanlab: Path) -> None:
    """Print what cleanlab makes of the same probabilities."""
    np.savez(work / "same.npz", given=found.given, probabilities=found.probabilities)
    command = [str(cleanlab), "-c", CLEANLAB, str(work / "same.npz")]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    flagged = np.array(said["found"], np.int64)
    figures = _figures(flagged, wrong)
    print(
        f"{'':19}{'  cleanlab':14}{'':6}{said['estimate']:9}{'':14}{len(flagged):8}"
        f"{figures['precision']:10.4f}{figures['recall']:8.4f}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
