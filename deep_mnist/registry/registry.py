"""Which model reigns: immutable numbered versions and one pointer, moved by compare-and-swap.

    <registry>/<name>/champion.json        the pointer: which version reigns, since when, why
    <registry>/<name>/log/00000007.json    every state the pointer ever had, one object each, never rewritten
    <registry>/<name>/claims/4             taken numbers; a number is used once
    <registry>/<name>/4/                   one version, written once
        saved_model.pb variables/ assets/  what TensorFlow Serving and KServe load, written last
        model.keras preprocessing.json training.json evaluation.json model_card.md model_card.json
        golden_requests.npz                requests with their right answers, to try a server with
        version.json                       size and SHA-256 of each file

Point TensorFlow Serving or KServe at `<registry>/<name>`: they load the highest number. A version is written
before the pointer moves and taken away when the promotion is lost, and a rollback writes the earlier model as a
new version, so the highest number is the champion. The one exception is a promoter killed between the two:
its version is whole and fit, but nobody chose it; `sweep`, at each publishing, takes it away a day later.
`champion.json` always says the truth.

Whatever is killed, and whenever, the pointer names a whole version: the move is one conditional write. Before
the pointer leaves a state, that state is in the log; so the log has no gaps, and a promoter whose answer was lost
on the way finds out there whether it won.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import random
import re
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from deep_mnist.storage.open import open_store
from deep_mnist.storage.store import (
    ABSENT,
    PATIENCE_SECONDS,
    TIMEOUT_SECONDS,
    Generation,
    NotFoundError,
    PreconditionFailedError,
    StoreUnreachableError,
    sha256_of_file,
)

POINTER = "champion.json"
VERSION_FILE = "version.json"
SERVED_FILE = "saved_model.pb"
READERS = 8
# A promoter gives up long before its version counts as abandoned, so no pointer ever names one that was swept.
PROMOTION_SECONDS = 6 * 3600.0
ABANDONED_SECONDS = 24 * 3600.0
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,127}")


class RegistryError(ValueError):
    """A registry that does not hold what it should, or a wrong request to it."""


class LostRaceError(RegistryError):
    """Another promoter moved the pointer since it was read; nothing of ours is left in the registry."""


@dataclass(frozen=True)
class Facts:
    """What is known of a model when it is promoted; all of it goes to the log.

    Attributes:
        model_digest: SHA-256 of the network's configuration and weights.
        data_digest: Of the dataset it was trained on.
        test_digest: Of the test split it was judged on.
        accuracy: Share of that split it has right, 0..1.
        examples: How many that split has.
        reason: Why it was promoted.
        run: Name of the run.
    """

    model_digest: str
    data_digest: str
    test_digest: str
    accuracy: float
    examples: int
    reason: str
    run: str


@dataclass(frozen=True)
class Reign:
    """One state of the pointer.

    Attributes:
        sequence: 1, 2, 3…: the pointer's states in order, without gaps.
        id: Unique to this state.
        action: "promote" or "rollback".
        version: The version that reigns.
        restores: After a rollback, the earlier version whose copy this is.
        time: UTC, ISO 8601.
        files_sha256: SHA-256 of the version's version.json.
        facts: Of the model.
        generation: The pointer object's generation while this is its state; absent in the log.
    """

    sequence: int
    id: str
    action: str
    version: int
    restores: int | None
    time: str
    files_sha256: str
    facts: Facts
    generation: Generation | None = field(default=None, compare=False)

    @property
    def model_version(self) -> int:
        """The version under which this model first reigned."""
        return self.restores or self.version

    def to_json(self) -> bytes:
        state = {name: value for name, value in asdict(self).items() if name != "generation"}
        return (json.dumps({"format": 1, **state}, indent=1) + "\n").encode()

    @classmethod
    def from_json(cls, data: bytes, where: str, generation: Generation | None = None) -> Reign:
        try:
            state = json.loads(data)
            if state.pop("format") != 1:
                raise ValueError("another format")
            return cls(**{**state, "facts": Facts(**state["facts"])}, generation=generation)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise RegistryError(
                f"Expected a pointer's state, format 1, at {where}. Received: {error}. Restore that object."
            ) from error


@dataclass(frozen=True)
class Version:
    """A numbered folder of the registry.

    Attributes:
        state: "champion", "former", or "unpromoted": left by a promoter that is at work or was killed.
    """

    number: int
    state: str
    reign: Reign | None


class Registry:
    """The versions of one model."""

    def __init__(
        self, url: str, name: str, *, patience: float = PATIENCE_SECONDS, timeout: float = TIMEOUT_SECONDS
    ) -> None:
        if not _NAME.fullmatch(name):
            raise RegistryError(f"Expected a model name of letters, digits, '.', '_', '-'. Received: {name!r}")
        self.store = open_store(url, patience=patience, timeout=timeout)
        self.name = name

    def uri(self, version: int) -> str:
        """Return the address of a version's folder."""
        return f"{self.store.url}/{self.name}/{version}"

    def champion(self) -> Reign | None:
        """Return the reigning state with its generation, or None when nothing was ever promoted."""
        key = self._key(POINTER)
        try:
            data, generation = self.store.read(key)
        except NotFoundError:
            return None
        return Reign.from_json(data, f"{self.store.url}/{key}", generation)

    def log(self) -> list[Reign]:
        """Return every state the pointer had, oldest first, without gaps.

        Raises:
            RegistryError: An object of the log is missing: somebody deleted it.
        """
        keys = self.store.list(self._key("log/"))
        with ThreadPoolExecutor(READERS) as pool:  # a log of years is a thousand small objects
            reigns = {each.sequence: each for each in pool.map(self._logged, keys)}
        champion = self.champion()  # after the list, so nothing listed is later than this
        if champion:
            reigns[champion.sequence] = champion
        for sequence in set(range(1, max(reigns, default=0))) - set(reigns):
            reigns[sequence] = self._gap(sequence)
        return [reigns[sequence] for sequence in sorted(reigns)]

    def versions(self) -> list[Version]:
        """Return the versions in the registry, oldest first."""
        reigns = {reign.version: reign for reign in self.log()}
        current = max((reign.sequence for reign in reigns.values()), default=0)

        def state(reign: Reign | None) -> str:
            if reign is None:
                return "unpromoted"
            return "champion" if reign.sequence == current else "former"

        return [Version(number, state(reigns.get(number)), reigns.get(number)) for number in self._numbers()]

    def withdrawn(self) -> frozenset[str]:
        """Return the digests of the models that a rollback took away and none brought back."""
        taken: set[str] = set()
        log = self.log()
        for before, now in itertools.pairwise(log):
            if now.action == "rollback":
                taken.add(before.facts.model_digest)
                taken.discard(now.facts.model_digest)
        return frozenset(taken)

    def promote(self, folder: Path, facts: Facts, *, expected: Reign | None) -> Reign:
        """Upload a model as the next version and let it reign, if `expected` still does.

        Raises:
            LostRaceError: Something else reigns by now; the uploaded version is gone again.
        """
        return self._enthrone(folder, facts, expected, action="promote", restores=None)

    def rollback(self, to: int | None = None, *, reason: str = "", run: str = "") -> Reign:
        """Let an earlier version's model reign again, as a new version; by default the one before the champion's.

        Raises:
            RegistryError: There is no such version, or it is the champion.
            LostRaceError: The pointer moved in the meantime.
        """
        log = self.log()
        if not log:
            raise RegistryError(f"Expected a champion of {self.name}. Received: none; nothing was ever promoted.")
        target = _rollback_target(log, to, self.name)
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            self.download(target, folder)
            said = reason or f"rolled back from version {log[-1].version}"
            facts = replace(target.facts, reason=said, run=run)
            restores = target.model_version
            return self._enthrone(folder, facts, log[-1], action="rollback", restores=restores)

    def download(self, reign: Reign, folder: Path) -> None:
        """Write a version's files to `folder`, each checked against the SHA-256 that the pointer vouches for."""
        key = self._key(f"{reign.version}/{VERSION_FILE}")
        data, _ = self.store.read(key)
        where = self.uri(reign.version)
        if hashlib.sha256(data).hexdigest() != reign.files_sha256:
            raise RegistryError(f"Expected {where}/{VERSION_FILE} as promoted. Received: an altered file. {_MEND}")
        for name, entry in json.loads(data)["files"].items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            self.store.download_file(self._key(f"{reign.version}/{name}"), path)
            received = sha256_of_file(path)
            if received != entry["sha256"]:
                raise RegistryError(
                    f"Expected {where}/{name} with SHA-256 {entry['sha256']}. Received: {received}. {_MEND}"
                )

    def sweep(self, older_than: float = ABANDONED_SECONDS) -> list[int]:
        """Take away the versions that killed promoters left this many seconds ago, and return their numbers."""
        left = [version.number for version in self.versions() if version.reign is None]
        swept = [number for number in left if self._age(number) > older_than]
        for number in swept:
            self._withdraw(number)
        return swept

    def read_text(self, reign: Reign, name: str) -> str:
        """Return a text file of a version."""
        return self.store.read(self._key(f"{reign.version}/{name}"))[0].decode()

    def since(self, sequence: int) -> list[Reign]:
        """Return the states that came after a sequence number, oldest first."""
        champion = self.champion()
        if champion is None or champion.sequence <= sequence:
            return []
        return [*map(self._gap, range(sequence + 1, champion.sequence)), champion]

    def _enthrone(
        self, folder: Path, facts: Facts, expected: Reign | None, *, action: str, restores: int | None
    ) -> Reign:
        number, started = self._claim(facts.run), time.time()
        reign = Reign(
            sequence=expected.sequence + 1 if expected else 1,
            id=uuid.uuid4().hex,
            action=action,
            version=number,
            restores=restores,
            time=datetime.now(UTC).isoformat(timespec="seconds"),
            files_sha256=self._upload(folder, number),
            facts=facts,
        )
        if expected:
            self._record(expected)
        try:
            if time.time() - started > PROMOTION_SECONDS:
                raise LostRaceError(
                    f"Expected a promotion within {PROMOTION_SECONDS:g} s. Received: a slower one. Try again."
                )
            generation = self._move_pointer(reign, expected)
        except LostRaceError:
            self._withdraw(number)
            raise
        with contextlib.suppress(StoreUnreachableError):  # the next promoter records it before it moves the pointer
            self._record(reign)
        return replace(reign, generation=generation)

    def _claim(self, run: str) -> int:
        """Return a number that nobody has and nobody else will get."""
        taken = [int(key.rpartition("/")[2]) for key in self.store.list(self._key("claims/"))]
        number, collisions = max([0, *taken, *self._numbers()]), 0
        while True:
            # Alone, the next number; in a crowd, strides that spread it out.
            number += random.randint(1, 1 + collisions)
            try:
                self.store.write(self._key(f"claims/{number}"), f"{run}\n".encode(), if_generation=ABSENT)
            except PreconditionFailedError:
                collisions += 1
                continue
            return number

    def _upload(self, folder: Path, number: int) -> str:
        """Write the version's files, what servers look for at the end; return the SHA-256 of version.json."""
        files = {
            path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": sha256_of_file(path)}
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != VERSION_FILE
        }
        data = (json.dumps({"format": 1, "version": number, "files": files}, indent=1) + "\n").encode()
        (folder / VERSION_FILE).write_bytes(data)
        self.store.upload_folder(folder, self._key(str(number)), last=SERVED_FILE)
        return hashlib.sha256(data).hexdigest()

    def _move_pointer(self, reign: Reign, expected: Reign | None) -> Generation | None:
        """Compare and swap. An answer lost on the way is looked up: the log tells whether we won."""
        generation = ABSENT if expected is None else expected.generation
        if generation is None:
            raise RegistryError("Expected the champion's state as `champion` returns it. Received: one from the log.")
        key = self._key(POINTER)
        try:
            return self.store.write(key, reign.to_json(), if_generation=generation)
        except PreconditionFailedError as error:
            now = self.champion()
            if now and now.id == reign.id:
                return now.generation
            if now and now.sequence > reign.sequence and self._logged(self._log_key(reign)).id == reign.id:
                return None  # we reigned, and somebody else does already
            held = f"version {now.version}" if now else "nothing"
            raise LostRaceError(
                f"Expected {self._held(expected)} of {self.name} to reign still. Received: {held} does. "
                "Compare with it and try again."
            ) from error

    def _record(self, reign: Reign) -> None:
        """Write a state to the log once; whoever comes later finds it there."""
        try:
            self.store.write(self._log_key(reign), reign.to_json(), if_generation=ABSENT)
        except PreconditionFailedError:
            if self._logged(self._log_key(reign)).id != reign.id:
                raise RegistryError(
                    f"Expected the state {reign.id} at {self.store.url}/{self._log_key(reign)}. Received: another "
                    "one. Do not write to the log by hand."
                ) from None

    def _age(self, number: int) -> float:
        """Return the seconds since a number was claimed; without a claim, none of ours wrote it."""
        try:
            return time.time() - float(self.store.describe(self._key(f"claims/{number}"))["modified"])
        except NotFoundError:
            return 0.0

    def _withdraw(self, number: int) -> None:
        """Take an unpromoted version away, what servers look for first."""
        keys = self.store.list(self._key(f"{number}/"))
        for key in sorted(keys, key=lambda key: not key.endswith(f"/{SERVED_FILE}")):
            self.store.delete(key)

    def _logged(self, key: str) -> Reign:
        return Reign.from_json(self.store.read(key)[0], f"{self.store.url}/{key}")

    def _gap(self, sequence: int) -> Reign:
        """Return a state that was logged between the reading of the list and of the pointer."""
        key = self._key(f"log/{sequence:08d}.json")
        try:
            return self._logged(key)
        except NotFoundError as error:
            raise RegistryError(
                f"Expected a log without gaps. Received: no {self.store.url}/{key}. Restore that object."
            ) from error

    def _numbers(self) -> Sequence[int]:
        return sorted(int(name) for name in self.store.folders(self.name) if name.isdecimal())

    def _held(self, reign: Reign | None) -> str:
        return f"version {reign.version}" if reign else "no version"

    def _log_key(self, reign: Reign) -> str:
        return self._key(f"log/{reign.sequence:08d}.json")

    def _key(self, key: str) -> str:
        return f"{self.name}/{key}"


_MEND = "Roll back to another version, or restore the file."


def _rollback_target(log: Sequence[Reign], to: int | None, name: str) -> Reign:
    """Return the state whose model shall reign again."""
    current = log[-1].model_version
    by_version: Mapping[int, Reign] = {reign.version: reign for reign in log}
    if to is not None:
        if to not in by_version or by_version[to].model_version == current:
            known = sorted(reign.version for reign in log if reign.model_version != current)
            raise RegistryError(
                f"Expected one of the earlier versions {known} of {name}. Received: {to}"
                f"{' (its model reigns already)' if to in by_version else ''}."
            )
        return by_version[to]
    earlier = [reign for reign in log if reign.action == "promote" and reign.version < current]
    if not earlier:
        raise RegistryError(
            f"Expected a version of {name} before {current} to roll back to. Received: none. Name one with --to."
        )
    return earlier[-1]
