"""One champion at a time, whoever races, whatever dies and whatever the network does."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from deep_mnist.registry.pointer import LostRaceError, Promotion, RegistryError
from deep_mnist.registry.registry import Registry
from deep_mnist.storage.address import is_store_address
from deep_mnist.storage.store import StorageError
from pipeline.models import models, rollback
from tests.support.fault_proxy import AFTER, BEFORE, QUICK, dead_from, no_fault, once, some_faults
from tests.support.remotes import Remote
from tests.support.versions import facts, make_folder

ROOT = Path(__file__).resolve().parents[3]
SERVED = {"saved_model.pb", "variables/data", "model_card.md", "version.json"}


def promote(registry: Registry, scratch: Path, content: str) -> Promotion:
    return registry.promote(make_folder(scratch / content, content), facts(content), expected=registry.champion())


def require_consistent(registry: Registry) -> list[Promotion]:
    """Check everything that must hold at any time and return the log."""
    log, champion = registry.log(), registry.champion()
    versions = registry.versions()

    assert list(range(1, len(log) + 1)) == [promotion.sequence for promotion in log]
    assert len(log) == len({promotion.id for promotion in log}) == len({promotion.version for promotion in log})
    assert [promotion.version for promotion in log] == sorted(promotion.version for promotion in log)
    assert (log[-1] if log else None) == champion
    assert {promotion.version for promotion in log} == {each.number for each in versions if each.promotion}
    return log


def require_whole(registry: Registry, promotion: Promotion, folder: Path) -> None:
    """Check that a version's files are all there, each the one that was promoted."""
    registry.files.download(promotion, folder)
    content = promotion.facts.model_digest.removeprefix("digest ")

    assert f"graph {content}" == (folder / "saved_model.pb").read_text()
    assert f"weights {content}" == (folder / "variables/data").read_text()


def direct(remote: Remote) -> Registry:
    """Return the registry without the proxy in between."""
    with remote.direct():
        return Registry(remote.url, "mnist")


@pytest.fixture
def url(address: str) -> str:
    return address


@pytest.fixture
def registry(url: str) -> Registry:
    return Registry(url, "mnist")


def test_nothing_is_promoted_at_first(registry: Registry) -> None:
    """An empty registry has no champion, no versions and no history."""
    assert registry.champion() is None
    assert [] == registry.versions() == registry.log()


def test_promotion_writes_what_servers_load(registry: Registry, tmp_path: Path) -> None:
    """A version is a numbered folder with the graph directly in it, and the pointer names it."""
    promotion = promote(registry, tmp_path, "a")

    assert (1, 1, "promote") == (promotion.version, promotion.sequence, promotion.action)
    assert {f"mnist/1/{name}" for name in SERVED} == set(registry.store.list("mnist/1/"))
    assert registry.champion() == promotion
    assert registry.champion().generation == promotion.generation
    require_whole(registry, promotion, tmp_path / "down")


def test_history_is_append_only(registry: Registry, tmp_path: Path) -> None:
    """Three promotions leave three log entries, the first as they were written first."""
    first = promote(registry, tmp_path, "a")
    before = registry.store.read("mnist/log/00000001.json")
    promote(registry, tmp_path, "b")
    third = promote(registry, tmp_path, "c")

    assert before == registry.store.read("mnist/log/00000001.json")
    assert [1, 2, 3] == [promotion.version for promotion in require_consistent(registry)]
    assert [third] == registry.since(2)
    assert ["former", "former", "champion"] == [each.state for each in registry.versions()]
    assert first == registry.log()[0]


def test_the_late_promoter_loses_and_leaves_nothing(registry: Registry, tmp_path: Path) -> None:
    """Of two that judged beside the same champion, the second loses, its version is gone, and it may try again."""
    seen = registry.champion()
    registry.promote(make_folder(tmp_path / "a", "a"), facts("a"), expected=seen)
    with pytest.raises(
        LostRaceError, match=r"Expected no version of mnist as the champion still\. Received: version 1 is"
    ):
        registry.promote(make_folder(tmp_path / "b", "b"), facts("b"), expected=seen)

    assert ["1"] == [name for name in registry.store.folders("mnist") if name.isdecimal()]
    assert 3 == registry.promote(tmp_path / "b", facts("b"), expected=registry.champion()).version


