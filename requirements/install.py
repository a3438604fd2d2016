"""Install a lock into `.venv`, which is made where there is none: `install.py local` (deploy, serving, signing, dev …).

`uv` does it: first pip, or Python's own copy of pip, fetches the one uv whose hashes requirements/uv.txt holds. How pip
reaches its index from this machine (pip.conf and PIP_… variables) is passed on to uv, which reads neither, and the
other way round; no file receives any of it. `.venv/<name>` is written when all of it is installed; what was interrupted
is installed anew by the next call. The standard library must do, for nothing else is here yet.
"""

from __future__ import annotations

import ast
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
UNFINISHED = ENVIRONMENT / ".unfinished"
TOOLS = ENVIRONMENT / "tools"
# What else is installed then: `make` asks for less once it has more.
INCLUDES = {"deploy": ("local",), "dev": ("local", "deploy", "serving", "forms", "lineage", "mlflow", "signing")}
LOCKS = {"gpu": "train"}  # where the lock has another name
SECTIONS = ("global", "install", ":env:")  # of pip's settings, the strongest last
# What a run imports, a third of what `local` holds, in two processes; all of it is compiled in twice the time.
RUN_IMPORTS = ("tensorflow", "docker, google.cloud.storage, jinja2, kfp.local, markdown_it, PIL, scipy.stats, yaml")


class InstallError(RuntimeError):
    """The packages cannot be installed; the message says what to do."""


def main(name: str) -> None:
    """Install a lock and say so in `.venv/<name>`.

    Raises:
        InstallError: It cannot be done.
    """
    uv, settings = _bootstrap()
    variables = {**os.environ, **uv_variables(settings, os.environ), "VIRTUAL_ENV": str(ENVIRONMENT)}
    _make_environment(uv, variables)
    again = ["--reinstall"] if UNFINISHED.exists() else []
    UNFINISHED.write_text(f"{name}\n")
    if name == "gpu":  # both packages own the same files
        _run([uv, "pip", "uninstall", "--python", str(PYTHON), "tensorflow-cpu"], variables)
        again = again or ["--reinstall-package", "tensorflow"]
    lock = ROOT / "requirements" / f"{LOCKS.get(name, name)}.txt"
    unwritten = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))  # else the first run compiles what it needs
    command = [uv, "pip", "install", "--python", str(PYTHON), "--require-hashes", "--no-deps"]
    compiled = ["--compile-bytecode"] if unwritten and name != "local" else []
    _run([*command, *compiled, *again, "--requirement", str(lock)], variables)
    if unwritten and name == "local":
        _compile_imports()
    UNFINISHED.unlink()
    for done in (*INCLUDES.get(name, ()), name):
        (ENVIRONMENT / done).touch()


def _compile_imports() -> None:
    """Have Python write the bytecode of what a run imports, where runs themselves may write none."""
    writing = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    commands = [[str(PYTHON), "-c", f"import {each}"] for each in RUN_IMPORTS]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    for started in [subprocess.Popen(each, env=writing, cwd=ENVIRONMENT, **quiet) for each in commands]:
        started.wait()  # what cannot be imported is told by the run that needs it


def _make_environment(uv: str, variables: Mapping[str, str]) -> None:
    """Make `.venv`, unless there is one whose interpreter runs and is of this one's version."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    if PYTHON.exists() and _output([str(PYTHON), "-c", code]).strip() == version:
        return
    if (ENVIRONMENT / "lib").exists():  # of another version, or of an interpreter that is gone
        print(f"Making .venv anew, with Python {version}", flush=True)
        for path in ENVIRONMENT.iterdir():
            if path == TOOLS:
                continue
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    command = [uv, "venv", "--quiet", "--allow-existing", "--no-project", "--python", sys.executable]
    _run([*command, str(ENVIRONMENT)], variables)


def _bootstrap() -> tuple[str, dict[str, list[str]]]:
    """Return the path of the locked uv, fetched where it is not here yet, and pip's settings."""
    locked = ROOT / "requirements" / "uv.txt"
    version = next(line for line in locked.read_text().splitlines() if line.startswith("uv==")).split()[0][4:]
    mine, other = TOOLS / "bin" / "uv", shutil.which("uv")
    with tempfile.TemporaryDirectory() as folder:
        pip = _pip(Path(folder))
        settings = pip_settings(_output([*pip, "config", "list"]) if pip else "")
        for found in (str(mine), other):
            if found and _output([found, "--version"]).split()[1:2] == [version]:
                return found, settings
        if pip:
            _fetch(pip, locked, settings)
            return str(mine), settings
    if other:
        return other, settings
    raise InstallError(
        f"Expected pip or uv, to install packages with. Received: neither; {sys.executable} has no ensurepip either. "
        "Fix: Install one of them (Debian, Ubuntu: apt-get install python3-venv), then try again."
    )


def _pip(folder: Path) -> list[str]:
    """Return how pip is called: this interpreter's, or one that its standard library brings; [] where neither is."""
    own = [sys.executable, "-m", "pip"]
    if _output([*own, "--version"]):
        return own
    made = subprocess.run([sys.executable, "-m", "venv", str(folder)], capture_output=True, check=False)
    return [] if made.returncode else [str(folder / "bin" / "python"), "-m", "pip"]


