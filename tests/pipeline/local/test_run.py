"""`make run` as its users meet it: a promoted model, then everything unchanged reused."""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from components.work import seconds_covered
from deep_mnist.registry.fetch import main as fetch
from deep_mnist.registry.registry import Registry
from deep_mnist.storage.open import open_store
from pipeline.local.history import past_runs
from tests.support.browser import SIZES, accessibility_faults, overflow, visit
from tests.support.digits import write_idx_folder, write_raw_folder
from tests.support.keys import make_keys
from tests.support.runs import run_pipeline
from tests.support.sigstore import sigstore

pytestmark = pytest.mark.usefixtures("fresh_processes")

FAST = ("--epochs", 3, "--network", "fast")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with 2,000 + 400 raw digits in `digits`, and the first run's ending; it publishes every form."""
    folder = tmp_path_factory.mktemp("run")
    write_raw_folder(folder / "digits")
    return folder, run_pipeline(folder, "--dataset", "digits", "--forms", "onnx,litert,litert-int8", *FAST)


def test_a_run_publishes_a_model_and_a_report(place):
    """The whole pipeline on small digits ends PUBLISHED, with a version folder and a self-contained report."""
    folder, ended = place

    assert ended.status == 0, "\n".join(ended.lines) + ended.errors
    assert re.match(r"PUBLISHED version=1 accuracy=(1\.0000|0\.9\d+) seconds=\d+\.\d report=\S+$", ended.last)
    assert (folder / "registry" / "digits" / "1" / "saved_model.pb").is_file()
    report = ended.report.read_text()
    assert "http" not in report.replace("http://www.w3.org", "")
    assert ended.events()[0]["tasks"] == [event["task"] for event in ended.events() if event["event"] == "end"]
    assert ended.lines[-2] == "All runs: runs/index.html"
    for heading in ("The data", "Training", "Evaluation", "Model card"):
        assert f"<h2>{heading}</h2>" in report


def test_a_run_publishes_the_forms_asked_for(place):
    """ONNX and LiteRT lie in the version, named by its manifest, and the card says how each does beside the model."""
    folder, _ = place
    version = folder / "registry" / "digits" / "1"
    card, listed = (
        json.loads((version / "model_card.json").read_text()),
        json.loads((version / "version.json").read_text()),
    )

    assert [form["name"] for form in card["forms"] if form["published"]] == ["onnx", "litert", "litert-int8"]
    assert {form["file"] for form in card["forms"]} <= set(listed["files"])
    assert all(form["bytes"] == (version / form["file"]).stat().st_size for form in card["forms"])
    assert all(form["accuracy"] >= card["metrics"]["accuracy"]["value"] - 0.005 for form in card["forms"])
    assert "| litert-int8 | " in (version / "model_card.md").read_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size["width"]))
def test_a_report_is_accessible_and_fits(place, browser, scheme, size):
    """axe-core finds nothing in a run's report, and nothing is wider than a phone's window."""
    _, ended = place
    with visit(browser, ended.report.as_uri(), viewport=size, color_scheme=scheme) as page:
        assert accessibility_faults(page) == []
        assert overflow(page) <= 0


def test_a_run_says_what_it_took_besides_its_steps_work(place):
    """Every step notes when it worked; the report and the JSON object give the seconds in which none did."""
    _, ended = place
    spans = {event["task"]: event["work"] for event in ended.events() if event["event"] == "end"}
    outcome = json.loads((ended.folder / "outcome.json").read_text())
    worked = seconds_covered([tuple(span) for span in spans.values()])

    assert list(spans) == ended.events()[0]["tasks"] and all(began < finished for began, finished in spans.values())
    assert outcome["overhead"] == pytest.approx(outcome["seconds"] - worked, abs=0.1)
    assert "no step worked for" in ended.report.read_text()


def test_a_second_run_reuses_what_is_unchanged(place):
    """Download to train are reused and said to be; the same model does not depose itself."""
    folder, _ = place
    ended = run_pipeline(folder, "--dataset", "digits", *FAST)

    assert ended.status == 0, "\n".join(ended.lines) + ended.errors
    assert ended.last.startswith("NOT PROMOTED accuracy=")
    assert 'reason="' in ended.last
    states = {event["task"]: event["state"] for event in ended.events() if event["event"] == "end"}
    assert [states[task] for task in ("download", "preprocess", "validate", "train")] == ["cached"] * 4
    assert [states[task] for task in ("evaluate", "publish")] == ["done"] * 2
    assert any("train" in line and "unchanged, reused" in line for line in ended.lines)
    shown = (folder / "runs" / "index.html").read_text()
    assert f'href="{ended.folder.name}/report.html"' in shown and "digits version 1" in shown
    statuses = [run.status for run in past_runs(folder / "runs")]
    assert statuses[:2] == ["NOT PROMOTED", "PUBLISHED"] or len(statuses) > 2  # a test before this one ran more
    assert all(run.findings is not None and not run.findings["error"] for run in past_runs(folder / "runs"))


