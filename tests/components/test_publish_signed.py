"""What publish signs, and where it says the version comes from."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from components.evaluate.evaluate import evaluate_from_paths
from components.publish.publish import PublishRequest, publish_from_paths
from deep_mnist.registry.keyless import IDENTITY, IDENTITY_TOKEN, ISSUER, TRUST_CONFIG, Keyless
from deep_mnist.registry.promotion import Floors
from deep_mnist.registry.registry import Registry
from deep_mnist.registry.signature import SignatureError
from deep_mnist.registry.signing import KEY, Trust
from tests.support.attacks import flip
from tests.support.keys import KeyPair, make_keys
from tests.support.sigstore import SigstoreStandIn, sigstore
from tests.support.trained import make_dataset, make_record, train_network

pytestmark = pytest.mark.usefixtures("fresh_processes")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("signed")
    make_dataset(folder / "data", make_record())
    for name, epochs in (("weak", 2), ("good", 12)):
        train_network(folder / name, make_record(), epochs=epochs)
    return folder


def published(work: Path, model: str, registry: Path) -> dict:
    """Evaluate and publish a model, as the steps do."""
    out = registry.parent / model
    out.mkdir()
    evaluation = out / "evaluation.json"
    evaluate_from_paths(
        work / "data", work / model, evaluation, out / "report.html", out / "summary.md",
        registry=str(registry), model_name="digits", floors=Floors(0.3, 0.0, 0.95),
    )  # fmt: skip
    request = PublishRequest(str(registry), "digits", run_name=model)
    return publish_from_paths(work / "data", work / model, evaluation, out / "promotion.json", out / "card.md", request)


def identified(authority: SigstoreStandIn) -> dict[str, str]:
    """The variables of who signs by an identity, and trusts it."""
    return {
        IDENTITY_TOKEN: authority.token("me@example.com"),
        IDENTITY: "me@example.com",
        ISSUER: "https://issuer.example",
        TRUST_CONFIG: json.dumps(authority.trust_config()),
    }


def test_what_is_signed_says_where_it_comes_from(
    work: Path, keys: KeyPair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a key in the environment the first version is signed, by a token beside it the second, and provenance.json,
    among what is signed, names every other file, the data, the split and the champion before; afterwards, without key
    and token, or beside a champion that was changed, nothing is published.
    """
    monkeypatch.setenv(KEY, keys.private.read_text())
    promotions = [published(work, "weak", tmp_path / "registry")]
    with sigstore() as authority:
        for name, value in identified(authority).items():
            monkeypatch.setenv(name, value)
        promotions.append(published(work, "good", tmp_path / "registry"))
    monkeypatch.delenv(IDENTITY_TOKEN)
    registry = Registry(str(tmp_path / "registry"), "digits", trust=Trust.of(required=True, keyless=Keyless.of()))
    folder = tmp_path / "down"
    folder.mkdir()
    champion = registry.champion()
    assert champion is not None
    registry.files.download(champion, folder)
    statement = json.loads((folder / "provenance.json").read_text())
    subjects = {each["name"]: each["digest"]["sha256"] for each in statement["subject"]}
    materials = {each["name"]: each.get("digest", {}).get("sha256") for each in
                 statement["predicate"]["buildDefinition"]["resolvedDependencies"]}  # fmt: skip
    first = registry.log()[0].facts

    assert [each["version"] for each in promotions] == [1, 2]
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert statement["predicate"]["runDetails"]["metadata"]["invocationId"] == "good"
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    assert set(subjects) == set(files) - {"provenance.json", "version.json", "model.sig"}
    assert all(hashlib.sha256(files[name].read_bytes()).hexdigest() == subjects[name] for name in subjects)
    assert materials["dataset"] == champion.facts.data_digest
    assert materials["judged split: test"] == champion.facts.test_digest
    assert materials["champion before: version 1"] == first.model_digest

    with monkeypatch.context() as without:
        without.delenv(KEY)
        (tmp_path / "good").rename(tmp_path / "before")
        unsigned = Registry(str(tmp_path / "registry"), "digits")
        with pytest.raises(SignatureError, match="Expected a key to sign the next version of digits"):
            unsigned.promote(folder, champion.facts, expected=unsigned.champion())
    flip(tmp_path / "registry/digits/2/model.sig")
    with pytest.raises(SignatureError, match="Expected version 2 of digits"):
        published(work, "good", tmp_path / "registry")
