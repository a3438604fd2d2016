"""The champion that is served: what the registry's pointer names, followed while requests go on.

    pointer moves ─▶ download, digests ─▶ load, golden requests ─▶ swap     (old requests end on the old model)
                          └──────────────────────┴─ fails ─▶ the old model stays; status and metrics say why

One thread looks at the pointer. A swap is one assignment; a request holds the model it began with until it ends.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from deep_mnist.data.transfer import cache_folder
from deep_mnist.registry.pointer import Promotion, RegistryError
from deep_mnist.registry.registry import Registry
from deep_mnist.registry.signature import SignatureError
from deep_mnist.serving.model.served_model import Engine, ServedModel, load_served_model
from deep_mnist.serving.model.tensorflow_engine import tensorflow_engine
from deep_mnist.storage.store import StorageError

POLL_SECONDS = 2.0
# A version that failed is tried again, ever more seldom: a store that was down is up again some time.
LONGEST_PAUSE_SECONDS = 300.0
CLOSE_SECONDS = 10.0  # a load that is on its way is not waited for
KEPT = 3  # downloaded versions


@dataclass(frozen=True)
class BrokenVersion:
    """A promoted version that could not be loaded, and why.

    Attributes:
        failed: When it was last tried, seconds of time.monotonic().
    """

    promotion: Promotion
    error: str
    attempts: int
    failed: float


@dataclass
class ChampionState:
    """What the server serves, and what keeps it from serving something newer.

    Attributes:
        model: What is served; None before the first version was loaded.
        broken: What the pointer names but cannot be served.
        pointer_read: Unix time at which the pointer was last read.
        unreachable: Why the pointer could not be read last time; "" when it could.
        swaps: How often the model was replaced.
        failures: How often a version could not be loaded.
    """

    model: ServedModel | None = None
    broken: BrokenVersion | None = None
    pointer_read: float = 0.0
    unreachable: str = ""
    swaps: int = 0
    failures: int = 0


@dataclass
class ServedChampion:
    """Follows the registry's pointer.

    Attributes:
        registry: Of the model.
        cache: Folder for downloaded versions.
        poll_seconds: Between two looks at the pointer.
        on_swap: Called with the new model right before a swap: nothing that it predicts is missed.
        engine: What loads a version.
    """

    registry: Registry
    cache: Path
    poll_seconds: float = POLL_SECONDS
    on_swap: Callable[[ServedModel], None] | None = None
    engine: Engine = tensorflow_engine
    state: ChampionState = field(default_factory=ChampionState)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    @property
    def model(self) -> ServedModel | None:
        """The model that is served now."""
        return self.state.model

    def load_first(self) -> ServedModel:
        """Load what the pointer names.

        Raises:
            RegistryError: Nothing was ever promoted, or the version's files are not what was promoted.
            BrokenVersionError: The version cannot be served.
        """
        promotion = self.registry.champion()
        if promotion is None:
            raise RegistryError(
                f"Expected a champion of {self.registry.name} in {self.registry.store.url}. Received: none. "
                "Fix: make run publishes one"
            )
        self._swap(self._load(promotion))
        self.state.pointer_read = time.time()
        return self.state.model  # type: ignore[return-value]

    def follow(self) -> None:
        """Start the thread that looks at the pointer."""
        self._thread = threading.Thread(target=self._watch, name="champion", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop following."""
        self._stop.set()
        if self._thread:
            self._thread.join(CLOSE_SECONDS)

    def poll(self, *, retry: bool = True) -> None:
        """Read the pointer once and load what it names, if that is not served yet.

        Args:
            retry: Whether to load what failed before once more.
        """
        try:
            promotion = self.registry.champion()
        except (StorageError, RegistryError) as error:
            self.state.unreachable = str(error)
            return
        if promotion is None:
            self.state.unreachable = (
                f"Expected a champion of {self.registry.name}. Received: none, its pointer is gone."
            )
            return
        self.state.unreachable, self.state.pointer_read = "", time.time()
        served = self.state.model
        if served and promotion.id == served.promotion.id:
            self.state.broken = None
            return
        broken = self.state.broken
        if broken and promotion.id == broken.promotion.id and not retry:
            return
        try:
            self._swap(self._load(promotion))
        except Exception as error:  # whatever a new version does, the one that is served stays
            self._note_failure(promotion, error)

    def _watch(self) -> None:
        while not self._stop.wait(self.poll_seconds):
            self.poll(retry=self._is_retry_due())

    def _is_retry_due(self) -> bool:
        """Say whether what failed may be loaded again: ever more seldom, while another version is taken at once."""
        broken = self.state.broken
        if broken is None:
            return True
        pause = min(self.poll_seconds * 2.0 ** min(broken.attempts, 16), LONGEST_PAUSE_SECONDS)
        return time.monotonic() - broken.failed >= pause

    def _swap(self, model: ServedModel) -> None:
        if self.on_swap:
            self.on_swap(model)
        self.state.swaps += self.state.model is not None
        self.state.model, self.state.broken = model, None
        print(
            f"serving: {model.name} version {model.version}, accuracy {model.promotion.facts.accuracy:.4f}", flush=True
        )

    def _note_failure(self, promotion: Promotion, error: Exception) -> None:
        before = self.state.broken
        attempts = before.attempts + 1 if before and before.promotion.id == promotion.id else 1
        self.state.broken = BrokenVersion(promotion, str(error), attempts, time.monotonic())
        self.state.failures += 1
        served = f"version {self.state.model.version}" if self.state.model else "nothing"
        print(f"serving: version {promotion.version} failed, {served} is served on: {error}", flush=True)

    def _load(self, promotion: Promotion) -> ServedModel:
        self._require_newer(promotion)
        return load_served_model(self._downloaded(promotion), self.registry.name, promotion, self.engine)

    def _require_newer(self, promotion: Promotion) -> None:
        """Refuse a pointer that was put back to an older signed version: a rollback is a copy with a higher number."""
        served = self.state.model
        if self.registry.trust.required and served and promotion.version < served.version:
            raise SignatureError(
                f"Expected a version after {served.version}, which is served. Received: version {promotion.version}, "
                "put back. Fix: python -m pipeline rollback"
            )

    def _downloaded(self, promotion: Promotion) -> Path:
        """Return the folder of a version whose every file has the digest that the pointer names."""
        folder = self.cache / promotion.files_sha256
        if self.registry.files.is_intact(promotion, folder):
            folder.touch()
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        self.cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.cache, prefix="loading-") as scratch:
            partial = Path(scratch) / "version"
            partial.mkdir()
            self.registry.files.download(promotion, partial)
            with suppress(OSError):  # another server of this machine was faster
                partial.rename(folder)
        if not self.registry.files.is_intact(promotion, folder):
            raise RegistryError(f"Expected version {promotion.version} as promoted in {folder}. Received: another.")
        self._forget_old()
        return folder

    def _forget_old(self) -> None:
        folders = [path for path in self.cache.iterdir() if path.is_dir() and not path.name.startswith("loading-")]
        for path in sorted(folders, key=lambda path: path.stat().st_mtime)[:-KEPT]:
            shutil.rmtree(path, ignore_errors=True)


def default_cache() -> Path:
    """Return this user's folder for downloaded versions."""
    return cache_folder() / "serving"
