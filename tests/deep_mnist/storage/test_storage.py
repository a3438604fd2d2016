"""Folders and buckets of both kinds, on real servers, behave the same: whole or not at all."""

from __future__ import annotations

import os
import re
import threading
import time
from pathlib import Path

import pytest

from deep_mnist.storage.address import is_store_address
from deep_mnist.storage.open import fetch, open_store
from deep_mnist.storage.store import (
    ABSENT,
    NotFoundError,
    OvertakenError,
    PreconditionFailedError,
    StorageError,
    Store,
    StoreUnreachableError,
)
from tests.support.fault_proxy import FAULTS, QUICK, dead_from, once, some_faults
from tests.support.remotes import Remote


@pytest.fixture
def url(address: str) -> str:
    return address


@pytest.fixture
def store(url: str) -> Store:
    return open_store(url)


def test_what_is_written_is_read(store: Store) -> None:
    """An object comes back with the generation that its writing returned."""
    generation = store.write("a/b.json", b"{}")

    assert (b"{}", generation) == store.read("a/b.json")
    assert 2 == store.describe("a/b.json")["size"]
    assert generation == store.describe("a/b.json")["generation"]
    assert store.exists("a/b.json")


def test_ranges_are_read(store: Store) -> None:
    """A range is what stands there, shorter at the object's end; of no object it says so."""
    store.write("shard", b"0123456789")

    assert store.read_range("shard", 0, 4) == b"0123"
    assert store.read_range("shard", 7, 100) == b"789"
    with pytest.raises(NotFoundError):
        store.read_range("absent", 0, 4)


def test_conditions_hold(store: Store) -> None:
    """A write happens only in the state that it names."""
    first = store.write("pointer", b"1", if_generation=ABSENT)
    with pytest.raises(PreconditionFailedError):
        store.write("pointer", b"2", if_generation=ABSENT)
    second = store.write("pointer", b"2", if_generation=first)
    with pytest.raises(PreconditionFailedError):
        store.write("pointer", b"3", if_generation=first)
    store.delete("pointer")
    with pytest.raises(PreconditionFailedError):
        store.write("pointer", b"3", if_generation=second)

    assert not store.exists("pointer")


