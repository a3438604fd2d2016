"""One file over HTTPS: resumed, retried with jitter within one time limit, with progress."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import requests

from deep_mnist.storage.store import sha256_of_file

CONNECT_SECONDS = 5.0
READ_SECONDS = 20.0
TOTAL_SECONDS = 300.0
ATTEMPTS = 5
MAX_BYTES = 4 << 30  # no dataset of images and labels that this pipeline serves is larger
CHUNK = 1 << 16  # what is lost at most when a connection breaks
# Unreachable is not worth five tries: the next source may respond at once.
CONNECT_ATTEMPTS = 1
RETRIED_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})


class TransferError(OSError):
    """A file that could not be fetched; the message says from where and why."""

    fix = "check the address and the network, or download the file yourself and name the folder"


class SourceUnreachableError(TransferError):
    """A server that could not be connected to: another of its files will not do better."""


def fetch_https(url: str, destination: Path, *, partial: Path, deadline: float | None = None) -> Path:
    """Fetch `url` to `destination`, resuming what an earlier try left in the file `partial`.

    Args:
        url: https:// address (plain http:// only to this machine); "#sha256=HEX" pins the bytes.
        destination: File to write; it appears whole or not at all.
        partial: Where an unfinished download is kept between tries.
        deadline: `time.monotonic()` at which to give up; default: TOTAL_SECONDS from now.

    Raises:
        TransferError: Unreachable, refused, cut short on every try, too large, or of another digest.
    """
    address, pin = split_pin(url)
    limit = time.monotonic() + TOTAL_SECONDS if deadline is None else deadline
    partial.parent.mkdir(parents=True, exist_ok=True)
    _try_until_whole(address, partial, limit)
    if pin and sha256_of_file(partial) != pin:
        received = sha256_of_file(partial)
        partial.unlink()
        raise TransferError(f"Expected {address} with SHA-256 {pin}. Received: {received}. The file was altered.")
    partial.replace(destination)
    return destination


def split_pin(url: str) -> tuple[str, str]:
    """Return the address without its "#sha256=HEX", and the hex digest or "".

    Raises:
        TransferError: Not https, or another kind of fragment.
    """
    address, _, fragment = url.partition("#")
    parts = urlsplit(address)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise TransferError(f"Expected an https:// address. Received: {address}. Plain http can be altered on the way.")
    if fragment and not fragment.startswith("sha256="):
        raise TransferError(f"Expected #sha256=HEX or nothing after the address. Received: #{fragment}.")
    return address, fragment.removeprefix("sha256=").lower()


def _try_until_whole(address: str, partial: Path, limit: float) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _stream(address, partial, limit)
        except requests.ConnectionError as error:
            if not partial.exists() and attempt >= CONNECT_ATTEMPTS:
                raise SourceUnreachableError(f"Expected to reach {address}. Received: {_short(error)}.") from error
            _pause(address, error, attempt, limit)
        except (requests.RequestException, TransferInterruptedError) as error:
            _pause(address, error, attempt, limit)


class TransferInterruptedError(Exception):
    """A try that may succeed when repeated."""

    fix = "try again"


def _pause(address: str, error: Exception, attempt: int, limit: float) -> None:
    """Wait before the next try: exponential, with full jitter so that a fleet does not return in step."""
    wait = random.uniform(0, min(8.0, 0.5 * 2**attempt))
    if attempt == ATTEMPTS or time.monotonic() + wait > limit:
        raise TransferError(f"Expected the whole of {address}. Received: {_short(error)}, after {attempt} tries.")
    print(f"download: {_short(error)}; trying again in {wait:.1f} s", flush=True)
    time.sleep(wait)


def _stream(address: str, partial: Path, limit: float) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    tag_file = partial.with_name(partial.name + ".etag")
    headers = {"Accept-Encoding": "identity"}
    if have and tag_file.exists():  # only the same version of the file may be continued
        headers |= {"Range": f"bytes={have}-", "If-Range": tag_file.read_text()}
    with requests.get(address, headers=headers, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)) as response:
        if response.status_code == 416:
            partial.unlink(missing_ok=True)
            raise TransferInterruptedError("the server refused to continue a partial file")
        _refuse_status(response, address)
        resumed = response.status_code == 206
        have = have if resumed else 0
        total = have + int(response.headers.get("Content-Length", 0) or 0)
        if total > MAX_BYTES:
            raise TransferError(f"Expected at most {MAX_BYTES} bytes from {address}. Received: {total}.")
        _remember_tag(tag_file, response)
        _write(response, partial, address, have=have, total=total, limit=limit)
    tag_file.unlink(missing_ok=True)


def _refuse_status(response: requests.Response, address: str) -> None:
    if response.status_code in RETRIED_STATUS:
        raise TransferInterruptedError(f"HTTP {response.status_code} from {address}")
    if response.status_code not in (200, 206):
        raise TransferError(f"Expected HTTP 200 from {address}. Received: {response.status_code}.")


def _remember_tag(tag_file: Path, response: requests.Response) -> None:
    tag = response.headers.get("ETag") or response.headers.get("Last-Modified")
    if tag and not tag.startswith("W/"):
        tag_file.write_text(tag)
    else:
        tag_file.unlink(missing_ok=True)


def _write(response: requests.Response, partial: Path, address: str, *, have: int, total: int, limit: float) -> None:
    with partial.open("ab" if have else "wb") as stream, progress(Path(urlsplit(address).path).name, total) as advance:
        advance(have)
        for chunk in response.iter_content(CHUNK):
            if time.monotonic() > limit:
                raise TransferError(f"Expected {address} within the time limit. Received: {stream.tell()} bytes.")
            stream.write(chunk)
            advance(len(chunk))
            if stream.tell() > MAX_BYTES:
                raise TransferError(f"Expected at most {MAX_BYTES} bytes from {address}. Received: more.")
        if total and stream.tell() != total:
            raise TransferInterruptedError(f"{stream.tell()} of {total} bytes")


@contextmanager
def progress(name: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield a function to call with each number of bytes: a bar on a terminal, a line each 25 % elsewhere."""
    if sys.stdout.isatty():
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        with Progress(TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()) as bar:
            task = bar.add_task(name, total=total or None)
            yield lambda count: bar.advance(task, count)
        return
    seen, reported = 0, 0

    def advance(count: int) -> None:
        nonlocal seen, reported
        seen += count
        quarter = 4 * seen // total if total else 0
        if quarter > reported:
            reported = quarter
            print(f"download: {name} {seen / 1e6:.1f} of {total / 1e6:.1f} MB", flush=True)

    yield advance


def _short(error: Exception) -> str:
    """Return the innermost reason: requests wraps urllib3, which wraps what the system said."""
    cause: object = error
    while isinstance(cause, Exception) and (inner := getattr(cause, "reason", None) or next(iter(cause.args), None)):
        cause = inner
    text = str(cause).rpartition("): ")[2]
    return text.splitlines()[0][:200] if text else type(error).__name__


def cache_folder() -> Path:
    """Return where downloads are kept: $DEEP_MNIST_CACHE, else the user's cache folder."""
    if own := os.environ.get("DEEP_MNIST_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "deep-mnist"
