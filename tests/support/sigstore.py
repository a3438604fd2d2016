"""A certificate authority and a log of one's own that speak as Sigstore's Fulcio (v2) and Rekor (v1) do, over HTTP.

Fulcio certifies a key for the identity of a token that one of its issuers signed, with the timestamp of a certificate
log inside; Rekor logs a signature, with a Merkle proof, a signed checkpoint and a signed time. `trust_config` is what
their operators would hand out.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import jwt
import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ISSUER_OIDS = ("1.3.6.1.4.1.57264.1.1", "1.3.6.1.4.1.57264.1.8")
SHA256 = ec.ECDSA(hashes.SHA256())
TIMES = {"start": "2020-01-01T00:00:00Z"}


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def der(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


class SigstoreStandIn:
    """Both services, and the issuers whose tokens they take.

    Attributes:
        url: Where it is served, once it is.
        logs: Signatures that were logged: canonical JSON.
        refuses_entries: The log answers 503 for as long as this is set.
    """

    def __init__(self) -> None:
        self.authority, self.certificate_log, self.log = new_key(), new_key(), new_key()
        self.issuers = {each: new_key() for each in ("https://issuer.example", "https://other-issuer.example")}
        self.root = self._root()
        self.entries: list[bytes] = []
        self.url, self.refuses_entries = "", False

    def token(self, identity: str, issuer: str = "https://issuer.example", **claims: Any) -> str:
        """Return a token as an OIDC provider issues it, for Sigstore, for some minutes."""
        now = int(time.time())
        said = {"iss": issuer, "sub": identity, "aud": "sigstore", "iat": now, "exp": now + 600, **claims}
        return jwt.encode(said, self.issuers[issuer], algorithm="ES256")

    def trust_config(self) -> dict[str, Any]:
        """Return the ClientTrustConfig."""
        owner = {"organization": "Example", "commonName": "example"}
        root = {"certificates": [{"rawBytes": encoded(self.root.public_bytes(Encoding.DER))}]}
        return {
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "trustedRoot": {
                "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
                "tlogs": [self._log(self.log)],
                "certificateAuthorities": [
                    {
                        "subject": owner,
                        "uri": self.url,
                        "certChain": root,
                        "validFor": TIMES,
                    }
                ],
                "ctlogs": [self._log(self.certificate_log)],
                "timestampAuthorities": [],
            },
            "signingConfig": {
                "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
                "caUrls": [self._service()],
                "oidcUrls": [],
                "rekorTlogUrls": [self._service()],
                "rekorTlogConfig": {"selector": "ANY"},
                "tsaUrls": [],
                "tsaConfig": {"selector": "ANY"},
            },
        }

    def certify(self, request: bytes, bearer: str) -> dict[str, Any]:
        """Answer POST /api/v2/signingCert. A token that no issuer signed raises jwt.PyJWTError."""
        issuer = jwt.decode(bearer, options={"verify_signature": False})["iss"]
        public = self.issuers[issuer].public_key()
        claims = jwt.decode(bearer, public, algorithms=["ES256"], audience="sigstore")
        key = x509.load_pem_x509_csr(request)
        if not key.is_signature_valid:
            raise jwt.InvalidTokenError("the request is not signed by its key")
        certificate = self._certificate(key.public_key(), claims["sub"], issuer)
        chain = [each.public_bytes(Encoding.PEM).decode() for each in (certificate, self.root)]
        return {"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}}

    def record(self, proposed: dict[str, Any]) -> dict[str, Any]:
        """Answer POST /api/v1/log/entries for an entry of kind dsse."""
        body = rfc8785.dumps(_dsse_entry(proposed["spec"]["proposedContent"]))
        index, self.entries = len(self.entries), [*self.entries, body]
        leaves = [hashlib.sha256(b"\0" + each).digest() for each in self.entries]
        root, size = _root_of(leaves), len(leaves)
        note = f"log.example - 1\n{size}\n{encoded(root)}\n"
        log_id = hashlib.sha256(der(self.log)).digest()
        checkpoint = f"{note}\n— log.example {encoded(log_id[:4] + self.log.sign(note.encode(), SHA256))}\n"
        entry = {
            "body": encoded(body),
            "integratedTime": int(time.time()),
            "logID": log_id.hex(),
            "logIndex": index,
        }
        proof = {
            "checkpoint": checkpoint,
            "hashes": [each.hex() for each in _path_of(leaves, index)],
            "logIndex": index,
            "rootHash": root.hex(),
            "treeSize": size,
        }
        promise = encoded(self.log.sign(rfc8785.dumps(entry), SHA256))
        return {f"{index:064x}": {**entry, "verification": {"inclusionProof": proof, "signedEntryTimestamp": promise}}}

    def _root(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example")])
        public = self.authority.public_key()
        usage = {**dict.fromkeys(_USAGES, False), "key_cert_sign": True, "crl_sign": True}
        return (
            _builder(public, timedelta(days=1), name)
            .issuer_name(name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.KeyUsage(**usage), critical=True)
            .sign(self.authority, hashes.SHA256())
        )

    def _certificate(self, public: Any, identity: str, issuer: str) -> x509.Certificate:
        subject = x509.UniformResourceIdentifier(identity) if "://" in identity else x509.RFC822Name(identity)
        raw, tagged = issuer.encode(), b"\x0c" + bytes([len(issuer)]) + issuer.encode()  # as UTF8String
        builder = (
            _builder(public, timedelta(minutes=10), x509.Name([]))
            .issuer_name(self.root.subject)
            .add_extension(x509.KeyUsage(**{**dict.fromkeys(_USAGES, False), "digital_signature": True}), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.root.public_key()), critical=False)  # type: ignore[arg-type]
            .add_extension(x509.SubjectAlternativeName([subject]), critical=True)
        )
        for oid, value in zip(ISSUER_OIDS, (raw, tagged), strict=True):
            builder = builder.add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value), False)
        before = builder.sign(self.authority, hashes.SHA256())
        stamp = x509.UnrecognizedExtension(
            x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2"), self._timestamp(before.tbs_certificate_bytes)
        )
        return builder.add_extension(stamp, False).sign(self.authority, hashes.SHA256())

    def _timestamp(self, certificate: bytes) -> bytes:
        """Return the log's SignedCertificateTimestampList (RFC 6962) of a certificate that is yet without one."""
        millis = int(time.time() * 1000)
        entry = hashlib.sha256(der(self.authority)).digest() + len(certificate).to_bytes(3) + certificate
        signed = struct.pack("!BBQH", 0, 0, millis, 1) + entry + b"\0\0"
        signature = self.certificate_log.sign(signed, SHA256)
        log_id = hashlib.sha256(der(self.certificate_log)).digest()
        stamp = b"\0" + log_id + struct.pack("!QHBBH", millis, 0, 4, 3, len(signature)) + signature
        listed = struct.pack("!HH", len(stamp) + 2, len(stamp)) + stamp
        return b"\x04" + (bytes([len(listed)]) if len(listed) < 128 else b"\x81" + bytes([len(listed)])) + listed

    def _log(self, key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
        public = {"rawBytes": encoded(der(key)), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": TIMES}
        log_id = {"keyId": encoded(hashlib.sha256(der(key)).digest())}
        return {"baseUrl": self.url, "hashAlgorithm": "SHA2_256", "publicKey": public, "logId": log_id}

    def _service(self) -> dict[str, Any]:
        return {"url": self.url, "majorApiVersion": 1, "validFor": TIMES, "operator": "example"}


_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def _builder(public: Any, life: timedelta, subject: x509.Name) -> x509.CertificateBuilder:
    now = datetime.now(UTC).replace(microsecond=0)
    return (
        x509.CertificateBuilder(subject_name=subject, public_key=public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _dsse_entry(content: dict[str, Any]) -> dict[str, Any]:
    envelope = json.loads(content["envelope"])
    (verifier,) = content["verifiers"]
    digests = (hashlib.sha256(each).hexdigest() for each in (
        content["envelope"].encode(), base64.b64decode(envelope["payload"])
    ))  # fmt: skip
    whole, payload = ({"algorithm": "sha256", "value": each} for each in digests)
    signatures = [{"signature": each["sig"], "verifier": verifier} for each in envelope["signatures"]]
    spec = {"envelopeHash": whole, "payloadHash": payload, "signatures": signatures}
    return {"apiVersion": "0.0.1", "kind": "dsse", "spec": spec}


def _root_of(leaves: list[bytes]) -> bytes:
    """Return the root of the Merkle tree of RFC 6962."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + _root_of(leaves[:split]) + _root_of(leaves[split:])).digest()


def _path_of(leaves: list[bytes], index: int) -> list[bytes]:
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*_path_of(leaves[:split], index), _root_of(leaves[split:])]
    return [*_path_of(leaves[split:], index - split), _root_of(leaves[:split])]


@contextmanager
def sigstore() -> Iterator[SigstoreStandIn]:
    """Serve one until the block ends."""
    stand_in = SigstoreStandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                if self.path == "/api/v2/signingCert":
                    request = base64.b64decode(body["certificateSigningRequest"])
                    self._answer(200, stand_in.certify(request, self.headers["Authorization"].removeprefix("Bearer ")))
                elif stand_in.refuses_entries:
                    self._answer(503, {"code": 503, "message": "the log is full"})
                else:
                    self._answer(201, stand_in.record(body))
            except jwt.PyJWTError as error:
                self._answer(401, {"code": 16, "message": str(error)})

        def _answer(self, status: int, answer: dict[str, Any]) -> None:
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stand_in.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
