"""Versions signed without a key of one's own: Sigstore's certificates for identities, by model_signing and sigstore.

Who signs shows an OIDC token to Fulcio, which certifies a key that lives for minutes, and Rekor logs the signature with
its time. Who verifies names the identity and the issuer of the token, and trusts Sigstore's public root or one's own.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deep_mnist.registry.identity_token import identity_token
from deep_mnist.registry.signature import SignatureError, hashing_config, package, text_as_file

# What steps of the pipeline are given, where commands have options.
IDENTITY_TOKEN, TRUST_CONFIG = "DEEP_MNIST_IDENTITY_TOKEN", "DEEP_MNIST_TRUST_CONFIG"
IDENTITY, ISSUER = "DEEP_MNIST_CERTIFICATE_IDENTITY", "DEEP_MNIST_CERTIFICATE_OIDC_ISSUER"
SIGNING_SECONDS = 300  # after which services that are silent fail the signing: sigstore's clients would wait for ever
_ROOT_FIX = "Name your own by --trust-config FILE, or let Sigstore's be reached; docs/signing.md"


@dataclass(frozen=True)
class SignerIdentity:
    """Whose certificate counts.

    Attributes:
        name: As the certificate's subject alternative name has it: an e-mail address or a URI.
        issuer: URL of the OIDC issuer that vouched for it.
    """

    name: str
    issuer: str

    def __str__(self) -> str:
        return f"{self.name} of {self.issuer}"


@dataclass(frozen=True)
class Keyless:
    """Who signs versions by an identity, and whose identities count.

    Attributes:
        token: What new versions are signed with: an OIDC token, the path of a file with one, or "ambient" or
            "kubernetes" for that of the surroundings; "" signs nothing.
        identities: A signature by any of them counts.
        trust_config: Sigstore's ClientTrustConfig as JSON text: its services and their keys; "" is the public good's.
    """

    token: str = field(default="", repr=False)
    identities: tuple[SignerIdentity, ...] = ()
    trust_config: str = field(default="", repr=False)

    @classmethod
    def of(
        cls, token: str = "", identities: Sequence[str] = (), issuers: Sequence[str] = (), trust_config: str = ""
    ) -> Keyless:
        """Return what options say; the variables of this module stand in for those not given.

        Args:
            token: As of the class.
            identities: Names.
            issuers: URLs, one for each name, or one for all.
            trust_config: JSON text, or the path of a file of it.

        Raises:
            SignatureError: They do not fit together, or the file cannot be read.
        """
        token = token or os.environ.get(IDENTITY_TOKEN, "").strip()
        identities, issuers = identities or _lines(IDENTITY), issuers or _lines(ISSUER)
        if bool(identities) != bool(issuers) or (len(issuers) > 1 and len(issuers) != len(identities)):
            raise SignatureError(
                "Expected --certificate-identity with its --certificate-oidc-issuer: one for each, or one for all. "
                f"Received: {len(identities)} and {len(issuers)}. Fix: Give both, or {IDENTITY} and {ISSUER}"
            )
        if token and not identities:
            raise SignatureError(
                "Expected whose signatures count, as a token is there to sign with. Received: no identity. "
                f"Fix: --certificate-identity and --certificate-oidc-issuer, or {IDENTITY} and {ISSUER}"
            )
        issuers = issuers if len(issuers) == len(identities) else [*issuers] * len(identities)
        named = tuple(SignerIdentity(*each) for each in zip(identities, issuers, strict=True))
        return cls(token, named, _config_text(trust_config or os.environ.get(TRUST_CONFIG, "").strip()))

    def variables(self, *, signing: bool) -> dict[str, str]:
        """Return what `of` reads this from where no file of it is, as in a container; `signing` with a token of now.

        Raises:
            SignatureError: There is no token where one is named.
        """
        texts = {
            IDENTITY_TOKEN: identity_token(self.token) if signing and self.token else "",
            IDENTITY: "\n".join(each.name for each in self.identities),
            ISSUER: "\n".join(each.issuer for each in self.identities),
            TRUST_CONFIG: self.trust_config,
        }
        return {name: text for name, text in texts.items() if text}

    def sign(self, folder: Path, signature: Path) -> None:
        """Write the signature of a folder, made by the identity of the token.

        Raises:
            SignatureError: The token is refused, or the certificate authority or the log is not reached or silent.
        """
        token, context = identity_token(self.token), _signing_context(self.trust_config)
        try:
            signature.write_text(_within(SIGNING_SECONDS, lambda: _signed(folder, token, context)))
        except Exception as error:  # of requests, pydantic, sigstore and its clients
            raise SignatureError(
                f"Expected a certificate and a log entry for the version from Sigstore. Received: {_said(error)}. "
                "Fix: Look at the token's age, audience (sigstore) and issuer, and at the network; docs/signing.md"
            ) from None

    @contextmanager
    def verifiers(self) -> Iterator[list[Any]]:
        """Yield a configuration of model_signing's verification for each identity.

        Raises:
            SignatureError: The trust root cannot be had.
        """
        with _config_file(self.trust_config) as path:
            try:
                made = [
                    package()
                    .verifying.Config()
                    .set_hashing_config(hashing_config())
                    .use_sigstore_verifier(identity=each.name, oidc_issuer=each.issuer, trust_config=path)
                    for each in self.identities
                ]
            except SignatureError:
                raise
            except Exception as error:  # of TUF, its download and pydantic
                raise _no_root(error) from None
            yield made


def is_keyless(signature: Path) -> bool:
    """Return whether a bundle holds a certificate of an identity, and not the hint of a key."""
    try:
        return "certificate" in json.loads(signature.read_bytes())["verificationMaterial"]
    except (ValueError, TypeError, KeyError):
        return False


def _signing_context(trust_config: str) -> Any:
    """Return Sigstore's services, as sigstore knows them.

    Raises:
        SignatureError: They are not known.
    """
    package()  # says what is missing; it brings sigstore
    from sigstore.models import ClientTrustConfig
    from sigstore.sign import SigningContext

    try:
        config = ClientTrustConfig.from_json(trust_config) if trust_config else ClientTrustConfig.production()
        return SigningContext.from_trust_config(config)
    except Exception as error:  # of TUF, its download and pydantic
        raise _no_root(error) from None


def _signed(folder: Path, token: str, context: Any) -> str:
    """Return the bundle that model_signing's own signer makes, which first asks for a login page that clusters lack."""
    from google.protobuf import json_format
    from model_signing._signing.signing import Payload
    from sigstore.dsse import Statement
    from sigstore.oidc import IdentityToken

    statement = Statement(json_format.MessageToJson(Payload(hashing_config().hash(folder)).statement.pb).encode())
    with context.signer(IdentityToken(token)) as signer:
        return str(signer.sign_dsse(statement).to_json())


