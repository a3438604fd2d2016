"""Versions signed, and verified before anything of them is loaded: OpenSSF's model signing, by its library.

By a key (signing_keys.py) or by an identity (keyless.py); signatures of both may count at once.

    <registry>/<name>/4/model.sig    a Sigstore bundle: an in-toto statement with the SHA-256 of every file beside it

The folder is signed as it lies, whatever is in it. One of its files is version.json with the model's name and the
version's number, so that a signed folder is no other version and no other model. `python -m model_signing verify` says
of a version's folder what is said here. docs/signing.md lists the attacks.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deep_mnist.registry.identity_token import identity_token
from deep_mnist.registry.keyless import IDENTITY, ISSUER, TRUST_CONFIG, Keyless, is_keyless
from deep_mnist.registry.signature import SIGNATURE_FILE, SignatureError, hashing_config, package
from deep_mnist.registry.signing_keys import as_file, public_key_of, public_keys, text_of

VERSION_FILE = "version.json"
# What steps of the pipeline are given, where commands have options.
KEY, TRUSTED, REQUIRED = "DEEP_MNIST_SIGNING_KEY", "DEEP_MNIST_TRUSTED_KEYS", "DEEP_MNIST_REQUIRE_SIGNATURE"
NOT_KEYLESS = Keyless()


@dataclass(frozen=True)
class Trust:
    """Who signs versions, and whose signatures count.

    Attributes:
        key: Private key that signs new versions: a PEM file's path or the PEM text itself; "" signs nothing.
        trusted: Public keys as PEM text; a signature by any of them counts. Where only a signing key is given, its own.
        required: A version without a signature is refused. One with a wrong signature is refused wherever keys are, or
            identities.
        keyless: Who signs by an identity, and whose identities count beside the keys; its token signs before the key.
    """

    key: str = field(default="", repr=False)
    trusted: tuple[str, ...] = ()
    required: bool = False
    keyless: Keyless = NOT_KEYLESS

    @classmethod
    def of(
        cls, key: str = "", trusted: Iterable[str] = (), required: bool = False, keyless: Keyless = NOT_KEYLESS
    ) -> Trust:
        """Return the trust that paths, folders and texts describe, each key tried.

        Args:
            key: As of the class.
            trusted: PEM files, folders of *.pem and PEM texts of one or several keys.
            required: As of the class.
            keyless: As of the class.

        Raises:
            SignatureError: A key is not there or is none, or a signature is required and there is no key to verify by.
        """
        # An empty folder, as an optional ConfigMap's, will do where identities count.
        texts = [text for each in trusted for text in public_keys(each, or_none=bool(keyless.identities))]
        if key:
            own = public_key_of(key)
            texts = texts or [own]
        if required and not (texts or keyless.identities):
            raise SignatureError(
                "Expected public keys or identities by which signatures are verified. Received: none. "
                f"Fix: --trusted-key FILE, or {TRUSTED}; --certificate-identity NAME, or {IDENTITY}"
            )
        return cls(key, tuple(dict.fromkeys(texts)), required, keyless)

    @classmethod
    def from_environment(
        cls, key: str = "", trusted: Iterable[str] = (), required: bool = False, keyless: Keyless | None = None
    ) -> Trust:
        """Return the trust of a command's options; KEY, TRUSTED, REQUIRED and Keyless' stand in for those not given.

        Raises:
            SignatureError: As of `of`.
        """
        named = list(trusted) or [each for each in [os.environ.get(TRUSTED, "").strip()] if each]
        required = required or os.environ.get(REQUIRED, "") not in ("", "0")
        return cls.of(key or os.environ.get(KEY, "").strip(), named, required, keyless or Keyless.of())

    @property
    def signs(self) -> bool:
        """Whether new versions are signed."""
        return bool(self.key or self.keyless.token)

    @property
    def verifies(self) -> bool:
        """Whether a version's signature is looked at."""
        return bool(self.trusted or self.keyless.identities)

    def variables(self, *, signing: bool = True) -> dict[str, str]:
        """Return what `from_environment` reads this trust from where no file of it is, as in a container.

        Args:
            signing: With what signs: the private key, and a token of now.

        Raises:
            SignatureError: One of these cannot be had.
        """
        texts = {TRUSTED: "".join(self.trusted), REQUIRED: "1" if self.required else ""}
        if signing and self.key:
            texts[KEY] = text_of(self.key, "a private key")
        return {name: text for name, text in {**texts, **self.keyless.variables(signing=signing)}.items() if text}

    def require_package(self) -> None:
        """Find out before anything is signed or verified that this needs a package which is not there.

        Raises:
            SignatureError: There is a key or an identity, and the package model-signing is missing.
        """
        if self.signs or self.verifies:
            package()

    def require_token(self) -> None:
        """Find out before a training that its version cannot be signed: no token is where it is looked for.

        Raises:
            SignatureError: So it is.
        """
        if self.keyless.token:
            identity_token(self.keyless.token)

    def sign(self, folder: Path) -> None:
        """Write FOLDER/model.sig over all other files of the folder; without key and token, take an earlier one away.

        Raises:
            SignatureError: The package model-signing is missing, or no certificate is had for the token.
        """
        signature = folder / SIGNATURE_FILE
        signature.unlink(missing_ok=True)
        if self.keyless.token:
            self.keyless.sign(folder, signature)
        elif self.key:
            signing = package().signing
            with as_file(self.key) as key:
                config = signing.Config().set_hashing_config(hashing_config()).use_elliptic_key_signer(private_key=key)
                config.sign(folder, signature)

    def verify(self, folder: Path, name: str, version: int) -> None:
        """Return if the folder is the signed version, or not ours to judge: nobody trusted, or unsigned and none due.

        Args:
            folder: All files of the version, model.sig too, and nothing else.
            name: Of the model that it must be a version of.
            version: Its number.

        Raises:
            SignatureError: It must not be loaded.
        """
        if not self.verifies:
            return
        what = f"version {version} of {name}"
        if not (folder / SIGNATURE_FILE).is_file():
            if self.required:
                raise SignatureError(
                    f"Expected {what} to be signed. Received: no {SIGNATURE_FILE}. "
                    "Fix: Publish it with a key or a token, or roll back to a signed version."
                )
            return
        self._verify_signature(folder, what)
        listing = json.loads((folder / VERSION_FILE).read_bytes())
        signed = f"version {listing.get('version')} of {listing.get('name')}"
        if signed != what:
            raise SignatureError(f"Expected {what}. Received: a signed copy of {signed}. Fix: {_FIX}")

    def _verify_signature(self, folder: Path, what: str) -> None:
        signature, mismatch, reasons = folder / SIGNATURE_FILE, "", []
        keyless = is_keyless(signature)
        with self._verifiers(keyless) as configs:
            for config in configs:
                try:
                    config.verify(folder, signature)
                    return
                except Exception as error:  # a forged bundle can make the library raise anything
                    said = str(error)
                    mismatch = _difference(said) if said.startswith("Signature mismatch") else mismatch
                    reasons.append(said)
        if mismatch:
            raise SignatureError(f"Expected {what} as it was signed. Received: {mismatch}. Fix: {_FIX}")
        if keyless and reasons:
            received, wanted = "; ".join(dict.fromkeys(map(_one_line, reasons))), map(str, self.keyless.identities)
            expected = " or ".join(wanted)
        else:
            received = f"{'a keyless' if keyless else 'another'} signature"
            expected = " or ".join(self._trusted())
        raise SignatureError(
            f"Expected {what} with a signature by {expected}. Received: {received}. "
            "Fix: Trust that key or identity too, or roll back to a version that a trusted one signed."
        )

    def _trusted(self) -> Iterator[str]:
        if self.trusted:
            yield f"one of {len(self.trusted)} trusted keys"
        yield from map(str, self.keyless.identities)

    @contextmanager
    def _verifiers(self, keyless: bool) -> Iterator[list[Any]]:
        """Yield what may verify a signature by an identity, or one by a key."""
        with ExitStack() as opened:
            if keyless:
                yield opened.enter_context(self.keyless.verifiers())
                return
            verifying = package().verifying
            keys = [opened.enter_context(as_file(text)) for text in self.trusted]
            yield [
                verifying.Config().set_hashing_config(hashing_config()).use_elliptic_key_verifier(public_key=key)
                for key in keys
            ]


