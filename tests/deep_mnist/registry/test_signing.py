"""Signed versions: nothing that was not signed, or is not what was signed, leaves the registry."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from deep_mnist.registry.fetch import main
from deep_mnist.registry.pointer import Promotion
from deep_mnist.registry.registry import Registry
from deep_mnist.registry.signature import SignatureError
from deep_mnist.registry.signing import KEY, TRUSTED, Trust
from pipeline.models import rollback
from tests.support.attacks import ATTACKS, folder_of, point_at
from tests.support.keys import KeyPair, make_keys
from tests.support.runs import ROOT
from tests.support.versions import facts, make_folder


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    """The key that takes the first one's place."""
    return make_keys(tmp_path_factory.mktemp("keys"), "later")


def promote(url: Path | str, scratch: Path, content: str, trust: Trust, name: str = "mnist") -> Promotion:
    registry = Registry(str(url), name, trust=trust)
    folder = make_folder(scratch / f"{name}-{content}", content)
    return registry.promote(folder, facts(content), expected=registry.champion())


@pytest.fixture
def signed(tmp_path: Path, keys: KeyPair) -> Registry:
    """A registry of two signed versions, opened by one who trusts the key and requires signatures."""
    for content in "ab":
        promote(tmp_path / "registry", tmp_path, content, keys.trust())
    return Registry(str(tmp_path / "registry"), "mnist", trust=keys.verifier())


def fetched(registry: Registry, keys: KeyPair, folder: Path, *more: str) -> int:
    return main([registry.store.url, str(folder), "--trusted-key", str(keys.public), *more])