def test_rollback_is_a_new_version_of_the_earlier_model(registry: Registry, tmp_path: Path) -> None:
    """A rollback copies the earlier version to the highest number, so that servers load it, and says whose it is."""
    for content in "abc":
        promote(registry, tmp_path, content)
    back = registry.rollback(reason="c is slow")

    assert (4, 2, "rollback", "digest b") == (back.version, back.restores, back.action, back.facts.model_digest)
    assert "c is slow" == back.facts.reason
    require_whole(registry, back, tmp_path / "down")
    again = registry.rollback()

    assert (5, 1) == (again.version, again.restores)
    with pytest.raises(RegistryError, match="Name one with --to"):
        registry.rollback()
    assert 3 == registry.rollback(3).restores
    require_consistent(registry)


def test_wrong_rollbacks_are_refused(registry: Registry, tmp_path: Path) -> None:
    """There must be a champion, and the version must be an earlier one that is not the champion."""
    with pytest.raises(RegistryError, match="nothing was ever promoted"):
        registry.rollback()
    promote(registry, tmp_path, "a")
    promote(registry, tmp_path, "b")
    for version, received in ((7, "Received: 7"), (2, "its model is the champion already")):
        with pytest.raises(RegistryError, match=received):
            registry.rollback(version)

    assert 2 == len(require_consistent(registry))


def test_what_the_killed_left_is_swept_in_time(registry: Registry, tmp_path: Path) -> None:
    """A version that nobody chose goes when it is old; a fresh one may belong to a promoter at work and stays."""
    promote(registry, tmp_path, "a")
    registry.store.write("mnist/claims/2", b"killed\n")
    registry.store.upload_folder(make_folder(tmp_path / "b", "b"), "mnist/2")

    assert ["champion", "unpromoted"] == [version.state for version in registry.versions()]
    assert [] == registry.sweep()
    assert [2] == registry.sweep(older_than=-60)
    assert [1] == [version.number for version in registry.versions()]
    assert 3 == promote(registry, tmp_path, "c").version


def test_an_altered_version_is_not_used(registry: Registry, tmp_path: Path) -> None:
    """A file changed behind the registry's back is found by its SHA-256, and a rollback to it is refused."""
    first = promote(registry, tmp_path, "a")
    promote(registry, tmp_path, "b")
    registry.store.write("mnist/1/variables/data", b"weights x")
    with pytest.raises(RegistryError, match=r"1/variables/data with SHA-256"):
        registry.files.download(first, tmp_path / "down")
    with pytest.raises(RegistryError, match="SHA-256"):
        registry.rollback()
    registry.store.write("mnist/1/version.json", b"{}")
    with pytest.raises(RegistryError, match="an altered file"):
        registry.files.download(first, tmp_path / "down")

    assert 2 == registry.champion().version


def test_a_damaged_registry_says_so(registry: Registry, tmp_path: Path) -> None:
    """A gap in the log and a pointer of another form are named, with the fix."""
    for content in "abc":
        promote(registry, tmp_path, content)
    registry.store.delete("mnist/log/00000002.json")
    with pytest.raises(RegistryError, match=r"log/00000002\.json\. Fix: Restore"):
        registry.log()
    registry.store.write("mnist/champion.json", b'{"format": 2}')
    with pytest.raises(RegistryError, match="Restore that object"):
        registry.champion()


@pytest.mark.parametrize("name", ["", "1", "a/b", "..", "-x", "a b"])
def test_names_are_plain(tmp_path: Path, name: str) -> None:
    """A name that is a number or a path would be taken for something else."""
    with pytest.raises(RegistryError, match="Expected a model name"):
        Registry(str(tmp_path), name)


RACER = """
import os, sys, threading
from pathlib import Path
from deep_mnist.registry.pointer import LostRaceError
from deep_mnist.registry.registry import Registry
from tests.support.versions import facts, make_folder

url, scratch, process, threads = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
barrier = threading.Barrier(threads)

def race(number):
    content = f"{process}-{number}"
    registry = Registry(url, "mnist", patience=300)
    folder = make_folder(scratch / content, content)
    barrier.wait()
    try:
        said = f"won {registry.promote(folder, facts(content), expected=registry.champion()).version}\\n"
    except LostRaceError:
        said = "lost 0\\n"
    os.write(1, said.encode())  # one write a line: the threads share the pipe

racers = [threading.Thread(target=race, args=(number,)) for number in range(threads)]
[racer.start() for racer in racers], [racer.join() for racer in racers]
"""