def test_one_of_many_writers_wins(url: str) -> None:
    """Of 40 writers that name the same generation exactly one gets through."""
    generation = open_store(url).write("pointer", b"start")
    won, start = [], threading.Barrier(40)

    def race(number: int) -> None:
        store = open_store(url)
        start.wait()
        try:
            store.write("pointer", b"%d" % number, if_generation=generation)
            won.append(number)
        except PreconditionFailedError:
            pass

    threads = [threading.Thread(target=race, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1 == len(won)
    assert b"%d" % won[0] == open_store(url).read("pointer")[0]


def test_lists_and_folders(store: Store) -> None:
    """Keys are listed by prefix, folders by their names, and what the store keeps for itself is not."""
    for key in ("m/1/a", "m/1/b/c", "m/10/a", "m/top", "n/x"):
        store.write(key, b"", if_generation=ABSENT)

    assert ["m/1/a", "m/1/b/c", "m/10/a", "m/top", "n/x"] == store.list()
    assert ["m/1/a", "m/1/b/c"] == store.list("m/1/")
    assert ["m", "n"] == store.folders()
    assert ["1", "10"] == store.folders("m")
    assert [] == store.folders("nothing")
    assert [] == store.list("nothing/")
    for key in ("m/1/a", "m/1/b/c"):
        store.delete(key)

    assert ["10"] == store.folders("m")


def test_folders_travel_whole(store: Store, tmp_path: Path) -> None:
    """A folder goes up unchanged; the file named last goes up at the end."""
    source = tmp_path / "source"
    (source / "variables").mkdir(parents=True)
    (source / "saved_model.pb").write_bytes(b"graph")
    (source / "variables" / "data").write_bytes(os.urandom(300_000))
    (source / "z.txt").write_text("z")

    keys = store.upload_folder(source, "v/1", last="saved_model.pb")

    assert ["v/1/variables/data", "v/1/z.txt", "v/1/saved_model.pb"] == keys
    assert (source / "variables/data").read_bytes() == store.read("v/1/variables/data")[0]


def test_absent_objects(store: Store, tmp_path: Path) -> None:
    """An absent object is NotFoundError to readers, leaves no file, and may be deleted without an error."""
    for read in (store.read, store.describe, lambda key: store.download_file(key, tmp_path / "file")):
        with pytest.raises(NotFoundError, match="Expected an object at"):
            read("not/there")
    store.delete("not/there")

    assert [] == list(tmp_path.glob("file*"))


@pytest.mark.parametrize("key", ["", "/a", "../a", "a/../../b", "a//b", "a/./b", "a/", "a\0b"])
def test_keys_stay_inside(store: Store, key: str) -> None:
    """A key that would leave the store is refused."""
    with pytest.raises(StorageError, match="relative key"):
        store.write(key, b"")


@pytest.mark.parametrize(
    "url", ["", "gs://", "s3://", "s3:///key", "file://", "az://bucket/x", "file://host/x", "http://host/x"]
)
def test_other_addresses_are_refused(url: str) -> None:
    """An address of another kind is refused with the kinds that are known."""
    with pytest.raises(StorageError, match=r"Expected .*file:///"):
        open_store(url)


def test_fetch(store: Store, url: str, tmp_path: Path) -> None:
    """One object or local file is fetched from its address."""
    store.write("mine.keras", b"PK")
    address = f"{url}/mine.keras"
    for form in [address] if is_store_address(url) else [address, f"file://{address}"]:
        fetch(form, tmp_path / "here.keras")

        assert b"PK" == (tmp_path / "here.keras").read_bytes()
    with pytest.raises(NotFoundError):
        fetch(f"{url}/other.keras", tmp_path / "there.keras")


def test_large_objects_arrive_whole(store: Store, tmp_path: Path) -> None:
    """A file beyond what `gs://` takes in one request and SeaweedFS in one piece arrives whole."""
    content = os.urandom(9 << 20)
    (tmp_path / "large").write_bytes(content)
    store.upload_file(tmp_path / "large", "large")
    store.download_file("large", tmp_path / "copy")

    assert content == (tmp_path / "copy").read_bytes()


def test_a_missing_bucket_is_said_so(remote: Remote) -> None:
    """A bucket that does not exist is an error with a name, not a hang."""
    scheme = remote.url.partition("://")[0]
    with pytest.raises(NotFoundError, match="no such bucket"):
        open_store(f"{scheme}://no-such-bucket/prefix").list()
    # SeaweedFS says of a write that it is forbidden: an administrator's would have made the bucket.
    with pytest.raises(StorageError, match=r"no such bucket|HTTP 403: AccessDenied.*s3:PutObject"):
        open_store(f"{scheme}://no-such-bucket").write("key", b"")


def test_an_unwritable_folder_is_said_so(tmp_path: Path) -> None:
    """A folder that cannot be made says what is in the way."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="Expected"):
        open_store(str(tmp_path / "file" / "store")).write("key", b"")


def test_litter_of_the_killed_is_swept(tmp_path: Path) -> None:
    """A partial file that a killed process left a day ago goes at the next write; a fresh one stays."""
    store = open_store(str(tmp_path))
    store.write("a", b"")
    old, fresh = tmp_path / ".partial" / "old", tmp_path / ".partial" / "fresh"
    for path, age in ((old, 90_000), (fresh, 60)):
        path.write_bytes(b"half")
        os.utime(path, (time.time() - age,) * 2)
    store.write("b", b"")

    assert not old.exists()
    assert fresh.exists()
    assert ["a", "b"] == store.list()


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_survived_at_each_call(remote: Remote, tmp_path: Path, fault: str) -> None:
    """Whatever befalls a request, the write is done once and the read is whole."""
    store, proxy = open_store(remote.url, timeout=0.25), remote.proxy
    proxy.use(once(fault, *remote.wire.put))
    first = store.write("object", b"1" * 5000, if_generation=ABSENT)
    proxy.use(once(fault, *remote.wire.put))
    second = store.write("object", b"2" * 5000, if_generation=first)
    for read in remote.wire.reads:
        proxy.use(once(fault, *read))

        assert (b"2" * 5000, second) == store.read("object")
        assert fault in {broken for _, _, broken in proxy.seen}
        proxy.use(once(fault, *read))
        store.download_file("object", tmp_path / "file")

        assert b"2" * 5000 == (tmp_path / "file").read_bytes()
    for method, call in (("GET", lambda: store.list()), ("DELETE", lambda: store.delete("object"))):
        proxy.use(once(fault, method, "."))
        call()

    assert not store.exists("object")


def test_a_shared_list_survives_a_bad_network(remote: Remote) -> None:
    """Through a network that breaks 30 % of the requests, 3 writers add 12 words: none is lost or there twice."""
    open_store(remote.url).write("words", b"", if_generation=ABSENT)
    remote.proxy.use(some_faults(0.3, seed=3, faults=QUICK))

    def add(words: list[str]) -> None:
        store = open_store(remote.url, timeout=2)
        while words:
            data, generation = store.read("words")
            if words[0] in data.decode().split():  # a lost response: it was done, and somebody went on from there
                words.pop(0)
                continue
            try:
                store.write("words", f"{data.decode()} {words[0]}".encode(), if_generation=generation)
                words.pop(0)
            except PreconditionFailedError:
                continue

    expected = [[f"{writer}-{word}" for word in range(4)] for writer in range(3)]
    threads = [threading.Thread(target=add, args=(list(words),)) for words in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with remote.direct():
        written = open_store(remote.url).read("words")[0].decode().split()

    assert sorted(word for words in expected for word in words) == sorted(written)


def test_patience_ends(remote: Remote) -> None:
    """A store that never answers is given up after the patience, and named."""
    remote.proxy.use(dead_from(1, "reset"))
    with pytest.raises(StoreUnreachableError, match=f"{remote.url}/key within 1 s"):
        open_store(remote.url, patience=1, timeout=0.3).write("key", b"")


def test_requests_are_about_objects_only(remote: Remote) -> None:
    """None asks for the bucket itself, which who may write objects need not be allowed to."""
    store = open_store(remote.url)
    store.write("object", b"1")
    assert b"1" == store.read("object")[0]
    assert ["object"] == store.list("")

    bucket = re.escape(remote.url.split("/")[2])
    assert [] == [path for _, path, _ in remote.proxy.seen if re.search(rf"/{bucket}(\?projection|$)", path)]


def test_an_overtaken_write_says_so(remote: Remote) -> None:
    """A writer whose response was lost, and who was followed by another before it asked again, cannot know."""
    with remote.direct():
        other = open_store(remote.url)
    store, states = open_store(remote.url), ["before"]

    def lose_then_overtake(_number: int, method: str, _path: str) -> str | None:
        writes = method == remote.wire.put[0]
        if states[-1] == "before" and writes:
            states.append("lost")
            return "reset_after"
        if states[-1] == "lost" and writes:
            states.append("overtaken")
            other.write("object", b"2", if_generation=other.read("object")[1])
        return None

    remote.proxy.use(lose_then_overtake)
    with pytest.raises(OvertakenError):
        store.write("object", b"1", if_generation=ABSENT)

    assert b"2" == other.read("object")[0]