def test_a_run_reads_and_publishes_in_object_storage(tmp_path, remote):
    """Data and the user's own network from a bucket, a registry in it, over HTTP against real servers of both kinds;
    with a key in the environment, or a token of an identity, its version is signed.
    """
    store, keys = open_store(remote.url), make_keys(tmp_path)
    for path in write_idx_folder(tmp_path / "idx", 1500, 300).iterdir():
        store.upload_file(path, f"digits/{path.name}")
    store.upload_file(save_own_network(tmp_path / "mine.keras"), "mine.keras")
    options = (
        "--dataset",
        f"{remote.url}/digits",
        "--model",
        f"{remote.url}/mine.keras",
        "--store",
        f"{remote.url}/registry",
    )
    with sigstore() as authority:
        signer, trusted = by_key(keys) if remote.url.startswith("gs") else by_token(authority, tmp_path)
        ended = run_pipeline(tmp_path, *options, "--epochs", 8, **signer)

    assert ended.last.startswith("PUBLISHED version=1 "), "\n".join(ended.lines)
    signed = ["--model-name", "digits", "--require-signature", *trusted]
    assert fetch([f"{remote.url}/registry", str(tmp_path / "models"), *signed]) == 0
    assert (tmp_path / "models/1/provenance.json").is_file()
    assert store.exists("registry/digits/1/saved_model.pb")
    assert json.loads(store.read("registry/digits/1/preprocessing.json")[0])["dtype"] == "float32"
    assert not (tmp_path / "registry").exists()


def by_key(keys):
    """The variables of who signs with a key, and the options of who trusts it."""
    return {"DEEP_MNIST_SIGNING_KEY": keys.private.name}, ["--trusted-key", str(keys.public)]


def by_token(authority, folder):
    """The same of an identity: a token in a file, and Sigstore of one's own."""
    (folder / "token").write_text(authority.token("me@example.com", exp=int(time.time()) + 3600))
    (folder / "config.json").write_text(json.dumps(authority.trust_config()))
    variables = {
        "DEEP_MNIST_IDENTITY_TOKEN": "token",
        "DEEP_MNIST_CERTIFICATE_IDENTITY": "me@example.com",
        "DEEP_MNIST_CERTIFICATE_OIDC_ISSUER": "https://issuer.example",
        "DEEP_MNIST_TRUST_CONFIG": "config.json",
    }
    trusted = ["--certificate-identity", "me@example.com", "--certificate-oidc-issuer", "https://issuer.example"]
    return variables, [*trusted, "--trust-config", str(folder / "config.json")]


def save_own_network(path):
    """Write a network that takes float32 pixels in 0..1, with its own optimizer, to `path` and return it."""
    import keras

    layers = [keras.layers.Conv2D(16, 5, strides=2, activation="relu"), keras.layers.Flatten(), keras.layers.Dense(10)]
    network = keras.Sequential([keras.Input((28, 28, 1)), *layers])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(0.005), loss, metrics=["accuracy"])
    network.save(path)
    return path


def test_two_runs_at_once_leave_one_champion(place):
    """Two runs that race for an empty registry both end well; exactly one of them promotes the model."""
    folder, _ = place
    with ThreadPoolExecutor(2) as pool:
        submitted = [
            pool.submit(run_pipeline, folder, "--dataset", "digits", *FAST, "--store", "raced") for _ in range(2)
        ]
        ended = [each.result() for each in submitted]

    assert [each.status for each in ended] == [0, 0], "\n".join(ended[0].lines + ended[1].lines)
    loser, winner = sorted(each.last.partition(" accuracy")[0] for each in ended)
    (number,) = (each.number for each in Registry(f"{folder}/raced", "digits").versions())
    assert loser == "NOT PROMOTED" and winner == f"PUBLISHED version={number}"  # 2, where the loser claimed 1 before it
    assert ended[0].folder != ended[1].folder
