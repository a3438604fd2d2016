"""A prefix of an S3 bucket: Amazon's, or any server that honours conditional writes.

The client is botocore's, the core that boto3 and the AWS command line share, without the layers above it. The other
candidate, obstore, is half as large unpacked (16 MB against 30, of which the images keep 5: the descriptions of the
services other than S3 and those that give credentials are left out). But obstore knows neither profiles nor single
sign-on by itself, holds a whole object in memory for a conditional write, and tells the HTTP status of an error only in
its text.

Conditional writes need S3 itself (since November 2024) or a server that checks the condition and writes in one step:
SeaweedFS up to 4.16 let several concurrent writers win (its issue 8800); 4.34, which Kubeflow Pipelines 2.17 ships and
the tests run, lets one.

    AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL      another server than Amazon's; buckets then go into the path
    AWS_ACCESS_KEY_ID, AWS_PROFILE, a web identity token (IRSA), a pod identity, …: the standard chain
"""

from __future__ import annotations

import base64
import hashlib
import threading
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from deep_mnist.storage.bucket import RETRYABLE_STATUS, WRITER, BucketStore, CorruptTransferError, Fault, Head
from deep_mnist.storage.store import ABSENT, PATIENCE_SECONDS, TIMEOUT_SECONDS, Generation, Names, StorageError

LARGEST_BYTES = 5 << 30
BLOCK_BYTES = 1 << 20
# What S3 says of a request whose bytes were altered or cut on the way, or that met another one: try again.
_PASSING_CODES = {
    "BadDigest",
    "ConditionalRequestConflict",
    "IncompleteBody",
    "InvalidDigest",
    "OperationAborted",
    "RequestTimeout",
    "SlowDown",
    "XAmzContentChecksumMismatch",
    "XAmzContentSHA256Mismatch",
}
_CREDENTIAL_CODES = {
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
}
_CREATING = threading.Lock()
_CREDENTIALS = (
    "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the account that runs this a role."
)


class S3Store(BucketStore):
    """A prefix of an S3 bucket; a generation is an ETag, so the same bytes written twice may share one."""

    scheme = "s3"
    rights = (
        "Allow s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket to the account that runs this "
        "(without s3:ListBucket, S3 calls an absent object forbidden)."
    )

    def __init__(
        self, bucket: str, prefix: str = "", *, patience: float = PATIENCE_SECONDS, timeout: float = TIMEOUT_SECONDS
    ) -> None:
        super().__init__(bucket, prefix, patience=patience, timeout=timeout)
        self._client = _client(timeout)

    def _read_once(self, name: str) -> tuple[bytes, Generation]:
        response = self._get(name)
        with response["Body"] as body:
            data = body.read()
        _require_sha256(hashlib.sha256(data).hexdigest(), response, f"s3://{self.bucket}/{name}")
        return data, response["ETag"]

    def _read_range_once(self, name: str, start: int, size: int) -> bytes:
        response = self._client.get_object(Bucket=self.bucket, Key=name, Range=f"bytes={start}-{start + size - 1}")
        with response["Body"] as body:
            data: bytes = body.read()
        return data

    def _download_once(self, name: str, path: Path) -> None:
        response, digest = self._get(name), hashlib.sha256()
        with response["Body"] as body, path.open("wb") as stream:
            while block := body.read(BLOCK_BYTES):
                digest.update(block)
                stream.write(block)
        _require_sha256(digest.hexdigest(), response, f"s3://{self.bucket}/{name}")

    def _get(self, name: str) -> dict[str, Any]:
        response: dict[str, Any] = self._client.get_object(Bucket=self.bucket, Key=name, ChecksumMode="ENABLED")
        return response

    def _put_once(
        self, source: BinaryIO, name: str, size: int, if_generation: Generation | None, token: str
    ) -> Generation:
        if size > LARGEST_BYTES:
            raise StorageError(
                f"Expected at most {LARGEST_BYTES} bytes for {self.url}. Received: {size}: S3 takes no more in one "
                "request. Split the file."
            )
        sha256, md5 = _digests(source)
        condition = _condition(if_generation)
        response = self._client.put_object(
            Bucket=self.bucket,
            Key=name,
            Body=source,
            ContentLength=size,
            ContentMD5=base64.b64encode(md5).decode(),
            ChecksumSHA256=base64.b64encode(sha256).decode(),
            Metadata={WRITER: token, "sha256": sha256.hex()},
            **condition,
        )
        received = response.get("ChecksumSHA256")  # a server that knows no x-amz-checksum has verified the MD5
        if received and base64.b64decode(received) != sha256:
            raise CorruptTransferError(f"Expected SHA-256 {sha256.hex()} at s3://{self.bucket}/{name}: {received}")
        tag: str = response["ETag"]
        return tag

    def _head_once(self, name: str) -> Head:
        response = self._client.head_object(Bucket=self.bucket, Key=name)
        etag, writer = response["ETag"], response.get("Metadata", {}).get(WRITER, "")
        return Head(response["ContentLength"], f"etag:{etag}", etag, response["LastModified"].timestamp(), writer)

    def _list_once(self, start: str) -> Names:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=start)
        return [each["Key"] for page in pages for each in page.get("Contents", ()) if not each["Key"].endswith("/")]

    def _folders_once(self, start: str) -> Names:
        # Not by `Delimiter`: SeaweedFS lists a folder for some time after its last object is deleted.
        rests = [name.removeprefix(start) for name in self._list_once(start)]
        return [rest.partition("/")[0] for rest in rests if "/" in rest]

    def _delete_once(self, name: str) -> None:
        self._client.delete_object(Bucket=self.bucket, Key=name)

    def _fault(self, error: Exception) -> Fault | None:
        import urllib3
        from botocore import exceptions

        if isinstance(error, exceptions.ClientError):
            return _client_fault(error)
        if isinstance(error, exceptions.NoCredentialsError):
            return Fault(0, passing=False, fix=_CREDENTIALS)
        if isinstance(error, exceptions.SSLError):
            return Fault(0, passing=False, fix="Name the certificate authority in AWS_CA_BUNDLE.")
        broken = (exceptions.HTTPClientError, exceptions.ConnectionError, exceptions.IncompleteReadError)
        garbled = (exceptions.ResponseStreamingError, exceptions.ChecksumError, exceptions.FlexibleChecksumError)
        kinds = (*broken, *garbled, exceptions.CredentialRetrievalError, urllib3.exceptions.HTTPError)
        if isinstance(error, (*kinds, CorruptTransferError, ConnectionError, TimeoutError)) or _is_unreadable(error):
            return Fault(0, passing=True)
        return Fault(0, passing=False) if isinstance(error, exceptions.BotoCoreError) else None


