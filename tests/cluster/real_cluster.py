"""The cluster that the tests run against, as a user sees it: the project's own commands, kubectl, the object store.

Everything made bears the session's own name and is removed at the end: runs, schedules and experiments through
Kubeflow's API, resources through kubectl, objects in the store. What docs/cluster.md has one set is all that is needed:

    KF_PIPELINES_ENDPOINT, KF_PIPELINES_NAMESPACE   Kubeflow's API
    DEEP_MNIST_IMAGES, DEEP_MNIST_TAG               images that the nodes can pull
    DEEP_MNIST_STORE                                gs:// or s3://, reached by pods and from here
    DEEP_MNIST_SERVICE_ACCOUNT                      of the steps
    a kubeconfig                                    for kubectl; the namespace is KF_PIPELINES_NAMESPACE or `kubeflow`
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from deep_mnist.storage.open import open_store
from pipeline.cluster.connection import ClusterError, Connection
from pipeline.cluster.submit import experiment_id
from tests.support.digits import draw_digits
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
ENDPOINT = "KF_PIPELINES_ENDPOINT"
NEEDED = (ENDPOINT, "DEEP_MNIST_IMAGES", "DEEP_MNIST_TAG", "DEEP_MNIST_STORE")
AT_ONCE = 3  # runs in the background
RUN_SECONDS = 900.0  # until a run must have ended; they wait for each other on a small node
EASY = ("-p", "min_accuracy=0.05", "-p", "min_class_accuracy=0")


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    status: int
    output: str

    @property
    def run_id(self) -> str:
        return run_in(self.output)

    @property
    def lines(self) -> list[str]:
        return [" ".join(line.split()) for line in self.output.splitlines()]


def run_in(output: str) -> str:
    """Return the id of the run that a command has started, "" before."""
    found = re.search(r"\bSTARTED run=(\S+)", output)
    return found[1] if found else ""


@dataclass
class Cluster:
    """One session with a cluster.

    Attributes:
        name: Of this session; part of every name that is made.
        namespace: Where pods run.
        environment: Of the commands.
    """

    name: str
    namespace: str
    folder: Path
    environment: dict[str, str]
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(AT_ONCE))
    _later: dict[str, Future[Ended]] = field(default_factory=dict)
    _made: list[str] = field(default_factory=list)

    # --- commands ----------------------------------------------------------------------------------------------

    def command(self, *arguments: str, timeout: float = RUN_SECONDS, **environment: str) -> Ended:
        """Run `python -m pipeline …` to its end."""
        with self.started(*arguments, **environment) as begun:
            return begun.wait(timeout)

    @contextmanager
    def started(self, *arguments: str, **environment: str) -> Iterator[Begun]:
        """Run it beside the test, and end it with the context."""
        path = self.folder / f"{uuid.uuid4().hex[:8]}.log"
        surroundings = {**self.environment, **environment}
        with path.open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "pipeline", *arguments], cwd=ROOT, env=surroundings, stdout=log, stderr=log
            )
        try:
            yield Begun(process, path)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()

    def submission(self, name: str, *more: str, epochs: int = 1, data: str = "digits", model: str = "") -> list[str]:
        """Return the arguments of a run that is watched to its end; registry and experiment are the session's."""
        return [
            "submit", "--wait", "--store", self.store, "--experiment", self.name, "--run-name", f"{self.name}-{name}",
            "--model-name", f"{self.name}-{model or name}", "--dataset", self.data(data), "--epochs", str(epochs),
            "--poll", "2", *EASY, *more,
        ]  # fmt: skip

    def later(self, name: str, made: Callable[[], Ended]) -> None:
        """Do something in the background; `result` waits for it."""
        if name not in self._later:
            self._later[name] = self._pool.submit(made)

    def result(self, name: str) -> Ended:
        return self._later[name].result(RUN_SECONDS * 2)

    def wait_for_all(self) -> None:
        """Wait for what is done in the background, whatever comes of it."""
        for each in self._later.values():
            with suppress(Exception):
                each.result(RUN_SECONDS * 2)

    # --- the store ---------------------------------------------------------------------------------------------

    @property
    def store(self) -> str:
        return f"{self.environment['DEEP_MNIST_STORE'].rstrip('/')}/{self.name}"

    def data(self, name: str) -> str:
        return f"{self.store}/data/{name}"

    def put_digits(self, name: str, change: Callable[[dict[str, np.ndarray]], object] = lambda _arrays: None) -> None:
        """Write 2,000 and 400 digits to the store, changed."""
        arrays: dict[str, np.ndarray] = {}
        for split, count, seed in (("train", 2000, 0), ("test", 400, 1)):
            arrays[f"{split}_images"], arrays[f"{split}_labels"] = draw_digits(count, seed)
        change(arrays)
        target = open_store(self.data(name))
        for each, array in arrays.items():
            path = self.folder / "array.npy"
            np.save(path, array, allow_pickle=False)
            target.upload_file(path, f"{each}.npy")

    # --- Kubernetes --------------------------------------------------------------------------------------------

    def kubectl(self, *arguments: str, text: str = "", check: bool = True) -> str:
        """Run kubectl in the namespace."""
        command = [kubectl(), "-n", self.namespace, *arguments]
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=300)
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)}: {done.stderr}")
        return done.stdout

    def apply(self, *resources: dict[str, Any]) -> None:
        """Apply resources; they are removed at the end."""
        self.kubectl("apply", "-f", "-", text="\n---\n".join(json.dumps(each) for each in resources))
        self._made += [f"{each['kind'].lower()}/{each['metadata']['name']}" for each in resources]

    def pods(self, run_id: str, step: str = "") -> list[dict[str, Any]]:
        """Return the pods of a run, of one step: drivers bear no step's label."""
        labels = f"pipeline/runid={run_id}" + (f",deep-mnist/step={step}" if step else "")
        return json.loads(self.kubectl("get", "pods", "-l", labels, "-o", "json"))["items"]

    def steps_with_pods(self, run_id: str) -> set[str]:
        """Return the steps of a run for which there ever was a pod, by its Workflow, which outlives them."""
        found = json.loads(self.kubectl("get", "workflows", "-l", f"pipeline/runid={run_id}", "-o", "json"))["items"]
        nodes = [node for each in found for node in each["status"].get("nodes", {}).values() if node["type"] == "Pod"]
        return {part for node in nodes for part in re.split(r"[.(]", node["name"])}

    def running(self, run_id: str, step: str, *, said: str = "", seconds: float = RUN_SECONDS) -> str:
        """Return the name of a step's pod once it runs and its log says something."""

        def look() -> str:
            names = [
                each["metadata"]["name"] for each in self.pods(run_id, step)
                if each["status"].get("phase") == "Running" and not each["metadata"].get("deletionTimestamp")
            ]  # fmt: skip
            logs = {name: self.kubectl("logs", name, "-c", "main", check=False) for name in names} if said else {}
            return next((name for name in names if not said or said in logs[name]), "")

        return wait_until(look, f"a pod of {step} in run {run_id} that says {said!r}", seconds)

    def in_training(self, pod: str, program: str) -> None:
        """Run a line of Python in a step's own container; it may be ended by what it does."""
        self.kubectl("exec", pod, "-c", "main", "--", "python3", "-c", program, check=False)

    def deployed(self, name: str) -> bool:
        return bool(self.kubectl("get", "deployment", name, "--ignore-not-found", "-o", "name").strip())

    def versions(self) -> dict[str, str]:
        """Return the versions that the session meets, "" for one that nobody tells."""
        server = json.loads(self.kubectl("version", "-o", "json", check=False) or "{}").get("serverVersion", {})
        path = "jsonpath={.spec.template.spec.containers[0].image}"
        controller = self.kubectl("get", "deployment", "workflow-controller", "-o", path, check=False)
        return {
            "kubernetes": str(server.get("gitVersion", "")),
            "kubeflow": self.connection().version,
            "argo": controller.rpartition(":")[2],
        }

    @contextmanager
    def away(self, deployment: str, seconds: float) -> Iterator[None]:
        """Take a deployment away for some seconds; it is back, and ready, when the context ends."""
        before = self.kubectl("get", "deployment", deployment, "-o", "jsonpath={.spec.replicas}").strip() or "1"
        self.kubectl("scale", f"deployment/{deployment}", "--replicas=0")
        try:
            time.sleep(seconds)  # the outage itself
            yield
        finally:
            self.kubectl("scale", f"deployment/{deployment}", f"--replicas={before}")
            self.kubectl("rollout", "status", f"deployment/{deployment}", "--timeout=300s")

    # --- Kubeflow's API ----------------------------------------------------------------------------------------

    def connection(self) -> Connection:
        return Connection(self.environment[ENDPOINT], namespace=self.environment.get("KF_PIPELINES_NAMESPACE", ""))

    def terminate(self, run_id: str) -> None:
        """As the UI's button does."""
        connection = self.connection()
        connection.call(connection.runs.run_service_terminate_run, run_id)

    def runs(self, experiment: str = "") -> list[Any]:
        """Return the runs of an experiment, the session's own by default, the newest first."""
        connection = self.connection()
        identity = experiment_id(connection, experiment or self.name, create=False)
        if not identity:
            return []
        found = connection.call(
            connection.runs.run_service_list_runs, experiment_id=identity, page_size=100, sort_by="created_at desc"
        )
        return found.runs or []

    # --- the end -----------------------------------------------------------------------------------------------

    def clean(self, *experiments: str) -> None:
        """Remove everything that the session made; what cannot be removed is said, and nothing else is left for it."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        for experiment in (self.name, *experiments):
            self._try(lambda experiment=experiment: self._remove_experiment(experiment))
        for resource in self._made:
            self._try(lambda resource=resource: self.kubectl("delete", resource, "--ignore-not-found", "--wait=false"))
        self._try(self._empty_store)

    def _remove_experiment(self, experiment: str) -> None:
        connection = self.connection()
        identity = experiment_id(connection, experiment, create=False)
        if not identity:
            return
        schedules = connection.call(
            connection.recurring.recurring_run_service_list_recurring_runs, experiment_id=identity, page_size=100
        )
        for each in schedules.recurring_runs or []:
            connection.call(connection.recurring.recurring_run_service_delete_recurring_run, each.recurring_run_id)
        for run in self.runs(experiment):
            with suppress(ClusterError):  # it has ended
                connection.call(connection.runs.run_service_terminate_run, run.run_id)
            connection.call(connection.runs.run_service_delete_run, run.run_id)
            self.kubectl("delete", "workflows", "-l", f"pipeline/runid={run.run_id}", "--wait=false", check=False)
        connection.call(connection.experiments.experiment_service_delete_experiment, identity)

    def _empty_store(self) -> None:
        store = open_store(self.store)
        for key in store.list():
            store.delete(key)

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except Exception as error:
            print(f"cleaning up: {error}", file=sys.stderr)


@dataclass(frozen=True)
class Begun:
    """A command that goes on beside the test."""

    process: subprocess.Popen[bytes]
    path: Path

    @property
    def output(self) -> str:
        return self.path.read_text()

    def run_id(self, seconds: float = 120.0) -> str:
        """Return the id of the run that it has started."""
        return wait_until(lambda: run_in(self.output), f"a started run in {self.output!r}", seconds)

    def wait(self, seconds: float = RUN_SECONDS) -> Ended:
        return Ended(self.process.wait(seconds), self.output)


def wait_until(look: Callable[[], Any], what: str, seconds: float, pause: float = 1.0) -> Any:
    """Return the first true answer."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := look():
            return answer
        time.sleep(pause)
    raise AssertionError(f"Expected {what} within {seconds:g} s. Received: none.")


def kubectl() -> str:
    beside = Path(sys.executable).parent / "kubectl"
    return os.environ.get("KUBECTL") or (str(beside) if beside.exists() else shutil.which("kubectl") or "kubectl")


@contextmanager
def forwarded(namespace: str, target: str, port: int) -> Iterator[str]:
    """Forward a local port to a Service or Deployment, again whenever its pod goes; yield the address."""
    local, over = free_port(), threading.Event()
    command = [kubectl(), "-n", namespace, "port-forward", target, f"{local}:{port}"]
    children: list[subprocess.Popen[bytes]] = []

    def forward() -> None:
        while not over.is_set():
            children[:] = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)]
            children[0].wait()
            over.wait(1.0)

    thread = threading.Thread(target=forward, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{local}"
    finally:
        over.set()
        for each in children:
            each.kill()
        thread.join(10)


def is_local(address: str) -> bool:
    return (urlsplit(address).hostname or "") in ("localhost", "127.0.0.1", "::1")
