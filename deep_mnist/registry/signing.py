"""Versions signed with a key, and verified before anything of them is loaded: OpenSSF's model signing, by its library.

    <registry>/<name>/4/model.sig    a Sigstore bundle: an in-toto statement with the SHA-256 of every file beside it

The folder is signed as it lies, whatever is in it. One of its files is version.json with the model's name and the
version's number, so that a signed folder is no other version and no other model. `python -m model_signing verify key`
says of a version's folder what is said here. docs/signing.md lists the attacks.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deep_mnist.registry.pointer import RegistryError

SIGNATURE_FILE = "model.sig"
VERSION_FILE = "version.json"
# What steps of the pipeline are given, where commands have options.
KEY, TRUSTED, REQUIRED = "DEEP_MNIST_SIGNING_KEY", "DEEP_MNIST_TRUSTED_KEYS", "DEEP_MNIST_REQUIRE_SIGNATURE"
_PEM, _END = "-----BEGIN ", "-----END PUBLIC KEY-----"


class SignatureError(RegistryError):
    """A version that is not signed by whom it must be, or is not what was signed; a key that cannot be used."""

    fix = "see docs/signing.md"


@dataclass(frozen=True)
class Trust:
    """Who signs versions, and whose signatures count.

    Attributes:
        key: Private key that signs new versions: a PEM file's path or the PEM text itself; "" signs nothing.
        trusted: Public keys as PEM text; a signature by any of them counts. Where only a signing key is given, its own.
        required: A version without a signature is refused. One with a wrong signature is refused wherever keys are.
    """

    key: str = field(default="", repr=False)
    trusted: tuple[str, ...] = ()
    required: bool = False

    @classmethod
    def of(cls, key: str = "", trusted: Iterable[str] = (), required: bool = False) -> Trust:
        """Return the trust that paths, folders and texts describe, each key tried.

        Args:
            key: As of the class.
            trusted: PEM files, folders of *.pem and PEM texts of one or several keys.
            required: As of the class.

        Raises:
            SignatureError: A key is not there or is none, or a signature is required and there is no key to verify by.
        """
        texts = [text for each in trusted for text in _public_keys(each)]
        if key:
            own = _public_key_of(key)
            texts = texts or [own]
        if required and not texts:
            raise SignatureError(
                "Expected public keys by which signatures are verified. Received: none. "
                f"Fix: --trusted-key FILE, or {TRUSTED}"
            )
        return cls(key, tuple(dict.fromkeys(texts)), required)

    @classmethod
    def from_environment(cls, key: str = "", trusted: Iterable[str] = (), required: bool = False) -> Trust:
        """Return the trust of a command's options; KEY, TRUSTED and REQUIRED stand in for those not given.

        Raises:
            SignatureError: As of `of`.
        """
        named = list(trusted) or [each for each in [os.environ.get(TRUSTED, "").strip()] if each]
        required = required or os.environ.get(REQUIRED, "") not in ("", "0")
        return cls.of(key or os.environ.get(KEY, "").strip(), named, required)

    def variables(self) -> dict[str, str]:
        """Return what `from_environment` reads this trust from where no file of it is, as in a container."""
        texts = {TRUSTED: "".join(self.trusted), REQUIRED: "1" if self.required else ""}
        if self.key:
            texts[KEY] = _text_of(self.key, "a private key")
        return {name: text for name, text in texts.items() if text}

    def require_package(self) -> None:
        """Find out before anything is signed or verified that this needs a package which is not there.

        Raises:
            SignatureError: There is a key, and the package model-signing is missing.
        """
        if self.key or self.trusted:
            _package()

    def sign(self, folder: Path) -> None:
        """Write FOLDER/model.sig over all other files of the folder; without a key, take an earlier one away.

        Raises:
            SignatureError: The package model-signing is missing.
        """
        signature = folder / SIGNATURE_FILE
        signature.unlink(missing_ok=True)
        if not self.key:
            return
        signing = _package().signing
        with _as_file(self.key) as key:
            config = signing.Config().set_hashing_config(_hashing()).use_elliptic_key_signer(private_key=key)
            config.sign(folder, signature)

    def verify(self, folder: Path, name: str, version: int) -> None:
        """Return if the folder is the signed version, or none of ours to judge: no key, or no signature and none due.

        Args:
            folder: All files of the version, model.sig too, and nothing else.
            name: Of the model that it must be a version of.
            version: Its number.

        Raises:
            SignatureError: It must not be loaded.
        """
        if not self.trusted:
            return
        what = f"version {version} of {name}"
        if not (folder / SIGNATURE_FILE).is_file():
            if self.required:
                raise SignatureError(
                    f"Expected {what} to be signed. Received: no {SIGNATURE_FILE}. "
                    "Fix: Publish it with a key, or roll back to a signed version."
                )
            return
        self._verify_signature(folder, what)
        listing = json.loads((folder / VERSION_FILE).read_bytes())
        signed = f"version {listing.get('version')} of {listing.get('name')}"
        if signed != what:
            raise SignatureError(f"Expected {what}. Received: a signed copy of {signed}. Fix: {_FIX}")

    def _verify_signature(self, folder: Path, what: str) -> None:
        verifying, mismatch = _package().verifying, ""
        for text in self.trusted:
            with _as_file(text) as key:
                config = verifying.Config().set_hashing_config(_hashing()).use_elliptic_key_verifier(public_key=key)
                try:
                    config.verify(folder, folder / SIGNATURE_FILE)
                    return
                except Exception as error:  # a forged bundle can make the library raise anything
                    said = str(error)
                    mismatch = _difference(said) if said.startswith("Signature mismatch") else mismatch
        if mismatch:
            raise SignatureError(f"Expected {what} as it was signed. Received: {mismatch}. Fix: {_FIX}")
        raise SignatureError(
            f"Expected {what} with a signature by one of {len(self.trusted)} trusted keys. Received: another "
            "signature. Fix: Trust that key too, or roll back to a version that a trusted key signed."
        )


def add_trust_options(parser: argparse.ArgumentParser) -> None:
    """Give a command that loads versions its two options."""
    parser.add_argument(
        "--trusted-key",
        action="append",
        default=[],
        metavar="FILE",
        help=f"public keys whose signatures count, a PEM file or a folder of them; repeatable (default: ${TRUSTED})",
    )
    parser.add_argument(
        "--require-signature", action="store_true", help=f"load no version without a signature (default: ${REQUIRED})"
    )


def trust_of(options: argparse.Namespace) -> Trust:
    """Return what the options of `add_trust_options` say."""
    return Trust.from_environment(trusted=options.trusted_key, required=options.require_signature)


NO_TRUST = Trust()
_FIX = "Restore the version's files, or roll back to another version."


def _difference(said: str) -> str:
    """Return which files differ, without the digests that the library prints as raw bytes."""
    found = re.findall(r"Hash mismatch for '[^']+'|(?:Extra|Missing) files [^\"]+", said.replace("\\'", "'"))
    return "; ".join(found)[:400] or "another content"


def _hashing() -> Any:
    config = _package().hashing.Config()
    config.use_file_serialization(hashing_algorithm="sha256", allow_symlinks=False)
    return config.set_ignored_paths(paths=[SIGNATURE_FILE], ignore_git_paths=False)


def _package() -> Any:
    try:
        import model_signing
        import model_signing.hashing
        import model_signing.signing
        import model_signing.verifying
    except ImportError as error:
        raise SignatureError(
            f"Expected the package model-signing, as a key is configured. Received: {error}. "
            "Fix: make .venv/signing, or pip install 'deep-mnist[signing]'"
        ) from None
    return model_signing


@contextmanager
def _as_file(key: str) -> Iterator[Path]:
    """Yield a path of the key: its own, or that of a private file for a text."""
    if _PEM not in key:
        yield Path(key)
        return
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as stream:  # readable by its owner alone
        stream.write(key.strip() + "\n")
        stream.flush()
        yield Path(stream.name)


def _text_of(key: str, what: str) -> str:
    try:
        return key if _PEM in key else Path(key).read_text()
    except (OSError, ValueError) as error:
        raise SignatureError(
            f"Expected {what} at {key}. Received: {getattr(error, 'strerror', None) or error}. Fix: docs/signing.md"
        ) from None


def _public_key_of(key: str) -> str:
    """Return the public half of a private key, which must be one that the library can sign with."""
    text = _text_of(key, "a private key")
    try:
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

        private = load_pem_private_key(text.encode(), None)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise ValueError("a key of another kind")
    except ImportError:
        return str(_package())  # says what is missing
    except (ValueError, TypeError) as error:
        where = "the given text" if _PEM in key else key
        raise SignatureError(
            f"Expected an elliptic curve private key without a password in {where}. Received: {error}. "
            "Fix: openssl ecparam -name prime256v1 -genkey -noout -out key.pem"
        ) from None
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _public_keys(source: str) -> list[str]:
    """Return the public keys of a PEM file or text of one or several, or of a folder of them."""
    if _PEM not in source and Path(source).is_dir():
        found = [text for path in sorted(Path(source).glob("*.pem")) for text in _public_keys(str(path))]
        if not found:
            raise SignatureError(f"Expected public keys, *.pem, in {source}. Received: none. Fix: Put them there.")
        return found
    text = _text_of(source, "public keys")
    keys = [part[part.index(_PEM) :] + _END + "\n" for part in text.split(_END)[:-1] if _PEM in part]
    if not keys or "PRIVATE KEY" in text:
        where = "the given text" if _PEM in source else source
        raise SignatureError(
            f"Expected public keys in {where}. Received: {'a private key' if 'PRIVATE KEY' in text else 'none'}. "
            "Fix: openssl ec -in key.pem -pubout -out key.pub.pem"
        )
    return keys