def test_the_command_writes_a_verified_version(signed: Registry, keys: KeyPair, tmp_path: Path) -> None:
    """`python -m deep_mnist.registry.fetch` writes the champion under its number, and takes the earlier one away."""
    (tmp_path / "models" / "1").mkdir(parents=True)
    command = [sys.executable, "-m", "deep_mnist.registry.fetch", signed.store.url, str(tmp_path / "models")]
    command += ["--trusted-key", str(keys.public), "--require-signature"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout == f"fetch: {tmp_path}/models/2: mnist version 2, signature verified\n"
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["2"]
    assert (tmp_path / "models/2/variables/data").read_text() == "weights b"


def test_the_package_itself_verifies_what_we_sign(signed: Registry, keys: KeyPair) -> None:
    """OpenSSF's own command finds the signature good, and one more file in the folder a fault."""
    folder = folder_of(signed, 2)
    command = [sys.executable, "-m", "model_signing", "verify", "key", str(folder)]
    command += ["--signature", str(folder / "model.sig"), "--public_key", str(keys.public)]

    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    (folder / "more").touch()
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_attack_of_who_can_write_but_not_sign_gets_through(
    signed: Registry, keys: KeyPair, tmp_path: Path, capsys: pytest.CaptureFixture[str], attack: str
) -> None:
    """One line, exit status 2, nothing written."""
    act, told = ATTACKS[attack]
    act(signed, 2)

    assert fetched(signed, keys, tmp_path / "models", "--require-signature") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
    assert list((tmp_path / "models").iterdir()) == []
    assert not (tmp_path / "escaped").exists()


def test_a_version_of_another_model_is_refused(
    signed: Registry, keys: KeyPair, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder of a signed version of clothes, under the number of a version of digits."""
    promote(signed.store.url, tmp_path, "c", keys.trust(), name="clothes")
    shutil.copytree(folder_of(signed, 2).parents[1] / "clothes" / "1", folder_of(signed, 3))
    point_at(signed, 3)

    assert fetched(signed, keys, tmp_path / "models") == 2
    assert "Received: a signed copy of version 1 of clothes" in capsys.readouterr().err


def test_a_wrong_signature_is_refused_where_none_is_required(
    signed: Registry, later: KeyPair, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever names a key gets no version that another key signed; without keys, nothing is verified, as ever."""
    assert fetched(signed, later, tmp_path / "models") == 2
    assert "Expected version 2 of mnist with a signature by one of 1 trusted keys" in capsys.readouterr().err
    assert main([signed.store.url, str(tmp_path / "models")]) == 0


def test_keys_are_rotated_by_trusting_both(keys: KeyPair, later: KeyPair, tmp_path: Path) -> None:
    """While a folder of both keys is trusted, versions of either are; then a rollback is a copy by the new one."""
    both = tmp_path / "trusted"
    both.mkdir()
    for pair in (keys, later):
        shutil.copy(pair.public, both)
    promote(tmp_path / "registry", tmp_path, "a", keys.trust())
    promote(tmp_path / "registry", tmp_path, "b", later.trust(keys))
    arguments = ["--store", str(tmp_path / "registry"), "--sign-key", str(later.private), "--trusted-key", str(both)]
    back = CliRunner().invoke(rollback, arguments)
    registry = Registry(str(tmp_path / "registry"), "mnist", trust=later.verifier())
    champion = registry.champion()

    assert back.exit_code == 0, back.output
    assert champion is not None and (champion.version, champion.restores) == (3, 1)
    registry.files.download(champion, tmp_path / "down")
    with pytest.raises(SignatureError, match="Fix: Trust that key or identity too"):
        registry.files.download(registry.log()[0], tmp_path / "first")


def test_a_lost_key_is_not_passed_over(signed: Registry, keys: KeyPair, later: KeyPair, tmp_path: Path) -> None:
    """After a signed version nothing unsigned is promoted, nor what no trusted key signs; nothing is left behind."""
    without = Registry(signed.store.url, "mnist")
    with pytest.raises(SignatureError, match="Expected a key to sign the next version of mnist"):
        promote(signed.store.url, tmp_path, "c", Trust())
    with pytest.raises(SignatureError, match="Expected a key to sign the next version of mnist"):
        without.rollback()
    with pytest.raises(SignatureError, match="Received: another signature"):
        promote(signed.store.url, tmp_path, "d", Trust.of(str(later.private), [str(keys.public)]))

    assert [each.number for each in without.versions()] == [1, 2]


def test_a_rollback_signs_no_copy_of_what_it_cannot_verify(signed: Registry, keys: KeyPair, tmp_path: Path) -> None:
    """A version whose file was changed, or whose signature is gone, does not become a signed one."""
    registry = Registry(signed.store.url, "mnist", trust=keys.trust(required=False))
    (folder_of(signed, 1) / "model.sig").unlink()
    with pytest.raises(SignatureError, match="Expected version 1 of mnist to be signed, as its copy will be"):
        registry.rollback()
    arguments = ["--store", signed.store.url, "--sign-key", str(keys.private), "--vouch-for-unsigned"]
    vouched = CliRunner().invoke(rollback, arguments)

    assert vouched.exit_code == 0, vouched.output
    champion = signed.champion()
    assert champion is not None and champion.restores == 1
    signed.files.download(champion, tmp_path / "down")


def test_keys_come_from_the_environment_as_text_or_path(keys: KeyPair, later: KeyPair, tmp_path: Path) -> None:
    """As a Secret gives them: the private key as text, several public ones in one text."""
    both = keys.public.read_text() + later.public.read_text()
    variables = {**os.environ, KEY: keys.private.read_text(), TRUSTED: both}
    promote(tmp_path / "registry", tmp_path, "a", Trust())
    promote(tmp_path / "registry", tmp_path, "b", later.trust())
    promote(tmp_path / "registry", tmp_path, "c", later.trust())
    command = [sys.executable, "-m", "pipeline", "rollback", "--store", str(tmp_path / "registry"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=variables, check=False)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["promotion"]["restores"] == 2
    assert "PRIVATE" not in repr(Trust.of(keys.private.read_text()))


@pytest.mark.parametrize(
    ("content", "option", "told"),
    [
        (None, "--trusted-key", "No such file or directory"),
        ("no key", "--trusted-key", "Expected public keys in"),
        ("private", "--trusted-key", "Received: a private key"),
        ("folder", "--trusted-key", "Expected public keys, *.pem, in"),
        ("", "--require-signature", "Fix: --trusted-key FILE"),
    ],
)
def test_a_key_that_cannot_be_used_is_told_in_one_line(
    signed: Registry,
    keys: KeyPair,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: str | None,
    option: str,
    told: str,
) -> None:
    """Exit status 2 before anything is read."""
    path = tmp_path / "given.pem"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_text(keys.private.read_text() if content == "private" else content)
    given = [option, str(path)] if option == "--trusted-key" else [option]

    assert main([signed.store.url, str(tmp_path / "models"), *given]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