def test_200_racing_promoters_leave_one_history(url: str, tmp_path: Path) -> None:
    """Many promoters (200 on a folder): each wins or loses, the log holds the winners and only them, nothing else."""
    processes, threads = (4, 10) if is_store_address(url) else (8, 25)
    arguments = [[url, str(tmp_path), str(process), str(threads)] for process in range(processes)]
    command = [sys.executable, "-c", RACER]
    running = [
        subprocess.Popen([*command, *each], cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ})
        for each in arguments
    ]
    said = [line.split() for racer in running for line in racer.communicate(timeout=200)[0].splitlines()]
    counts, won = Counter(word for word, _ in said), sorted(int(version) for word, version in said if word == "won")
    registry = Registry(url, "mnist")
    log = require_consistent(registry)

    assert processes * threads == sum(counts.values())
    assert won
    assert won == [promotion.version for promotion in log]
    assert won == [version.number for version in registry.versions()]
    require_whole(registry, log[-1], tmp_path / "down")


KILLED = """
import os, signal, sys
from pathlib import Path
from deep_mnist.registry.registry import Registry
from tests.support.versions import facts, make_folder

url, scratch = sys.argv[1], Path(sys.argv[2])
Registry(url, "mnist").promote(make_folder(scratch / "old", "old"), facts("old"), expected=None)
left = None
def hook(event, arguments):
    global left
    if left is not None and event.split(".")[0] in ("open", "os", "fcntl", "shutil"):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)

for point in range(1, 1000):
    child = os.fork()
    if child == 0:
        registry = Registry(url, "mnist")
        folder, expected = make_folder(scratch / f"new-{point}", f"new-{point}"), registry.champion()
        left = point
        registry.promote(folder, facts(f"new-{point}"), expected=expected)
        left = None
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    registry = Registry(url, "mnist", patience=5)
    promotion = registry.champion()
    registry.files.download(promotion, scratch / f"check-{point}")
    weights = (scratch / f"check-{point}" / "variables/data").read_text()
    whole = weights.split()[1] == promotion.facts.model_digest.split()[1]
    registry.versions()
    print(point, status, promotion.sequence, int(whole), len(registry.log()), flush=True)
    if status == 0:
        break
"""