def add_trust_options(parser: argparse.ArgumentParser) -> None:
    """Give a command that loads versions its options."""
    for flag, (metavar, text) in TRUST_OPTIONS.items():
        parser.add_argument(flag, action="append", default=[], metavar=metavar, help=text)
    parser.add_argument("--trust-config", default="", metavar="FILE", help=TRUST_CONFIG_HELP)
    parser.add_argument(
        "--require-signature", action="store_true", help=f"load no version without a signature (default: ${REQUIRED})"
    )


def trust_of(options: argparse.Namespace) -> Trust:
    """Return what the options of `add_trust_options` say."""
    keyless = Keyless.of("", options.certificate_identity, options.certificate_oidc_issuer, options.trust_config)
    return Trust.from_environment(trusted=options.trusted_key, required=options.require_signature, keyless=keyless)


# Repeatable options of commands that load versions, with what they are and say.
TRUST_OPTIONS = {
    "--trusted-key": (
        "FILE",
        f"public keys whose signatures count, a PEM file or a folder of them; repeatable (default: ${TRUSTED})",
    ),
    "--certificate-identity": (
        "NAME",
        f"identity whose keyless signatures count, an e-mail address or a URI; repeatable (default: ${IDENTITY})",
    ),
    "--certificate-oidc-issuer": (
        "URL",
        f"issuer that vouches for it: one for each identity, or one for all (default: ${ISSUER})",
    ),
}
TRUST_CONFIG_HELP = (
    f"Sigstore of one's own, its ClientTrustConfig as JSON (default: ${TRUST_CONFIG}, else the public one)"
)
NO_TRUST = Trust()
_FIX = "Restore the version's files, or roll back to another version."


def _difference(said: str) -> str:
    """Return which files differ, without the digests that the library prints as raw bytes."""
    found = re.findall(r"Hash mismatch for '[^']+'|(?:Extra|Missing) files [^\"]+", said.replace("\\'", "'"))
    return "; ".join(found)[:400] or "another content"


def _one_line(said: str) -> str:
    return " ".join(said.split())[:300] or "an unreadable signature"
