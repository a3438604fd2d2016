"""Versions signed by an identity: made by a token, verified by name and issuer, and refused from anybody else."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import jwt
import pytest
from click.testing import CliRunner

from deep_mnist.registry.fetch import main
from deep_mnist.registry.keyless import Keyless
from deep_mnist.registry.pointer import Promotion
from deep_mnist.registry.registry import Registry
from deep_mnist.registry.signature import SignatureError
from deep_mnist.registry.signing import Trust
from pipeline.models import rollback
from tests.support.attacks import ATTACKS, folder_of
from tests.support.keys import make_keys
from tests.support.runs import ROOT
from tests.support.sigstore import SigstoreStandIn, sigstore
from tests.support.versions import facts, make_folder

PUBLISHER = "https://kubernetes.io/namespaces/kubeflow/serviceaccounts/deep-mnist-runner"
ISSUER, OTHER_ISSUER = "https://issuer.example", "https://other-issuer.example"


@pytest.fixture(scope="module")
def authority() -> Iterator[SigstoreStandIn]:
    with sigstore() as started:
        yield started


@pytest.fixture(scope="module")
def config(authority: SigstoreStandIn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sigstore") / "trust_config.json"
    path.write_text(json.dumps(authority.trust_config()))
    return path


def keyless(config: Path, token: str = "", name: str = PUBLISHER, issuer: str = ISSUER) -> Keyless:
    return Keyless.of(token, [name], [issuer], str(config))


def promote(url: Path | str, scratch: Path, content: str, trust: Trust) -> Promotion:
    registry = Registry(str(url), "mnist", trust=trust)
    return registry.promote(make_folder(scratch / content, content), facts(content), expected=registry.champion())


@pytest.fixture
def signed(tmp_path: Path, authority: SigstoreStandIn, config: Path) -> Registry:
    """A registry of two versions that the publisher signed, opened by one who trusts it and requires signatures."""
    for content in "ab":
        trust = Trust.of(required=True, keyless=keyless(config, authority.token(PUBLISHER)))
        promote(tmp_path / "registry", tmp_path, content, trust)
    return Registry(str(tmp_path / "registry"), "mnist", trust=Trust.of(required=True, keyless=keyless(config)))


def options(config: Path, name: str = PUBLISHER, issuer: str = ISSUER) -> list[str]:
    named = ["--certificate-identity", name, "--certificate-oidc-issuer", issuer]
    return [*named, "--trust-config", str(config)]


def refused(registry: Registry, folder: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    """Return the one line that `fetch` says; nothing is written."""
    assert main([registry.store.url, str(folder), *more]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert not folder.exists() or list(folder.iterdir()) == []
    return line


def test_the_commands_sign_by_a_token_and_verify_by_an_identity(
    signed: Registry, authority: SigstoreStandIn, config: Path, tmp_path: Path
) -> None:
    """`rollback` signs its copy by the token of a file, `fetch` verifies it, and so does OpenSSF's own command."""
    (tmp_path / "token").write_text(authority.token(PUBLISHER) + "\n")
    command = [sys.executable, "-m", "pipeline", "rollback", "--store", signed.store.url, *options(config)]
    command += ["--identity-token", str(tmp_path / "token"), "--require-signature"]
    back = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    command = [sys.executable, "-m", "deep_mnist.registry.fetch", signed.store.url, str(tmp_path / "models")]
    done = subprocess.run(
        [*command, *options(config), "--require-signature"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    folder = folder_of(signed, 3)
    command = [sys.executable, "-m", "model_signing", "verify", "sigstore", str(folder), "--identity", PUBLISHER]
    command += ["--identity_provider", ISSUER, "--trust_config", str(config), "--signature", str(folder / "model.sig")]
    theirs = subprocess.run(command, capture_output=True, text=True, check=False)

    assert back.returncode == 0 and "restores=1 version=3" in back.stdout, back.stderr
    assert done.stdout == f"fetch: {tmp_path}/models/3: mnist version 3, signature verified\n", done.stderr
    assert theirs.returncode == 0, theirs.stderr


@pytest.mark.parametrize("name", [PUBLISHER, "somebody@example.com"])
def test_replay_and_origin_take_identities(signed: Registry, config: Path, tmp_path: Path, name: str) -> None:
    """Of who counts `replay` finds no golden requests, in one line, and `origin` draws; of another both refuse."""
    replay = ["deep_mnist.serving.replay", signed.store.url, "http://127.0.0.1:9"]
    origin = ["pipeline", "models", "origin", "--store", signed.store.url, "--html", str(tmp_path / "origin.html")]
    replayed, drawn = (
        subprocess.run(
            [sys.executable, "-m", *each, *options(config, name)], capture_output=True, text=True, cwd=ROOT, check=False
        )
        for each in (replay, origin)
    )
    refusal = f"Expected version 2 of mnist with a signature by {name}"
    said = ("Expected golden_requests.npz", "a trusted key or identity") if name == PUBLISHER else (refusal, refusal)

    assert replayed.returncode == 2 and said[0] in replayed.stderr and replayed.stderr.count("\n") == 1
    assert drawn.returncode == (name != PUBLISHER) and said[1] in drawn.stdout, drawn.stderr


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_attack_of_who_can_write_but_not_sign_gets_through(
    signed: Registry, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], attack: str
) -> None:
    """The same as by keys."""
    act, told = ATTACKS[attack]
    act(signed, 2)

    assert told in refused(signed, tmp_path / "models", capsys, *options(config), "--require-signature")


def without_log_entry(bundle: dict, _earlier: dict) -> None:
    bundle["verificationMaterial"]["tlogEntries"] = []


def with_another_entry(bundle: dict, earlier: dict) -> None:
    bundle["verificationMaterial"]["tlogEntries"] = earlier["verificationMaterial"]["tlogEntries"]


def with_another_certificate(bundle: dict, earlier: dict) -> None:
    bundle["verificationMaterial"]["certificate"] = earlier["verificationMaterial"]["certificate"]


def at_another_time(bundle: dict, _earlier: dict) -> None:
    entry = bundle["verificationMaterial"]["tlogEntries"][0]
    entry["integratedTime"] = str(int(entry["integratedTime"]) + 1)


def without_the_proof(bundle: dict, _earlier: dict) -> None:
    bundle["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]["hashes"] = []


@pytest.mark.parametrize(
    ("forge", "told"),
    [
        (without_log_entry, "expected exactly one log entry"),
        (with_another_entry, "log entry payload hash does not match bundle"),
        (with_another_certificate, "DSSE: invalid signature"),
        (at_another_time, "SET: invalid inclusion promise"),
        (without_the_proof, "inclusion proof has wrong size"),
    ],
)
def test_a_bundle_without_its_own_log_entry_is_refused(
    signed: Registry,
    config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    forge: Callable[[dict, dict], None],
    told: str,
) -> None:
    """A signature that the log has not seen, or has seen of another version or at another time, has no time at all."""
    path = folder_of(signed, 2) / "model.sig"
    bundle, earlier = json.loads(path.read_text()), json.loads((folder_of(signed, 1) / "model.sig").read_text())
    forge(bundle, earlier)
    path.write_text(json.dumps(bundle))

    assert told in refused(signed, tmp_path / "models", capsys, *options(config))


def test_another_signer_is_refused(
    signed: Registry, authority: SigstoreStandIn, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another identity, the same one of another issuer, and all the same of another authority; who counts is named."""
    with sigstore() as stranger:
        forged = tmp_path / "stranger.json"
        forged.write_text(json.dumps(stranger.trust_config()))
        trust = Trust.of(keyless=keyless(forged, stranger.token(PUBLISHER)))
        promote(tmp_path / "strange", tmp_path, "c", trust)
    strange = Registry(str(tmp_path / "strange"), "mnist")
    name = refused(signed, tmp_path / "models", capsys, *options(config, "somebody@example.com"))
    issuer = refused(signed, tmp_path / "models", capsys, *options(config, issuer=OTHER_ISSUER))
    certificate = refused(strange, tmp_path / "models", capsys, *options(config))
    token = authority.token("somebody@example.com")

    assert "a signature by somebody@example.com of https://issuer.example" in name and PUBLISHER in name
    assert f"got '{ISSUER}', expected '{OTHER_ISSUER}'" in issuer
    assert "candidates exhausted" in certificate
    with pytest.raises(SignatureError, match=f"Expected version 3 of mnist with a signature by {PUBLISHER}"):
        promote(signed.store.url, tmp_path, "d", Trust.of(keyless=keyless(config, token)))
    champion = signed.champion()
    assert champion is not None and champion.version == 2


def test_a_registry_moves_from_keys_to_identities(
    authority: SigstoreStandIn, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """While both count, versions of either are loaded, and the token signs; then the key is taken away."""
    keys = make_keys(tmp_path)
    both = Trust.of(
        str(keys.private), [str(keys.public)], required=True, keyless=keyless(config, authority.token(PUBLISHER))
    )
    promote(tmp_path / "registry", tmp_path, "a", keys.trust())
    registry = Registry(str(tmp_path / "registry"), "mnist", trust=both)
    promote(tmp_path / "registry", tmp_path, "b", both)
    for promotion in registry.log():
        registry.files.download(promotion, tmp_path / f"down-{promotion.version}")
    trusted = ["--trusted-key", str(keys.public)]

    assert main([registry.store.url, str(tmp_path / "now"), *options(config), "--require-signature"]) == 0
    assert "1 trusted keys. Received: a keyless" in refused(registry, tmp_path / "models", capsys, *trusted)


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({"exp": 1}, "Signature has expired"),
        ({"aud": "somebody"}, "Audience doesn't match"),
        ({"iss": OTHER_ISSUER}, "Signature verification failed"),
    ],
)
def test_a_token_that_is_refused_is_told_in_one_line(
    signed: Registry, authority: SigstoreStandIn, config: Path, claims: dict[str, object], told: str
) -> None:
    """Exit status 1; nothing is promoted."""
    said = {**jwt.decode(authority.token(PUBLISHER), options={"verify_signature": False}), **claims}
    token = jwt.encode(said, authority.issuers[ISSUER], algorithm="ES256")
    back = CliRunner().invoke(rollback, ["--store", signed.store.url, "--identity-token", token, *options(config)])

    assert back.exit_code == 1 and told in back.output, back.output
    assert len(back.output.splitlines()) == 1
    assert [each.number for each in signed.versions()] == [1, 2]


def test_services_that_do_not_answer_are_told_in_one_line(
    signed: Registry, authority: SigstoreStandIn, config: Path, tmp_path: Path
) -> None:
    """The log refuses an entry; nobody listens; neither leaves a version behind."""
    closed = tmp_path / "closed.json"
    closed.write_text(config.read_text().replace(authority.url, "http://127.0.0.1:9"))
    lines = []
    for path in (config, closed):
        authority.refuses_entries = path == config
        arguments = ["--store", signed.store.url, "--identity-token", authority.token(PUBLISHER), *options(path)]
        lines += CliRunner().invoke(rollback, arguments).output.splitlines()
    authority.refuses_entries = False

    assert len(lines) == 2 and "the log is full" in lines[0] and "127.0.0.1" in lines[1], lines
    assert [each.number for each in signed.versions()] == [1, 2]


def test_services_that_stay_silent_keep_nobody_waiting(
    signed: Registry, authority: SigstoreStandIn, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that takes the request and never answers ends in one line, and nothing is promoted."""
    monkeypatch.setattr("deep_mnist.registry.keyless.SIGNING_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        path = tmp_path / "silent.json"
        path.write_text(config.read_text().replace(authority.url, f"http://127.0.0.1:{silent.getsockname()[1]}"))
        arguments = ["--store", signed.store.url, "--identity-token", authority.token(PUBLISHER), *options(path)]
        ended = CliRunner().invoke(rollback, arguments)

    assert ended.exit_code == 1 and "Received: No answer in 0.5 seconds. Fix: " in ended.output
    assert [each.number for each in signed.versions()] == [1, 2]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--certificate-identity", PUBLISHER], "Received: 1 and 0"),
        (["--identity-token", "ambient"], "Received: no identity"),
        (["--trust-config", "missing.json"], "Received: No such file or directory"),
        (["--trust-config", "{}"], "Received: none of mediaType, trustedRoot, signingConfig"),
        ([*options(Path("{}")), "--identity-token", "missing"], "Expected Sigstore's ClientTrustConfig"),
        (["--identity-token", "missing", *options(Path("config"))], "token to sign with in missing. Received: No such"),
    ],
)
def test_options_that_cannot_be_used_are_told_in_one_line(
    signed: Registry, config: Path, given: list[str], told: str
) -> None:
    """Before anything is promoted, with the option that fixes it."""
    given = [str(config) if each == "config" else each for each in given]
    back = CliRunner().invoke(rollback, ["--store", signed.store.url, *given])

    assert back.exit_code == 1 and told in back.output, back.output
    assert len(back.output.splitlines()) == 1
    assert [each.number for each in signed.versions()] == [1, 2]


def test_a_container_is_given_all_as_text(authority: SigstoreStandIn, config: Path, tmp_path: Path) -> None:
    """Variables that hold paths here hold their contents there: a renewed token, identities, the trust root."""
    path = tmp_path / "token"
    path.write_text(authority.token(PUBLISHER))
    named = Keyless.of(str(path), [PUBLISHER, "me@example.com"], [ISSUER], str(config))
    path.write_text(authority.token("renewed@example.com"))
    variables = Trust.of(required=True, keyless=named).variables()
    command = [sys.executable, "-c", "from deep_mnist.registry.signing import Trust; print(Trust.from_environment())"]
    environment = {**os.environ, **variables}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=True)

    assert variables["DEEP_MNIST_IDENTITY_TOKEN"] == path.read_text()
    assert "name='me@example.com', issuer='https://issuer.example'" in done.stdout and "required=True" in done.stdout
    assert variables["DEEP_MNIST_IDENTITY_TOKEN"] not in done.stdout


@pytest.mark.parametrize("command", [["deep_mnist.serving"], ["deep_mnist.serving.replay", "http://127.0.0.1:9"]])
def test_no_version_of_an_identity_goes_without_the_package(
    signed: Registry, config: Path, tmp_path: Path, command: list[str]
) -> None:
    """Where model_signing cannot be imported, the commands that are to load it say so before they read anything."""
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "model_signing.py").write_text("raise ModuleNotFoundError('No module named that')\n")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path / 'without'}{os.pathsep}{ROOT}"}
    module, *more = command
    command = [sys.executable, "-m", module, signed.store.url, *more, *options(config)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)

    assert done.returncode == 2 and "Fix: make .venv/signing" in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 1