def _client(timeout: float) -> Any:
    """Return an S3 client that tries each request once."""
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    once = Config(
        connect_timeout=timeout, read_timeout=timeout, retries={"total_max_attempts": 1}, max_pool_connections=32
    )
    session = Session()
    session.register_component("data_loader", _descriptions())
    try:
        with _CREATING:
            return session.create_client("s3", config=once)
    except (BotoCoreError, ValueError) as error:
        raise StorageError(
            f"Expected a usable configuration for S3. Received: {error}. Fix: Check AWS_PROFILE, AWS_REGION and "
            "AWS_ENDPOINT_URL_S3."
        ) from error


@cache
def _descriptions() -> Any:
    """Return botocore's reader of service descriptions: 0.2 s the first time, then it remembers."""
    from botocore.loaders import create_loader

    return create_loader()


def _condition(if_generation: Generation | None) -> dict[str, str]:
    if if_generation is None:
        return {}
    return {"IfNoneMatch": "*"} if if_generation == ABSENT else {"IfMatch": str(if_generation)}


def _client_fault(error: Any) -> Fault:
    """Return what an error that the server answered means."""
    said = error.response.get("Error", {})
    code = said.get("Code", "")
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    if code == "NoSuchKey" and error.operation_name == "PutObject":
        status = 412  # S3's response to If-Match when the object is gone
    return Fault(
        status,
        passing=status in RETRYABLE_STATUS or code in _PASSING_CODES,
        missing_bucket=code == "NoSuchBucket",
        fix=_CREDENTIALS if code in _CREDENTIAL_CODES else "",
        text=f"{code}: {said.get('Message', '')}",
    )


def _is_unreadable(error: Exception) -> bool:
    """Say whether a response's XML was cut off or altered."""
    from botocore.parsers import ResponseParserError

    return isinstance(error, ResponseParserError)


def _digests(source: BinaryIO) -> tuple[bytes, bytes]:
    """Return SHA-256 and MD5 of a stream from its start, and go back there."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    source.seek(0)
    while block := source.read(BLOCK_BYTES):
        sha256.update(block)
        md5.update(block)
    source.seek(0)
    return sha256.digest(), md5.digest()


def _require_sha256(received: str, response: dict[str, Any], name: str) -> None:
    """Compare bytes that arrived with the digest that their writer put beside them, if it did."""
    expected = response.get("Metadata", {}).get("sha256", received)
    if received != expected:
        raise CorruptTransferError(f"Expected SHA-256 {expected} at {name}. Received: {received}")