def _fetch(pip: Sequence[str], locked: Path, settings: Mapping[str, Sequence[str]]) -> None:
    """Put uv into TOOLS, whole or not at all."""
    TOOLS.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TOOLS.parent) as folder:
        made = Path(folder) / "tools"
        command = [*pip, "install", "--require-hashes", "--no-deps", "--only-binary", ":all:", "--target", str(made)]
        _run([*command, "-r", str(locked)], {**os.environ, **pip_variables(settings, os.environ)})
        shutil.rmtree(TOOLS, ignore_errors=True)
        made.rename(TOOLS)


def pip_settings(listed: str, environment: Mapping[str, str] = os.environ) -> dict[str, list[str]]:
    """Return pip's settings, name -> values, from what `pip config list` prints; without pip, from its variables."""
    if not listed:
        named = {name[4:].lower().replace("_", "-"): value for name, value in environment.items() if name[:4] == "PIP_"}
        return {name: value.split() for name, value in named.items()}
    found: dict[str, tuple[int, list[str]]] = {}
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if section in SECTIONS and SECTIONS.index(section) >= found.get(name, (-1,))[0]:
            found[name] = SECTIONS.index(section), str(ast.literal_eval(value)).split()
    return {name: values for name, (_, values) in found.items()}


def uv_variables(settings: Mapping[str, Sequence[str]], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that have uv reach packages as pip does; what the caller has set for uv itself stays."""
    first = {name: values[0] for name, values in settings.items() if values}
    chosen = {
        "UV_NO_INDEX": "1" if first.get("no-index", "").lower() in ("1", "true", "yes", "on") else "",
        "UV_FIND_LINKS": ",".join(each for each in settings.get("find-links", ()) if _exists(each)),
        "UV_INSECURE_HOST": " ".join(settings.get("trusted-host", ())),
        "UV_HTTP_TIMEOUT": first.get("timeout", first.get("default-timeout", "")),
        "UV_KEYRING_PROVIDER": "subprocess" if first.get("keyring-provider") == "subprocess" else "",
        "SSL_CLIENT_CERT": first.get("client-cert", ""),
        "SSL_CERT_FILE": first.get("cert", environment.get("REQUESTS_CA_BUNDLE", "")),
        "UV_PYTHON_DOWNLOADS": "never",
    }
    if not environment.keys() & {"UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL"}:
        chosen["UV_DEFAULT_INDEX"] = first.get("index-url", "")
        chosen["UV_INDEX"] = " ".join(settings.get("extra-index-url", ()))
        chosen["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # as pip does; the hashes say which file it must be
    if not chosen["SSL_CERT_FILE"] and (sys.platform != "linux" or ssl.get_default_verify_paths().cafile):
        chosen["UV_SYSTEM_CERTS"] = "1"
    proxies = dict.fromkeys(("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"), first.get("proxy", ""))
    kept = {name: value for name, value in chosen.items() if value and not environment.get(name)}
    return {**kept, **{name: value for name, value in proxies.items() if value}}


def pip_variables(settings: Mapping[str, Sequence[str]], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for pip's one call: its index is uv's where only uv has one."""
    chosen = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_REQUIRE_VIRTUALENV": "0", "PIP_USER": "0"}
    chosen["PIP_ROOT_USER_ACTION"] = "ignore"
    if "index-url" not in settings:
        index = environment.get("UV_DEFAULT_INDEX") or environment.get("UV_INDEX_URL")
        others = environment.get("UV_INDEX") or environment.get("UV_EXTRA_INDEX_URL")
        chosen |= {"PIP_INDEX_URL": _addresses(index)} if index else {}
        chosen |= {"PIP_EXTRA_INDEX_URL": _addresses(others)} if others else {}
    return chosen


def _addresses(indexes: str) -> str:
    """Return uv's indexes as pip takes them: without the names that uv may give them, "name=https://…"."""
    parts = [each.partition("=") for each in indexes.split()]
    return " ".join(rest if equals and "/" not in name else name + equals + rest for name, equals, rest in parts)


def _exists(link: str) -> bool:
    """Return whether uv would find it: unlike pip, it fails where a folder of links is missing."""
    return "://" in link or Path(link).exists()


def _output(command: Sequence[str]) -> str:
    """Return what a command prints, or "" where it fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def _run(command: Sequence[str], variables: Mapping[str, str]) -> None:
    """Run a command that shows its progress itself.

    Raises:
        InstallError: It failed.
    """
    status = subprocess.run(command, env=dict(variables), cwd=ROOT, check=False).returncode
    if status:
        raise InstallError(
            f"Expected the packages to be installed. Received: exit status {status} of {Path(command[0]).name}; "
            "what it says stands above. "
            "Fix: Where an index is not reached, name yours to pip (pip config set global.index-url ADDRESS, or "
            "PIP_INDEX_URL; proxy and cert likewise); then run the same command again, which goes on from here."
        )


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except InstallError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Interrupted; the same command goes on from here.")
