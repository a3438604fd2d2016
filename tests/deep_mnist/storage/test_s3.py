"""What only `s3://` has: the chain of credentials, rights, endpoints, digests beside the objects."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from deep_mnist.storage.open import open_store
from deep_mnist.storage.store import StorageError, StoreUnreachableError
from tests.support.remotes import new_address
from tests.support.s3_server import BUCKET, OWNER, READER, admin_client, credentials


@pytest.fixture
def address(s3: str) -> str:
    return new_address("s3", s3)


def use(monkeypatch: pytest.MonkeyPatch, keys: tuple[str, str]) -> None:
    for name, value in credentials(keys).items():
        monkeypatch.setenv(name, value)


def test_a_reader_reads_and_is_told_what_it_may_not(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the right to write, reading works, and a write says which rights to grant."""
    open_store(address).write("key", b"1")
    use(monkeypatch, READER)
    store = open_store(address)

    assert b"1" == store.read("key")[0]
    with pytest.raises(StorageError, match=rf"{address}/key\. Received: HTTP 403: AccessDenied.*Allow.*s3:PutObject"):
        store.write("key", b"2")


@pytest.mark.parametrize("keys", [("unknown", "secret"), (OWNER[0], "another secret")])
def test_bad_keys_are_said_to_be_bad(address: str, monkeypatch: pytest.MonkeyPatch, keys: tuple[str, str]) -> None:
    """Keys that the server does not know, or that do not belong together, point to where keys come from."""
    use(monkeypatch, keys)
    with pytest.raises(StorageError, match=r"(InvalidAccessKeyId|SignatureDoesNotMatch).*Set AWS_PROFILE"):
        open_store(address).read("key")


def test_no_keys_are_said_so(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any credentials the first request says how to give some."""
    use(monkeypatch, OWNER)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(StorageError, match=r"NoCredentialsError.*Set AWS_PROFILE"):
        open_store(address).read("key")


def test_an_unknown_profile_is_said_so(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile that no file has is a fault of the configuration."""
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(StorageError, match=r"profile \(nobody\).*Check AWS_PROFILE"):
        open_store(address)


def test_a_profile_gives_keys_and_endpoint(
    s3: str, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys, region and endpoint may all come from the files of the AWS command line."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL_S3", "AWS_REGION"):
        monkeypatch.delenv(name)
    (tmp_path / "config").write_text(
        f"[profile lab]\nregion = eu-central-1\nendpoint_url = {s3}\n"
        f"aws_access_key_id = {OWNER[0]}\naws_secret_access_key = {OWNER[1]}\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "lab")
    store = open_store(address)

    assert store.write("key", b"1") == store.read("key")[1]


@pytest.fixture
def token_service() -> Iterator[HTTPServer]:
    """A stand-in for AWS STS: AssumeRoleWithWebIdentity answers with the owner's keys.

    The response has the form of https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            requests.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            content = (
                '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
                f"<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{OWNER[0]}</AccessKeyId>"
                f"<SecretAccessKey>{OWNER[1]}</SecretAccessKey><SessionToken></SessionToken>"
                "<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>"
                "</AssumeRoleWithWebIdentityResponse>"
            ).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    requests: list[str] = []
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.requests = requests
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_web_identity_becomes_keys(
    address: str, token_service: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pod whose service account has a role (IRSA) trades its token for keys; nothing else is configured."""
    use(monkeypatch, OWNER)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    (tmp_path / "token").write_text("a-token")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/deep-mnist")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{token_service.server_address[1]}")
    open_store(address).write("key", b"1")

    assert "WebIdentityToken=a-token" in token_service.requests[0]
    assert "role%2Fdeep-mnist" in token_service.requests[0]


@pytest.mark.parametrize("read", ["read", "download_file"])
def test_bytes_that_are_not_their_writers_are_refused(s3: str, address: str, tmp_path: Path, read: str) -> None:
    """An object whose bytes do not have the SHA-256 that its writer put beside it is never handed on."""
    prefix = address.partition(f"{BUCKET}/")[2]
    admin_client(s3).put_object(Bucket=BUCKET, Key=f"{prefix}/key", Body=b"altered", Metadata={"sha256": "0" * 64})
    store = open_store(address, patience=0.3)
    arguments = ("key",) if read == "read" else ("key", tmp_path / "file")
    with pytest.raises(StoreUnreachableError, match="CorruptTransferError: Expected SHA-256 0000"):
        getattr(store, read)(*arguments)

    assert [] == list(tmp_path.glob("file*"))


def test_objects_of_other_writers_are_read(s3: str, address: str) -> None:
    """An object that another program wrote, with no digest beside it, is read all the same."""
    prefix = address.partition(f"{BUCKET}/")[2]
    admin_client(s3).put_object(Bucket=BUCKET, Key=f"{prefix}/key", Body=b"theirs")

    assert b"theirs" == open_store(address).read("key")[0]