def test_a_promoter_killed_anywhere_leaves_one_whole_champion(tmp_path: Path) -> None:
    """SIGKILL before each operation on files in turn: old or new is champion, whole; and the next promoter succeeds."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "registry"), str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        check=True,
    )
    rows = [list(map(int, line.split())) for line in done.stdout.splitlines()]
    *killed, (_, last, *_) = rows

    assert len(killed) > 40
    assert {9} == {status for _, status, *_ in killed}
    assert 0 == last
    assert {1} == {whole for *_, whole, _ in rows}
    assert all(sequence == entries for _, _, sequence, _, entries in rows)
    assert 2 <= rows[-1][2] < len(rows)  # some of the killed had moved the pointer already, most had not
    require_consistent(Registry(str(tmp_path / "registry"), "mnist"))


@pytest.mark.parametrize("fault", ["reset", "reset_after"])
def test_a_promoter_cut_off_anywhere_leaves_one_whole_champion(remote: Remote, tmp_path: Path, fault: str) -> None:
    """The network dies at each request in turn: old or new is champion, whole; and the next promoter succeeds."""
    unbroken = direct(remote)
    promote(unbroken, tmp_path, "old")
    reached, point, patience, through = 0, 1, 0.15, False
    for attempt in itertools.count():
        cut = Registry(remote.url, "mnist", patience=patience, timeout=patience + 0.05)
        folder, expected = make_folder(tmp_path / f"new-{attempt}", f"new-{attempt}"), unbroken.champion()
        remote.proxy.use(dead_from(point, fault))
        failed = False
        try:
            cut.promote(folder, facts(f"new-{attempt}"), expected=expected)
        except StorageError:
            failed = True
        broken = any(broken for _, _, broken in remote.proxy.seen)
        remote.proxy.use(no_fault)
        champion = unbroken.champion()

        assert champion.sequence in (expected.sequence, expected.sequence + 1)
        require_whole(unbroken, champion, tmp_path / f"down-{attempt}")
        assert champion == require_consistent(unbroken)[-1]
        through = not failed and not broken
        if through:
            break
        if failed and not broken:  # this machine was slower than the patience: the same point again
            patience *= 2
            continue
        reached, point = (point if failed else reached), point + 1

    assert through
    assert reached >= 8
    assert 2 <= champion.sequence


@pytest.mark.parametrize("fault", [*BEFORE, *AFTER])
def test_a_lost_answer_promotes_once(remote: Remote, tmp_path: Path, fault: str) -> None:
    """When the response to the very move of the pointer is lost, the promoter still learns that it won, once."""
    registry = Registry(remote.url, "mnist", timeout=0.25)
    remote.proxy.use(once(fault, *remote.wire.put))
    promote(registry, tmp_path, "a")
    moves = [0]

    def at_the_pointer(_number: int, method: str, path: str) -> str | None:
        if remote.moves_pointer(method, path):
            moves[0] += 1
            return fault if moves[0] == 1 else None
        return None

    remote.proxy.use(at_the_pointer)
    promotion = promote(registry, tmp_path, "b")
    remote.proxy.use(no_fault)

    assert 2 <= moves[0]
    assert (2, 2) == (promotion.version, promotion.sequence)
    assert promotion == require_consistent(registry)[-1]


def test_a_lost_answer_is_found_in_the_log_when_overtaken(remote: Remote, tmp_path: Path) -> None:
    """A promoter whose response was lost, and who was followed by another before it asked again, knows that it won."""
    registry, other = Registry(remote.url, "mnist"), direct(remote)
    promote(other, tmp_path, "a")
    states = ["before"]

    def lose_then_overtake(_number: int, method: str, path: str) -> str | None:
        if states[-1] == "before" and remote.moves_pointer(method, path):
            states.append("lost")
            return "reset_after"
        if states[-1] == "lost":
            states.append("overtaken")
            promote(other, tmp_path, "c")
        return None

    remote.proxy.use(lose_then_overtake)
    promotion = promote(registry, tmp_path, "b")
    log = require_consistent(other)

    assert ["before", "lost", "overtaken"] == states
    assert ["digest a", "digest b", "digest c"] == [each.facts.model_digest for each in log]
    assert promotion == log[1]


def test_racing_promoters_survive_a_bad_network(remote: Remote, tmp_path: Path) -> None:
    """Through a network that breaks 20 % of the requests, 4 promoters who try until they win leave 4 promotions."""
    remote.proxy.use(some_faults(0.2, seed=5, faults=QUICK))

    def until_won(content: str) -> None:
        registry = Registry(remote.url, "mnist")
        folder = make_folder(tmp_path / content, content)
        while True:
            try:
                registry.promote(folder, facts(content), expected=registry.champion())
                return
            except LostRaceError:
                continue

    promoters = [threading.Thread(target=until_won, args=(str(number),)) for number in range(4)]
    for promoter in promoters:
        promoter.start()
    for promoter in promoters:
        promoter.join()
    broken = sum(fault is not None for _, _, fault in remote.proxy.seen)
    remote.proxy.use(no_fault)
    registry = Registry(remote.url, "mnist")
    log = require_consistent(registry)

    assert broken > 10
    assert ["digest 0", "digest 1", "digest 2", "digest 3"] == sorted(promotion.facts.model_digest for promotion in log)
    assert [promotion.version for promotion in log] == [version.number for version in registry.versions()]
    for promotion in log:
        require_whole(registry, promotion, tmp_path / f"down-{promotion.version}")


def test_the_command_line_lists_shows_and_rolls_back(url: str, tmp_path: Path) -> None:
    """`models list`, `models show` and `rollback` say what the registry holds and does."""
    registry = Registry(url, "mnist")
    for content in "ab":
        promote(registry, tmp_path, content)
    call = CliRunner().invoke
    listed = call(models, ["list", "--store", url])
    rolled = call(rollback, ["--store", url, "--reason", "b is worse"])
    shown = call(models, ["show", "--store", url])
    as_json = json.loads(call(models, ["list", "--store", url, "--json"]).output)

    assert "champion" in listed.output
    assert rolled.output.startswith("ROLLED BACK name=mnist restores=1 version=3 was=2 accuracy=0.5000")
    assert "card a" in shown.output
    assert "rollback to 1 as version 3" in shown.output
    assert ["former", "former", "champion"] == [each["state"] for each in as_json["mnist"]]


def test_the_command_line_names_mistakes(tmp_path: Path) -> None:
    """A wrong name or version ends with exit status 1 and one line that says what there is."""
    call = CliRunner().invoke
    store = str(tmp_path / "registry")
    empty = call(rollback, ["--store", store])
    promote(Registry(store, "mnist"), tmp_path, "a")
    wrong = call(models, ["show", "--store", store, "--version", "9"])

    assert (1, 1) == (empty.exit_code, wrong.exit_code)
    assert "it holds no model yet" in empty.output
    assert "Expected one of the versions [1] of mnist. Received: 9." in wrong.output
    assert "No model in" in call(models, ["list", "--store", str(tmp_path / "none")]).output
