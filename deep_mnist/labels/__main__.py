"""python -m deep_mnist.labels FOLDER|DATASET: which labels are likely wrong?

    python -m deep_mnist.labels mnist                           # by the network `fast`, where TensorFlow is installed
    python -m deep_mnist.labels data/ --model mine.keras        # by a network of your own
    python -m deep_mnist.labels data/ --network cheap           # without TensorFlow
    python -m deep_mnist.labels data/ --review                  # then decide, by keyboard; writes labels.yaml

Writes labels.html, labels.csv and labels.json to --out. Exit status: 0 searched, whatever was found, 2 not usable.
"""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from deep_mnist.errors import advice_of

if TYPE_CHECKING:
    from deep_mnist.labels.source import LabelledSplit
    from deep_mnist.labels.suspects import Suspects


OTHERS = {
    "duplicate": "near duplicates of another label",
    "contradicted": "more contradicted",
    "ambiguous": "ambiguous",
    "outlier": "outliers",
}


def main(arguments: list[str] | None = None) -> int:
    """Search, write the reports, and serve the page where that is wanted; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return _search(options)
    except (ValueError, RuntimeError, OSError) as error:
        if advice_of(error) is None and not isinstance(error, OSError):
            raise
        print(f"labels: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deep_mnist.labels",
        description="Name the labels that are likely wrong, and show them.",
        epilog="Exit status: 0 searched, whatever was found; 2 not usable.",
    )
    add = parser.add_argument
    add("source", metavar="FOLDER|DATASET", help="mnist, fashion-mnist, a folder of arrays or images, or one file")
    add("--split", default="train", help="train (default), validation or test")
    add("--network", default="auto", help="a built-in network, or cheap, which needs no TensorFlow (default: auto)")
    add("--model", default="", metavar="FILE.keras", help="a network of your own, trained as it was compiled")
    add("--epochs", type=int, default=0, help="of each fold's training; 0 is the network's own number")
    add("--folds", type=int, default=5, help="trainings; each example is judged by the one that never saw it")
    add("--seed", type=int, default=0, help="of folds, weights and order")
    add("--out", type=Path, default=Path("labels"), help="folder for the reports and the finished folds")
    add("--picture", type=Path, metavar="FILE.png", help="draw the twenty least probable labels")
    add("--json", action="store_true", help="print labels.json")
    add("--review", action="store_true", help="serve the page on this machine; decisions go to OUT/labels.yaml")
    add("--port", type=int, default=0, help="of --review; 0 takes a free one")
    return parser


def _search(options: argparse.Namespace) -> int:
    from deep_mnist.labels.predict import Predictor, resolved
    from deep_mnist.labels.search import search
    from deep_mnist.labels.source import open_with_train

    source = open_with_train(options.source, options.split)
    by = resolved(Predictor(options.network, options.model, options.epochs, options.seed), source)
    print(f"labels: {source.judged} examples, {options.folds} folds, by {by.name}", file=sys.stderr, flush=True)
    found = search(source, by, options.out / "folds", folds=options.folds)
    source = source.of_split()
    _write(options, source, found)
    return _review(options, source, found) if options.review else 0


def _write(options: argparse.Namespace, source: LabelledSplit, found: Suspects) -> None:
    from deep_mnist.labels.report import draw_first, write_reports

    write_reports(found, source.images, options.out, source=source.name)
    if options.picture:
        draw_first(found, source.images, options.picture)
    summary = found.to_dict()
    if options.json:
        print(json.dumps({"source": source.name, **summary}))
        return
    print(
        f"{summary['suspects']} of {summary['examples']} labels likely wrong "
        f"(estimated {summary['estimated_wrong']:.0f}); "
        f"{', '.join(f'{len(found.of_kind(kind))} {name}' for kind, name in OTHERS.items())}; {found.seconds:.1f} s\n"
        f"{options.out / 'labels.html'}"
    )


def _review(options: argparse.Namespace, source: LabelledSplit, found: Suspects) -> int:
    from deep_mnist.labels.decisions import FILE, Decision
    from deep_mnist.labels.page.render import suspects_page
    from deep_mnist.labels.page.review import Review, make_server

    def page(endpoint: str, decisions: list[Decision]) -> str:
        shown = {"decisions": decisions, "endpoint": endpoint, "by": getpass.getuser()}
        return suspects_page(found, source.images, source=source.name, **shown)  # type: ignore[arg-type]

    server, address = make_server(Review(options.out / FILE), page, options.port)
    print(f"decide at {address}\ndecisions go to {options.out / FILE}; end with Ctrl+C", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()
    finally:
        server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
