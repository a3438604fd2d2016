"""Keys that sign versions and verify them: PEM files, folders of them, or their text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deep_mnist.registry.signature import SignatureError, package, text_as_file

_PEM, _END = "-----BEGIN ", "-----END PUBLIC KEY-----"


@contextmanager
def as_file(key: str) -> Iterator[Path]:
    """Yield a path of the key: its own, or that of a private file for a text."""
    if _PEM not in key:
        yield Path(key)
        return
    with text_as_file(key.strip() + "\n", ".pem") as path:
        yield path


def text_of(key: str, what: str) -> str:
    """Return a key's PEM text, given as that or as a path."""
    try:
        return key if _PEM in key else Path(key).read_text()
    except (OSError, ValueError) as error:
        raise SignatureError(
            f"Expected {what} at {key}. Received: {getattr(error, 'strerror', None) or error}. Fix: docs/signing.md"
        ) from None


def public_key_of(key: str) -> str:
    """Return the public half of a private key, which must be one that the library can sign with."""
    text = text_of(key, "a private key")
    try:
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

        private = load_pem_private_key(text.encode(), None)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise ValueError("a key of another kind")
    except ImportError:
        return str(package())  # says what is missing
    except (ValueError, TypeError) as error:
        where = "the given text" if _PEM in key else key
        raise SignatureError(
            f"Expected an elliptic curve private key without a password in {where}. Received: {error}. "
            "Fix: openssl ecparam -name prime256v1 -genkey -noout -out key.pem"
        ) from None
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def public_keys(source: str, *, or_none: bool = False) -> list[str]:
    """Return the public keys of a PEM file or text of one or several, or of a folder of them, `or_none` in that."""
    if _PEM not in source and Path(source).is_dir():
        found = [text for path in sorted(Path(source).glob("*.pem")) for text in public_keys(str(path))]
        if not (found or or_none):
            raise SignatureError(f"Expected public keys, *.pem, in {source}. Received: none. Fix: Put them there.")
        return found
    text = text_of(source, "public keys")
    keys = [part[part.index(_PEM) :] + _END + "\n" for part in text.split(_END)[:-1] if _PEM in part]
    if not keys or "PRIVATE KEY" in text:
        where = "the given text" if _PEM in source else source
        raise SignatureError(
            f"Expected public keys in {where}. Received: {'a private key' if 'PRIVATE KEY' in text else 'none'}. "
            "Fix: openssl ec -in key.pem -pubout -out key.pub.pem"
        )
    return keys
