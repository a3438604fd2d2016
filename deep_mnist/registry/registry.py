"""Which version is the champion: immutable numbered versions and one pointer, moved by compare-and-swap.

    <registry>/<name>/champion.json        the pointer: which version is active, since when, why
    <registry>/<name>/log/00000007.json    every state the pointer ever had, one object each, never rewritten
    <registry>/<name>/claims/4             taken numbers; a number is used once
    <registry>/<name>/4/                   one version, written once
        saved_model.pb variables/ assets/  what TensorFlow Serving and KServe load, written last
        model.keras preprocessing.json training.json evaluation.json model_card.md model_card.json
        survey.json                        what the training data were like, for a server to hold requests against
        golden_requests.npz                requests with the predictions expected of a server
        version.json                       the model's name, the version's number, size and SHA-256 of each file
        model.sig                          who vouches for all of that, where versions are signed (signing.py)

Point TensorFlow Serving or KServe at `<registry>/<name>`: they load the highest number. A version is written
before the pointer moves and taken away when the promotion is lost, and a rollback writes the earlier model as a
new version, so the highest number is the champion. The one exception is a promoter killed between the two:
its version is complete but unpromoted; `sweep`, at each publishing, takes it away a day later.
`champion.json` always says the truth.

Whatever is killed, and whenever, the pointer names a whole version: the move is one conditional write. Before
the pointer leaves a state, that state is in the log; so the log has no gaps, and a promoter whose response was lost
on the way finds out there whether it won.
"""

from __future__ import annotations

import contextlib
import itertools
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from deep_mnist.registry.names import MODEL_NAME, is_model_name
from deep_mnist.registry.pointer import Facts, LostRaceError, Promotion, RegistryError, rollback_target
from deep_mnist.registry.signing import NO_TRUST, Trust
from deep_mnist.registry.version_files import VersionFiles
from deep_mnist.storage.open import open_store
from deep_mnist.storage.store import (
    ABSENT,
    PATIENCE_SECONDS,
    TIMEOUT_SECONDS,
    Generation,
    NotFoundError,
    PreconditionFailedError,
    StoreUnreachableError,
)

POINTER = "champion.json"
READERS = 8
# A promoter gives up long before its version counts as abandoned, so no pointer ever names one that was swept.
PROMOTION_SECONDS = 6 * 3600.0
ABANDONED_SECONDS = 24 * 3600.0


@dataclass(frozen=True)
class Version:
    """A numbered folder of the registry.

    Attributes:
        state: "champion", "former", or "unpromoted": left by a promoter that is at work or was killed.
    """

    number: int
    state: str
    promotion: Promotion | None


