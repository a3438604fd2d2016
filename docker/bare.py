"""Copy to a folder what a Python process needs of this root: no shell, no package manager.   python3 bare.py TARGET

That is the interpreter, its library, what both and the packages in /opt/venv are linked with, certificates, and
names of users and hosts. /var/lib/dpkg/status keeps the packages of which something was copied, for scanners.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

PACKAGES = Path("/opt/venv")
NEEDED = ("etc/group", "etc/ld.so.cache", "etc/nsswitch.conf", "etc/os-release", "etc/passwd", "etc/ssl", "usr/lib/ssl")
ROOT_LINKS = ("bin", "lib", "lib64")  # to usr/…, where /usr is merged
# Parts of Python's library that develop, install or draw programs.
UNREAD = ("config-*", "distutils", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "test", "tkinter", "turtledemo")
STATUS = Path("var/lib/dpkg/status")


def place(path: Path) -> Path:
    """Return where a path lies if no folder above it is a link; the path itself may be one."""
    return path.parent.resolve() / path.name


def with_targets(path: Path) -> Iterable[Path]:
    """Yield a path and, where it is a link, what it points to, link by link."""
    path = place(path)
    yield path
    while path.is_symlink():
        path = place(path.parent / path.readlink())
        yield path


def linked_with(files: Iterable[Path]) -> set[Path]:
    """Return the shared libraries outside PACKAGES that the loader would load for these files."""
    said = subprocess.run(["ldd", *map(str, files)], capture_output=True, text=True, check=False).stdout
    words = {word for line in said.splitlines() if line.startswith("\t") for word in line.split()}
    return {Path(word) for word in words if word.startswith("/") and PACKAGES not in Path(word).parents}


def files_of_python() -> set[Path]:
    """Return the interpreter, by each of its names, and the files of its library."""
    binary = Path(sys._base_executable).resolve()  # type: ignore[attr-defined]
    library = Path(sysconfig.get_path("stdlib"))
    unread = {path for pattern in UNREAD for path in library.glob(pattern)}
    files = {path for path in library.rglob("*") if path.is_file() and unread.isdisjoint([path, *path.parents])}
    kept = {path for path in files if not {"site-packages", "dist-packages"}.intersection(path.parts)}
    names = [binary.parent / name for name in ("python3", binary.name)]
    return {each for name in names for each in with_targets(name)} | kept


def needed_files() -> set[Path]:
    """Return all files and links to copy."""
    found = files_of_python()
    for name in NEEDED:
        path = Path("/", name)
        found.update(with_targets(path) if path.is_file() else path.rglob("*"))
    native = [*found, *PACKAGES.rglob("*.so*")]
    libraries = linked_with(path for path in native if ".so" in path.name or path.parent.name == "bin")
    found.update(each for path in libraries for each in with_targets(path))
    return {path for path in found if path.is_symlink() or path.is_file()}


def status_of(files: set[Path]) -> str:
    """Return the stanzas of dpkg's status for the packages that own one of the files."""
    kept = []
    for stanza in Path("/", STATUS).read_text().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line and line[:1].isalpha())
        name = fields.get("Package", "")
        lists = [Path(f"/var/lib/dpkg/info/{each}.list") for each in (name, f"{name}:{fields.get('Architecture')}")]
        owned = (Path(line) for path in lists if path.is_file() for line in path.read_text().splitlines())
        if any(place(path) in files for path in owned):
            kept.append(stanza.strip())
    return "\n\n".join(kept) + "\n"


def main(target: Path) -> None:
    """Copy, and print how much it is."""
    files = needed_files()
    for path in files:
        copy = target / path.relative_to("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy, follow_symlinks=False)
    for name in ROOT_LINKS:
        if (link := Path("/", name)).is_symlink():
            (target / name).symlink_to(link.readlink())
            (target / link.readlink()).mkdir(parents=True, exist_ok=True)
    (target / STATUS).parent.mkdir(parents=True)
    (target / STATUS).write_text(status_of(files))
    (target / "tmp").mkdir(mode=0o1777)
    (target / "tmp").chmod(0o1777)
    size = sum(path.lstat().st_size for path in target.rglob("*") if not path.is_dir())
    print(f"{len(files)} files, {size / 1e6:.0f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
