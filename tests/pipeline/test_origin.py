"""`python -m pipeline models origin`: one page of where a version comes from, and whether it may be loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from components.evaluate.evaluate import evaluate_from_paths
from components.images import code_digest
from components.publish.publish import PublishRequest, publish_from_paths
from deep_mnist.registry.promotion import Floors
from deep_mnist.registry.registry import Registry
from deep_mnist.registry.signing import KEY
from tests.support.attacks import flip
from tests.support.browser import SIZES, accessibility_faults, overflow, visit
from tests.support.keys import KeyPair, make_keys
from tests.support.runs import environment
from tests.support.trained import make_dataset, make_record, train_network

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.usefixtures("fresh_processes")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a key and a registry of two versions that the steps made; the second is signed."""
    folder = tmp_path_factory.mktemp("origin")
    make_dataset(folder / "data", make_record())
    keys = make_keys(folder)
    with pytest.MonkeyPatch.context() as variables:
        for name, epochs in (("weak", 2), ("good", 6)):
            train_network(folder / name, make_record(), epochs=epochs)
            out = folder / f"out-{name}"
            out.mkdir()
            store, judged = str(folder / "registry"), out / "evaluation.json"
            evaluate_from_paths(
                folder / "data", folder / name, judged, out / "report.html", out / "summary.md",
                registry=store, model_name="digits", floors=Floors(0.3, 0.0, 0.95),
            )  # fmt: skip
            request = PublishRequest(store, "digits", run_name=f"run-{name}")
            publish_from_paths(folder / "data", folder / name, judged, out / "promotion", out / "card.md", request)
            variables.setenv(KEY, str(keys.private))
    return folder


def origin(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline", "models", "origin", "--store", "registry", *options]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)


def test_a_page_says_where_the_champion_comes_from(work: Path, keys: KeyPair) -> None:
    """Data, network, run, judge, code, predecessors and the signature, with every digest of the pointer."""
    done = origin(work, "--trusted-key", keys.public.name)
    shown = (work / "origin.html").read_text()
    log = Registry(str(work / "registry"), "digits").log()

    assert done.returncode == 0 and "model.sig is by a trusted key or identity. origin.html" in done.stdout, done.stderr
    assert all(digest in shown for digest in (log[1].facts.data_digest, log[1].facts.model_digest))
    assert log[1].facts.test_digest in shown and log[0].facts.reason in shown
    assert "run-good" in shown and "run-weak" in shown and code_digest("publish") in shown
    assert [
        title
        for title in ("Data", "Network", "Run", "Code", "Judge", "Predecessors")
        if f"<h2>{title}</h2>" not in shown
    ] == []
    unverified, first = origin(work, "--html", "x.html"), origin(work, "--version", "1", "--html", "x.html")
    assert "--trusted-key FILE verifies it" in unverified.stdout and "Not signed" in first.stdout


@pytest.fixture
def keys(work: Path) -> KeyPair:
    return KeyPair(work / "key.pem", work / "key.pub.pem")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size["width"]))
def test_the_page_is_accessible_and_fits(work: Path, browser: Browser, scheme: str, size: dict[str, int]) -> None:
    """axe-core finds nothing, and nothing is wider than a phone's window."""
    if not (work / "page.html").exists():
        assert origin(work, "--html", "page.html").returncode == 0
    with visit(browser, (work / "page.html").as_uri(), viewport=size, color_scheme=scheme, bypass_csp=True) as page:
        assert accessibility_faults(page) == []
        assert overflow(page) <= 0


def test_what_must_not_be_loaded_is_told(work: Path, tmp_path: Path) -> None:
    """A changed file, a pointer that claims another accuracy than was judged: exit status 1, and the page says so."""
    pointer = work / "registry/digits/champion.json"
    kept = pointer.read_text()
    state = json.loads(kept)
    state["facts"]["accuracy"] = 0.9999
    pointer.write_text(json.dumps(state))
    claimed = origin(work, "--html", str(tmp_path / "claimed.html"))
    pointer.write_text(kept)
    flip(work / "registry/digits/2/model.keras")
    changed = origin(work, "--html", str(tmp_path / "changed.html"))
    flip(work / "registry/digits/2/model.keras")

    assert claimed.returncode == 1 and "own evaluation.json differ: accuracy" in claimed.stdout, claimed.stderr
    assert changed.returncode == 1 and "Not to be loaded: Expected " in changed.stdout, changed.stderr
    assert "banner bad" in (tmp_path / "changed.html").read_text()
