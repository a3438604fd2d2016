"""Keys of an elliptic curve, made anew, as openssl writes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deep_mnist.registry.signing import Trust


@dataclass(frozen=True)
class KeyPair:
    """Paths of a private key and its public half, PEM."""

    private: Path
    public: Path

    def trust(self, *more: KeyPair, required: bool = True) -> Trust:
        """Sign with this key, and trust it and more."""
        return Trust.of(str(self.private), [str(each.public) for each in (self, *more)], required)

    def verifier(self, *more: KeyPair, required: bool = True) -> Trust:
        """Sign with none, and trust this key and more."""
        return Trust.of("", [str(each.public) for each in (self, *more)], required)


def make_keys(folder: Path, name: str = "key") -> KeyPair:
    """Write NAME.pem and NAME.pub.pem."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    folder.mkdir(parents=True, exist_ok=True)
    private = ec.generate_private_key(ec.SECP256R1())
    pair = KeyPair(folder / f"{name}.pem", folder / f"{name}.pub.pem")
    pair.private.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    pair.public.write_bytes(
        private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return pair