def _within(seconds: float, work: Callable[[], str]) -> str:
    """Return what `work` returns, or raise what it raises, TimeoutError after so long: its thread ends with us."""
    made: Future[str] = Future()

    def run() -> None:
        try:
            made.set_result(work())
        except Exception as error:
            made.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return made.result(seconds)
    except TimeoutError as error:
        raise TimeoutError(str(error) or f"No answer in {seconds:g} seconds") from error.__cause__


def _no_root(error: Exception) -> SignatureError:
    return SignatureError(f"Expected Sigstore's services and their keys. Received: {_said(error)}. Fix: {_ROOT_FIX}")


def _said(error: Exception) -> str:
    """Return an error on one line; some clients leave what it was to its cause, and to the response of that."""
    response = getattr(error.__cause__, "response", None)
    texts = [str(error), str(error.__cause__ or ""), "" if response is None else response.text]
    return ": ".join(" ".join(text.split())[:300] for text in texts if text) or type(error).__name__


def _lines(name: str) -> list[str]:
    return [line.strip() for line in os.environ.get(name, "").splitlines() if line.strip()]


def _config_text(source: str) -> str:
    if not source:
        return ""
    try:
        text = source if source.startswith("{") else Path(source).read_text()
        found = json.loads(text)
        missing = [key for key in ("mediaType", "trustedRoot", "signingConfig") if key not in found]
    except (OSError, ValueError, TypeError) as error:
        text, missing = "", [getattr(error, "strerror", None) or str(error)]
    if missing:
        where = "the given text" if source.startswith("{") else source
        raise SignatureError(
            f"Expected Sigstore's ClientTrustConfig, JSON with mediaType, trustedRoot and signingConfig, in {where}. "
            f"Received: {'none of ' if text else ''}{', '.join(missing)}. Fix: docs/signing.md"
        )
    return text


@contextmanager
def _config_file(text: str) -> Iterator[Path | None]:
    if not text:
        yield None
        return
    with text_as_file(text, ".json") as path:
        yield path
