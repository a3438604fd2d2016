"""A stand-in for a cluster with Kubeflow Trainer: its API over HTTP, the pods of a TrainJob as processes here.

What JobSet does of the runtime's failurePolicy it does too: status 1 fails the job, any other loss restarts all pods.
"""

from __future__ import annotations

import json
import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from components.train.launch.train_job import SPECIFICATION
from deep_mnist.processes import Process, start_module
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = "kubeflow"
STEP_POD = {
    "metadata": {
        "name": "deep-mnist-run-1", "uid": "0f9c2a51-7d7a-4e0c-9d3e-5b7d1f0c2a51",
        "labels": {"pipeline/runid": "run-1", "deep-mnist/step": "train", "workflows.argoproj.io/workflow": "run"},
    },
    "spec": {
        "serviceAccountName": "deep-mnist-runner",
        "nodeSelector": {"pool": "gpu"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "imagePullSecrets": [{"name": "pull"}],
        "containers": [
            {"name": "wait", "image": "argoexec"},
            {
                "name": "main", "image": "registry.example/deep-mnist/train:0123456789abcdef",
                "env": [{"name": "KFP_POD_NAME", "value": "deep-mnist-run-1"}, {"name": "AWS_REGION", "value": "here"}],
            },
        ],
    },
}  # fmt: skip


class StandIn:
    """The cluster.

    Attributes:
        requests: (method, path) of every call.
        job: The TrainJob as it was posted; {} before.
        restarts: Of all pods together.
    """

    def __init__(self, folder: Path, *, installed: bool = True) -> None:
        self.folder, self.installed = folder, installed
        self.requests: list[tuple[str, str]] = []
        self.job: dict[str, Any] = {}
        self.restarts = 0
        self.pods: list[Process] = []
        self._lock = threading.Lock()
        (folder / "namespace").write_text(NAMESPACE)
        (folder / "token").write_text("a token")

    def answer(self, method: str, url: str, body: Any) -> tuple[int, Any]:
        """Return status and what is answered."""
        path = urlsplit(url).path
        with self._lock:
            self.requests.append((method, path))
            if path == "/apis/trainer.kubeflow.org/v1alpha1":
                return (200, {"resources": [{"name": "trainjobs"}]}) if self.installed else (404, {"code": 404})
            if method == "POST":
                self.job = body
                self._start()
                return 201, body
            if method == "DELETE":
                self.stop()
                return 200, {}
            if path.endswith("/log"):
                return 200, (self.folder / f"{re.search(r'pods/([^/]+)/log', path)[1]}.log").read_text()
            if path.endswith("/pods"):
                assert "jobset-name" in parse_qs(urlsplit(url).query)["labelSelector"][0]
                return 200, {"items": [{"metadata": {"name": f"node-0-{self.restarts}"}}] if self.job else []}
            if "/pods/" in path:
                return 200, STEP_POD
            return 200, {**self.job, "status": {"conditions": self._conditions()}}

    def _start(self) -> None:
        trainer = self.job["spec"]["trainer"]
        told = {each["name"]: each["value"] for each in trainer["env"]}
        specification = json.loads(told[SPECIFICATION])
        # In the place of the names that a JobSet's pods have in the cluster's DNS.
        specification["addresses"] = [f"127.0.0.1:{free_port()}" for _ in range(trainer["numNodes"])]
        told[SPECIFICATION] = json.dumps(specification)
        python, dash_m, module, *arguments = trainer["command"]
        assert (python, dash_m) == ("python3", "-m")
        self.pods = []
        for index in range(trainer["numNodes"]):
            log = (self.folder / f"node-{index}-{self.restarts}.log").open("w")
            environment = {**os.environ, **told, "JOB_COMPLETION_INDEX": str(index), "PYTHONUNBUFFERED": "1"}
            self.pods.append(
                start_module(module, arguments, folder=ROOT, environment=environment, output=log, errors=log)
            )

    def _conditions(self) -> list[dict[str, str]]:
        statuses = [pod.poll() for pod in self.pods]
        if all(status == 0 for status in statuses):
            return [{"type": "Complete", "status": "True", "message": "all done"}]
        if 1 in statuses:
            return [{"type": "Failed", "status": "True", "message": "fault-of-the-training"}]
        if any(statuses):
            self.stop()
            self.restarts += 1
            self._start()
        return []

    def stop(self) -> None:
        """End all pods."""
        for pod in self.pods:
            if pod.poll() is None:
                pod.kill()
            pod.wait()


def serve(cluster: StandIn) -> ThreadingHTTPServer:
    """Return a server that answers for a cluster, in a thread of its own; `shutdown` ends it."""

    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, found = cluster.answer(self.command, self.path, body)
            data = found.encode() if isinstance(found, str) else json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = do

        def log_message(self, *_arguments: Any) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
