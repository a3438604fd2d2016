"""`make` installs from the index that this machine's pip or uv is set to reach, whole or not at all."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from requirements import install

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("Makefile", "docker/targets.mk", "manifests/targets.mk")
LOCKED_PARTS = ("python.sh", "install.py", "uv.txt")


class Index(ThreadingHTTPServer):
    """A package index of the files in `folder`/<project>/; a file in `broken` ends in its middle."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))
        self.sent: set[str] = set()
        self.broken: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class _Handler(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        if name:
            self.server.sent.add(name.partition("-")[0])  # type: ignore[attr-defined]
        if name in self.server.broken:  # type: ignore[attr-defined]
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            self.wfile.write(b"PK")
            return
        super().do_GET()

    def log_message(self, *_arguments: object) -> None:
        pass


def write_wheel(folder: Path) -> Path:
    """Write a wheel of one module, `tiny`, which knows its answer."""
    made = folder / "tiny-1.0-py3-none-any.whl"
    information = "tiny-1.0.dist-info"
    files = {
        "tiny.py": "ANSWER = 42\n",
        f"{information}/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
        f"{information}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{name},sha256={digest},{len(text)}\n"
        archive.writestr(f"{information}/RECORD", f"{record}{information}/RECORD,,\n")
    return made


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an index offers: the locked uv, as this machine's own index has it, and `tiny`."""
    folder = tmp_path_factory.mktemp("packages")
    for name in ("uv", "tiny"):
        (folder / name).mkdir()
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--require-hashes",
        "--no-deps",
        "--only-binary=:all:",
    ]
    subprocess.run([*command, "-r", ROOT / "requirements/uv.txt", "-d", folder / "uv"], check=True)
    write_wheel(folder / "tiny")
    return folder


@pytest.fixture
def index(packages: Path) -> Iterator[Index]:
    with Index(packages) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def tree(packages: Path, tmp_path: Path) -> Path:
    """A clone with the parts that install, whose local lock holds `tiny`."""
    tree = tmp_path / "a clone"
    for part in (*PARTS, *(f"requirements/{name}" for name in LOCKED_PARTS)):
        (tree / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / part, tree / part)
    (wheel,) = (packages / "tiny").iterdir()
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (tree / "requirements/local.txt").write_text(f"tiny==1.0 \\\n    --hash=sha256:{digest}\n")
    return tree


def make(tree: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run `make .venv/local` where nothing but `settings` says how an index is reached, and no uv is on PATH."""
    kept = {name: value for name, value in os.environ.items() if not re.match("PIP_|UV_|VIRTUAL_ENV|PYTHON", name)}
    without_uv = [each for each in kept["PATH"].split(os.pathsep) if not (Path(each) / "uv").exists()]
    environment = {**kept, "PATH": os.pathsep.join(without_uv), "UV_CACHE_DIR": str(tree / "cache"), **settings}
    environment["PIP_CONFIG_FILE"] = settings.get("PIP_CONFIG_FILE", os.devnull)
    command = ["make", ".venv/local", f"PYTHON={sys.executable}"]
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=250, check=False)


def answer(tree: Path) -> str:
    code = "import tiny; print(tiny.ANSWER)"
    return subprocess.run([tree / ".venv/bin/python", "-c", code], capture_output=True, text=True).stdout.strip()


@pytest.mark.slow
def test_what_was_interrupted_is_installed_by_the_next_call(tree: Path, index: Index, tmp_path: Path) -> None:
    """uv and packages come from pip.conf's index; a transfer that breaks leaves no stamp and says what to do."""
    settings = tmp_path / "pip.conf"
    settings.write_text(f"[global]\nindex-url = {index.url}\n")
    index.broken = {"tiny-1.0-py3-none-any.whl"}

    broken = make(tree, PIP_CONFIG_FILE=str(settings), UV_HTTP_RETRIES="0")

    assert broken.returncode and not (tree / ".venv/local").exists()
    assert "Expected the packages to be installed." in broken.stderr and "Fix: " in broken.stderr

    index.broken = set()
    index.sent.clear()
    whole = make(tree, PIP_CONFIG_FILE=str(settings))

    assert whole.returncode == 0, whole.stdout + whole.stderr
    assert (tree / ".venv/local").exists() and answer(tree) == "42"
    assert index.sent == {"tiny"}, "uv was fetched before and is not fetched again"
    assert "tiny==1.0" in whole.stderr, "what is installed is shown"
    files = [path for path in tree.rglob("*") if path.is_file() and "cache" not in path.parts]
    address = f"127.0.0.1:{index.server_port}".encode()
    assert not [path for path in files if address in path.read_bytes()], "no address is kept"


@pytest.mark.slow
def test_an_index_that_only_uv_is_set_to_reach_serves_both(tree: Path, index: Index) -> None:
    """With UV_DEFAULT_INDEX alone, pip fetches uv from there too; a package that was lost halfway comes back."""
    assert make(tree, UV_DEFAULT_INDEX=index.url).returncode == 0
    assert index.sent == {"uv", "tiny"} and answer(tree) == "42"

    (tree / ".venv/local").unlink()
    (tree / ".venv/.unfinished").touch()  # as a call that was killed leaves it
    (module,) = tree.glob(".venv/lib/*/site-packages/tiny.py")
    module.unlink()

    assert make(tree, UV_DEFAULT_INDEX=index.url).returncode == 0
    assert answer(tree) == "42"


def test_pips_settings_are_read_as_pip_ranks_them() -> None:
    """Variables before the section of `install`, that before `global`; other commands' settings do not count."""
    listed = """:env:.cert='/etc/company.pem'
download.index-url='https://wrong.example/simple'
global.cert='/etc/wrong.pem'
global.extra-index-url='\\nhttps://a.example/simple\\nhttps://b.example/simple'
install.index-url='https://right.example/simple'
global.index-url='https://wrong.example/simple'
"""
    assert install.pip_settings(listed) == {
        "cert": ["/etc/company.pem"],
        "extra-index-url": ["https://a.example/simple", "https://b.example/simple"],
        "index-url": ["https://right.example/simple"],
    }
    assert install.pip_settings("", {"PIP_INDEX_URL": "https://a.example", "HOME": "/"}) == {
        "index-url": ["https://a.example"]
    }


def test_uv_is_set_as_pip_is() -> None:
    """Index, further indexes, certificates, proxy, hosts and time limit; what the caller said to uv itself stays."""
    settings = {
        "index-url": ["https://a.example/simple"],
        "extra-index-url": ["https://b.example/simple", "https://c.example/simple"],
        "cert": ["/etc/company.pem"],
        "proxy": ["http://proxy.example:3128"],
        "trusted-host": ["a.example", "b.example"],
        "timeout": ["99"],
        "find-links": ["/no/such/folder", "https://d.example/files"],
    }
    made = install.uv_variables(settings, {})
    expected = {
        "UV_DEFAULT_INDEX": "https://a.example/simple",
        "UV_INDEX": "https://b.example/simple https://c.example/simple",
        "SSL_CERT_FILE": "/etc/company.pem",
        "HTTPS_PROXY": "http://proxy.example:3128",
        "UV_INSECURE_HOST": "a.example b.example",
        "UV_HTTP_TIMEOUT": "99",
        "UV_FIND_LINKS": "https://d.example/files",
    }
    assert expected.items() <= made.items() and "UV_NO_INDEX" not in made

    own = {"UV_INDEX_URL": "https://mine.example/simple", "SSL_CERT_FILE": "/mine.pem"}
    assert not {"UV_DEFAULT_INDEX", "UV_INDEX", "SSL_CERT_FILE"} & install.uv_variables(settings, own).keys()


def test_pip_is_set_as_uv_is_where_only_uv_has_an_index() -> None:
    """uv may name its indexes; pip takes the addresses."""
    uv = {
        "UV_DEFAULT_INDEX": "main=https://a.example/simple",
        "UV_INDEX": "b=https://b.example/x?y=z https://c.example",
    }
    made = install.pip_variables({}, uv)
    assert made["PIP_INDEX_URL"] == "https://a.example/simple"
    assert made["PIP_EXTRA_INDEX_URL"] == "https://b.example/x?y=z https://c.example"
    assert "PIP_INDEX_URL" not in install.pip_variables({"index-url": ["https://p.example"]}, uv)


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def choose(folder: Path, tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run python.sh of a tree without `.venv`, with `folder` first and no other Python on PATH."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    for name in ("bash", "dirname"):
        (tools / name).unlink(missing_ok=True)
        (tools / name).symlink_to(shutil.which(name) or name)
    command = [tree / "requirements/python.sh", *arguments]
    return subprocess.run(command, env={"PATH": f"{folder}:{tools}"}, capture_output=True, text=True, check=False)


def test_a_python_that_does_not_run_or_fit_is_passed_over(tmp_path: Path) -> None:
    """A shim that only fails and an interpreter of another version come first on PATH; the one that fits is taken."""
    tree = tmp_path / "tree"
    shutil.copytree(ROOT / "requirements", tree / "requirements")
    path = tmp_path / "path"
    path.mkdir()
    script(path / "python3", "echo 3.9.18")
    script(path / "python3.13", "echo 'no such version' >&2; exit 127")

    none = choose(path, tree)
    assert none.returncode == 1 and not none.stdout
    assert "Received: python3 is 3.9.18; python3.13 is no interpreter that runs." in none.stderr
    assert "Fix: " in none.stderr

    script(path / "python3.12", f'exec "{sys.executable}" "$@"')
    assert choose(path, tree).stdout.strip() == str(path / "python3.12")
    assert choose(path, tree, "python3.13").returncode == 1, "one that is named is not replaced by another"