class Registry:
    """The versions of one model.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     registry, model = Registry(f"{folder}/registry", "mnist"), Path(folder, "model")
    ...     model.mkdir()
    ...     _ = (model / "saved_model.pb").write_bytes(b"a model")
    ...     facts = Facts("model", "data", "test", accuracy=0.99, examples=10_000, reason="first", run="run-1")
    ...     first = registry.promote(model, facts, expected=registry.champion())
    ...     second = registry.promote(model, facts, expected=first)
    ...     back = registry.rollback(reason="worse in use")
    ...     print([(each.number, each.state) for each in registry.versions()], back.restores)
    [(1, 'former'), (2, 'former'), (3, 'champion')] 1
    """

    def __init__(
        self,
        url: str,
        name: str,
        *,
        trust: Trust = NO_TRUST,
        patience: float = PATIENCE_SECONDS,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        if not is_model_name(name):
            raise RegistryError(f"Expected {MODEL_NAME}. Received: {name!r}")
        self.store = open_store(url, patience=patience, timeout=timeout)
        self.name = name
        trust.require_package()
        self.trust = trust
        self.files = VersionFiles(self.store, name, trust)

    def uri(self, version: int) -> str:
        """Return the address of a version's folder."""
        return self.files.uri(version)

    def champion(self) -> Promotion | None:
        """Return the state of the pointer with its generation, or None when nothing was ever promoted."""
        key = self._key(POINTER)
        try:
            data, generation = self.store.read(key)
        except NotFoundError:
            return None
        return Promotion.from_json(data, f"{self.store.url}/{key}", generation)

    def log(self) -> list[Promotion]:
        """Return every state the pointer had, oldest first, without gaps.

        Raises:
            RegistryError: An object of the log is missing: somebody deleted it.
        """
        keys = self.store.list(self._key("log/"))
        with ThreadPoolExecutor(READERS) as pool:  # a log of years is a thousand small objects
            promotions = {each.sequence: each for each in pool.map(self._logged, keys)}
        champion = self.champion()  # after the list, so nothing listed is later than this
        if champion:
            promotions[champion.sequence] = champion
        for sequence in set(range(1, max(promotions, default=0))) - set(promotions):
            promotions[sequence] = self._gap(sequence)
        return [promotions[sequence] for sequence in sorted(promotions)]

    def versions(self) -> list[Version]:
        """Return the versions in the registry, oldest first."""
        promotions = {promotion.version: promotion for promotion in self.log()}
        current = max((promotion.sequence for promotion in promotions.values()), default=0)

        def state(promotion: Promotion | None) -> str:
            if promotion is None:
                return "unpromoted"
            return "champion" if promotion.sequence == current else "former"

        return [
            Version(number, state(promotions.get(number)), promotions.get(number)) for number in self.files.numbers()
        ]

    def withdrawn(self) -> frozenset[str]:
        """Return the digests of the models that a rollback took away and none brought back."""
        taken: set[str] = set()
        log = self.log()
        for before, now in itertools.pairwise(log):
            if now.action == "rollback":
                taken.add(before.facts.model_digest)
                taken.discard(now.facts.model_digest)
        return frozenset(taken)

    def promote(self, folder: Path, facts: Facts, *, expected: Promotion | None) -> Promotion:
        """Upload a model as the next version and make it the champion, if `expected` still is.

        Raises:
            LostRaceError: Something else is the champion by now; the uploaded version is gone again.
            SignatureError: It cannot be signed as it must be; nothing was uploaded.
        """
        return self._append(folder, facts, expected, action="promote", restores=None)

    def rollback(
        self, to: int | None = None, *, reason: str = "", run: str = "", vouch_for_unsigned: bool = False
    ) -> Promotion:
        """Promote an earlier version's model again, as a new version; by default the one before the champion's.

        Args:
            to: Its version.
            reason: For the log.
            run: For the log.
            vouch_for_unsigned: Sign the copy of a version that nobody signed.

        Raises:
            RegistryError: There is no such version, or it is the champion.
            SignatureError: The version is not what was signed, or its copy cannot be signed as it must be.
            LostRaceError: The pointer moved in the meantime.
        """
        log = self.log()
        if not log:
            raise RegistryError(f"Expected a champion of {self.name}. Received: none; nothing was ever promoted.")
        target = rollback_target(log, to, self.name)
        if not vouch_for_unsigned:
            self.files.require_signed(target)
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            self.files.download(target, folder, unsigned=vouch_for_unsigned)
            said = reason or f"rolled back from version {log[-1].version}"
            facts = replace(target.facts, reason=said, run=run)
            restores = target.model_version
            return self._append(folder, facts, log[-1], action="rollback", restores=restores)

    def sweep(self, older_than: float = ABANDONED_SECONDS) -> list[int]:
        """Take away the versions that killed promoters left this many seconds ago, and return their numbers."""
        left = [version.number for version in self.versions() if version.promotion is None]
        swept = [number for number in left if self.files.age(number) > older_than]
        for number in swept:
            self.files.withdraw(number)
        return swept

    def read_text(self, promotion: Promotion, name: str) -> str:
        """Return a text file of a version."""
        return self.store.read(self._key(f"{promotion.version}/{name}"))[0].decode()

    def since(self, sequence: int) -> list[Promotion]:
        """Return the states that came after a sequence number, oldest first."""
        champion = self.champion()
        if champion is None or champion.sequence <= sequence:
            return []
        return [*map(self._gap, range(sequence + 1, champion.sequence)), champion]

    def _append(
        self, folder: Path, facts: Facts, expected: Promotion | None, *, action: str, restores: int | None
    ) -> Promotion:
        self.files.require_key(expected)
        number, started = self.files.claim(facts.run), time.time()
        promotion = Promotion(
            sequence=expected.sequence + 1 if expected else 1,
            id=uuid.uuid4().hex,
            action=action,
            version=number,
            restores=restores,
            time=datetime.now(UTC).isoformat(timespec="seconds"),
            files_sha256=self.files.upload(folder, number),
            facts=facts,
        )
        if expected:
            self._record(expected)
        try:
            if time.time() - started > PROMOTION_SECONDS:
                raise LostRaceError(
                    f"Expected a promotion within {PROMOTION_SECONDS:g} s. Received: a slower one. Fix: Try again."
                )
            generation = self._move_pointer(promotion, expected)
        except LostRaceError:
            self.files.withdraw(number)
            raise
        with contextlib.suppress(StoreUnreachableError):  # the next promoter records it before it moves the pointer
            self._record(promotion)
        return replace(promotion, generation=generation)

    def _move_pointer(self, promotion: Promotion, expected: Promotion | None) -> Generation | None:
        """Compare and swap. A response lost on the way is looked up: the log tells whether we won."""
        generation = ABSENT if expected is None else expected.generation
        if generation is None:
            raise RegistryError("Expected the champion's state as `champion` returns it. Received: one from the log.")
        key = self._key(POINTER)
        try:
            return self.store.write(key, promotion.to_json(), if_generation=generation)
        except PreconditionFailedError as error:
            now = self.champion()
            if now and now.id == promotion.id:
                return now.generation
            if now and now.sequence > promotion.sequence and self._logged(self._log_key(promotion)).id == promotion.id:
                return None  # we won, and somebody else has won since
            held = f"version {now.version}" if now else "nothing"
            raise LostRaceError(
                f"Expected {self._held(expected)} of {self.name} as the champion still. Received: {held} is. "
                "Fix: Compare with it and try again."
            ) from error

    def _record(self, promotion: Promotion) -> None:
        """Write a state to the log once; whoever comes later finds it there."""
        try:
            self.store.write(self._log_key(promotion), promotion.to_json(), if_generation=ABSENT)
        except PreconditionFailedError:
            if self._logged(self._log_key(promotion)).id != promotion.id:
                raise RegistryError(
                    f"Expected the state {promotion.id} at {self.store.url}/{self._log_key(promotion)}. Received: "
                    "another one. Fix: Do not write to the log by hand."
                ) from None

    def _logged(self, key: str) -> Promotion:
        return Promotion.from_json(self.store.read(key)[0], f"{self.store.url}/{key}")

    def _gap(self, sequence: int) -> Promotion:
        """Return a state that was logged between the reading of the list and of the pointer."""
        key = self._key(f"log/{sequence:08d}.json")
        try:
            return self._logged(key)
        except NotFoundError as error:
            raise RegistryError(
                f"Expected a log without gaps. Received: no {self.store.url}/{key}. Fix: Restore that object."
            ) from error

    def _held(self, promotion: Promotion | None) -> str:
        return f"version {promotion.version}" if promotion else "no version"

    def _log_key(self, promotion: Promotion) -> str:
        return self._key(f"log/{promotion.sequence:08d}.json")

    def _key(self, key: str) -> str:
        return f"{self.name}/{key}"
