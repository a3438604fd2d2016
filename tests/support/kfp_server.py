"""A stand-in for the Kubeflow Pipelines API on loopback: it keeps what it is sent and responds as the real one.

It proves the shape of what we send, not that a cluster runs it. Every body is decoded with the generated client's own
models (an unknown field is an error), every definition is parsed back as IR and as Kubernetes settings, a cron
expression must have six fields. Errors are answered in the API's form.
"""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from datetime import UTC, datetime
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kfp_server_api
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from pipeline.kfp_patches import import_settings_without_client
from tests.support.argo import Workflow

ROOT = "/apis/v2beta1"


class RefusalError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class KfpServer(ThreadingHTTPServer):
    """Start with `with KfpServer() as server:`; `server.url` is its address.

    Attributes:
        requests: (method, path) of each request, in order.
        created: The decoded bodies of what was created, by kind.
        recurring: Recurring runs by id, as JSON.
        progress: Every run at each look at it, the last one from then on.
        logs: Pod name -> its log.
        cut_logs: Pods whose log breaks off with an error.
        made_at: When all recurring runs were made, "" for as it was: Kubeflow's time is in whole seconds.
        meet: If set, lists of recurring runs wait there for one another.
    """

    daemon_threads = True

    def __init__(self, *, version: str = "2.17.0", multi_user: bool = False, token: str = "", delay: float = 0) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.version, self.multi_user, self.token, self.delay = version, multi_user, token, delay
        self.namespaces = {"team-a"}
        self.fail: dict[tuple[str, str], list[int]] = {}
        self.switch_refusals: list[int] = []
        self.page: str | None = None
        self.requests: list[tuple[str, str]] = []
        self.headers: list[Any] = []
        self.created: dict[str, list[Any]] = {"experiments": [], "runs": [], "recurringruns": [], "pipelines": []}
        self.experiments: dict[str, dict] = {}
        self.pipelines: dict[str, dict] = {}
        self.versions: dict[str, dict] = {}
        self.runs: dict[str, dict] = {}
        self.recurring: dict[str, dict] = {}
        self.progress: list[Workflow] = [Workflow(prepare="Succeeded")]
        self.logs: dict[str, str] = {}
        self.cut_logs: set[str] = set()
        self.shown: Workflow | None = None
        self.made_at = ""
        self.meet: threading.Barrier | None = None
        self.lock = threading.Lock()
        self._looks = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> KfpServer:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *reason: object) -> None:
        self.shutdown()
        self.server_close()

    def sent(self, method: str, part: str = "") -> list[str]:
        return [path for verb, path in self.requests if verb == method and part in path]

    def look(self, run: dict) -> dict:
        shown = self.progress[min(self._looks, len(self.progress) - 1)]
        self._looks += 1
        self.shown = shown
        details = {"task_details": shown.task_details()}
        return {**run, "state": shown.state, "state_history": shown.state_history(), "run_details": details}


def decoded(body: dict, model: str) -> Any:
    """Return the body as the generated client's model; a field that it does not know is refused."""
    cls = getattr(kfp_server_api, model)
    if unknown := set(body) - set(cls.attribute_map.values()):
        raise RefusalError(400, f"unknown fields {sorted(unknown)}")
    response = SimpleNamespace(data=json.dumps(body))
    return kfp_server_api.ApiClient().deserialize(response, model)


def parsed_definition(pipeline: dict, platform: dict) -> tuple[Any, Any]:
    """Return the IR and the platform spec as protocol buffers; each executor's settings must parse too."""
    import_settings_without_client()
    from kfp.kubernetes.kubernetes_executor_config_pb2 import KubernetesExecutorConfig

    spec = json_format.ParseDict(pipeline, pipeline_spec_pb2.PipelineSpec())
    platform_spec = json_format.ParseDict(platform, pipeline_spec_pb2.PlatformSpec())
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    for settings in executors.values():
        json_format.ParseDict(settings, KubernetesExecutorConfig())
    return spec, platform_spec


class Handler(BaseHTTPRequestHandler):
    server: KfpServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def do_DELETE(self) -> None:
        self._serve("DELETE")

    def _serve(self, method: str) -> None:
        self.body = self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = urlsplit(self.path)
        self.query = {key: each[0] for key, each in parse_qs(parts.query).items()}
        self.server.requests.append((method, parts.path))
        self.server.headers.append(dict(self.headers))
        time.sleep(self.server.delay)
        try:
            if self.server.page is not None:
                return self._send(200, self.server.page.encode(), "text/html")
            pending = self.server.fail.get((method, parts.path.removeprefix(ROOT)), [])
            if pending:
                raise RefusalError(pending.pop(0), "asked to fail")
            if self.server.meet and (method, parts.path) == ("GET", f"{ROOT}/recurringruns"):
                self.server.meet.wait(60)
            with self.server.lock:
                response = self._answer(method, parts.path)
        except RefusalError as refusal:
            response = {"error": str(refusal), "code": 7, "message": str(refusal), "details": []}
            return self._send(refusal.status, json.dumps(response).encode())
        except (ValueError, KeyError, TypeError, json_format.ParseError) as error:
            return self._send(400, json.dumps({"message": f"{type(error).__name__}: {error}"}).encode())
        self._send(200, response if isinstance(response, bytes) else json.dumps(response).encode())

    def _send(self, status: int, data: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _answer(self, method: str, path: str) -> Any:
        if path == f"{ROOT}/healthz":
            return {"commit_sha": "0", "tag_name": self.server.version, "multi_user": self.server.multi_user}
        self._authorize()
        for verb, pattern, handle in ROUTES:
            match = re.fullmatch(pattern, path)
            if verb == method and match:
                return handle(self, *match.groups())
        raise RefusalError(404, f"no route {method} {path}")

    def _authorize(self) -> None:
        if self.server.token and self.headers.get("authorization") != f"Bearer {self.server.token}":
            raise RefusalError(401, "Unauthenticated: there is no user identity header")

    def _namespace(self, namespace: str | None) -> None:
        if self.server.multi_user and namespace not in self.server.namespaces:
            raise RefusalError(403, f"User 'u' is not authorized with reason: (request: namespace:{namespace!r})")

    def list_experiments(self) -> Any:
        self._namespace(self.query.get("namespace"))
        return {"experiments": _filtered(self.server.experiments, self.query, name="display_name")}

    def create_experiment(self) -> Any:
        experiment = decoded(json.loads(self.body), "V2beta1Experiment")
        self._namespace(experiment.namespace)
        self.server.created["experiments"].append(experiment)
        return _keep(self.server.experiments, "experiment_id", json.loads(self.body))

    def create_run(self) -> Any:
        sent = json.loads(self.body)
        run = decoded(sent, "V2beta1Run")
        if reference := run.pipeline_version_reference:
            documents = _found(self.server.versions, reference.pipeline_version_id)["documents"]
        else:
            documents = [run.pipeline_spec["pipeline_spec"], run.pipeline_spec["platform_spec"]]
        spec, _ = parsed_definition(*documents)
        _check_parameters(spec, run.runtime_config.parameters)
        if run.experiment_id not in self.server.experiments:
            raise RefusalError(404, "Experiment not found")
        self.server.created["runs"].append(run)
        return _keep(self.server.runs, "run_id", {**sent, "state": "PENDING"})

    def get_run(self, run: str) -> Any:
        return self.server.look(_found(self.server.runs, run))

    def terminate_run(self, run: str) -> Any:
        """backend/src/apiserver/storage/run_store.go:824: one that has ended is not terminated."""
        if _found(self.server.runs, run)["state"] in ("SUCCEEDED", "FAILED"):
            raise RefusalError(400, f"Failed to terminate a run {run}. Row not found")
        return {}

    def delete_run(self, run: str) -> Any:
        del self.server.runs[_found(self.server.runs, run)["run_id"]]
        return {}

    def delete_experiment(self, experiment: str) -> Any:
        del self.server.experiments[_found(self.server.experiments, experiment)["experiment_id"]]
        return {}

    def list_runs(self) -> Any:
        mine = [each for each in self.server.runs.values() if each["experiment_id"] == self.query["experiment_id"]]
        return {"runs": mine[: int(self.query["page_size"])]}

    def get_run_v1(self, run: str) -> Any:
        _found(self.server.runs, run)
        manifest = json.dumps((self.server.shown or self.server.progress[0]).manifest())
        return {"run": {"id": run}, "pipeline_runtime": {"workflow_manifest": manifest}}

    def get_log(self, _run: str, pod: str) -> Any:
        """The status is sent before the log is read, so an error follows in the body of a 200.

        kubeflow/pipelines 2.17.0: backend/src/apiserver/server/run_log_server.go:61 (WriteHeader) and 67
        (writeErrorToResponse); the sentences: backend/src/apiserver/resource/resource_manager.go:1170 and 1189.
        """
        if pod in self.server.logs and pod not in self.server.cut_logs:
            return self.server.logs[pod].encode()
        reason = f"Failed to read logs from pod {pod} due to error opening log stream"
        error = f'BadRequestError: Failed to read logs for run r: InternalServerError: {reason}: pods "{pod}" not found'
        said = json.dumps({"error_message": error, "error_details": f"{error}\nstack"}, separators=(",", ":"))
        return (self.server.logs.get(pod, "") + said).encode()

    def list_pipelines(self) -> Any:
        self._namespace(self.query.get("namespace"))
        return {"pipelines": _filtered(self.server.pipelines, self.query)}

    def create_pipeline(self) -> Any:
        pipeline = decoded(json.loads(self.body), "V2beta1Pipeline")
        _tags(pipeline.tags or {})
        self._namespace(pipeline.namespace)
        self.server.created["pipelines"].append(pipeline)
        return _keep(self.server.pipelines, "pipeline_id", json.loads(self.body))

    def list_versions(self, pipeline: str) -> Any:
        _found(self.server.pipelines, pipeline)
        mine = {key: each for key, each in self.server.versions.items() if each["pipeline_id"] == pipeline}
        return {"pipeline_versions": _filtered(mine, self.query)}

    def upload_version(self) -> Any:
        head = f"content-type: {self.headers['content-type']}\r\n\r\n".encode()
        parts = BytesParser().parsebytes(head + self.body).get_payload()
        names = [part.get_param("name", header="content-disposition") for part in parts]
        uploaded = parts[names.index("uploadfile")].get_payload(decode=True)
        documents = list(yaml.load_all(uploaded, Loader=yaml.CSafeLoader))
        parsed_definition(*documents)
        _found(self.server.pipelines, self.query["pipelineid"])
        version = {"name": self.query["name"], "pipeline_id": self.query["pipelineid"], "documents": documents}
        if "tags" in self.query:
            version["tags"] = _tags(json.loads(self.query["tags"]))
        kept = _keep(self.server.versions, "pipeline_version_id", version)
        return {key: each for key, each in kept.items() if key != "documents"}

    def list_recurring(self) -> Any:
        mine = {
            key: each
            for key, each in self.server.recurring.items()
            if each["experiment_id"] == self.query.get("experiment_id")
        }
        found = _filtered(mine, self.query, name="display_name")[::-1]
        first = int(self.query.get("page_token") or 0)
        last = first + int(self.query["page_size"])
        return {"recurringRuns": found[first:last], **({"next_page_token": str(last)} if last < len(found) else {})}

    def create_recurring(self) -> Any:
        sent = json.loads(self.body)
        run = decoded(sent, "V2beta1RecurringRun")
        version = _found(self.server.versions, run.pipeline_version_reference.pipeline_version_id)
        spec, _ = parsed_definition(*version["documents"])
        _check_parameters(spec, run.runtime_config.parameters)
        if len(run.trigger.cron_schedule.cron.split()) != 6:
            raise RefusalError(400, "five fields are misread")
        self.server.created["recurringruns"].append(run)
        status = "ENABLED" if sent["mode"] == "ENABLE" else "DISABLED"
        made = {"created_at": self.server.made_at} if self.server.made_at else {}
        return _keep(self.server.recurring, "recurring_run_id", {**sent, **made, "status": status})

    def switch_recurring(self, run: str, action: str) -> Any:
        if self.server.switch_refusals:
            raise RefusalError(self.server.switch_refusals.pop(), "asked to fail")
        _found(self.server.recurring, run)["status"] = "ENABLED" if action == "enable" else "DISABLED"
        return {}

    def delete_recurring(self, run: str) -> Any:
        """First the ScheduledWorkflow, with which Kubernetes collects its Workflows unless they are orphaned; then
        the row.

        kubeflow/pipelines 2.17.0: backend/src/apiserver/resource/resource_manager.go:1458 (DeleteJob); a policy that
        it does not know counts as none.
        """
        _found(self.server.recurring, run)
        if self.query.get("propagation_policy") != "ORPHAN":
            for each in self.server.runs.values():
                if each.get("recurring_run_id") == run and each["state"] in ("PENDING", "RUNNING"):
                    each["state"] = "FAILED"  # its Workflow is gone
        del self.server.recurring[run]
        return {}

    def get_version(self, pipeline: str, version: str) -> Any:
        found = _found(self.server.versions, version)
        _found(self.server.pipelines, pipeline)
        shown = {key: each for key, each in found.items() if key != "documents"}
        return {
            **shown,
            "pipeline_spec": dict(zip(("pipeline_spec", "platform_spec"), found["documents"], strict=False)),
        }


def _check_parameters(spec: Any, sent: dict) -> None:
    """As the API server does: every name is known, every required one is sent, every value is of its type."""
    declared = spec.root.input_definitions.parameters
    if unknown := set(sent) - set(declared):
        raise RefusalError(400, f"unknown parameters {sorted(unknown)}")
    kinds = {
        pipeline_spec_pb2.ParameterType.NUMBER_DOUBLE: (int, float),
        pipeline_spec_pb2.ParameterType.NUMBER_INTEGER: (int,),
        pipeline_spec_pb2.ParameterType.STRING: (str,),
        pipeline_spec_pb2.ParameterType.BOOLEAN: (bool,),
        pipeline_spec_pb2.ParameterType.LIST: (list,),
        pipeline_spec_pb2.ParameterType.STRUCT: (dict,),
    }
    for name, entry in declared.items():
        if name not in sent and not entry.is_optional:
            raise RefusalError(400, f"missing parameter {name}")
        if name in sent and not isinstance(sent[name], kinds[entry.parameter_type]):
            raise RefusalError(400, f"parameter {name} of another type: {sent[name]!r}")


def _filtered(items: dict[str, dict], query: dict[str, str], name: str = "name") -> list[dict]:
    found = list(items.values())
    for predicate in json.loads(query.get("filter") or "{}").get("predicates", []):
        if predicate["operation"] != "EQUALS" or predicate["key"] not in ("name", "display_name"):
            raise RefusalError(400, f"cannot filter by {predicate}")
        found = [each for each in found if each[name] == predicate["stringValue"]]
    return found


def _tags(tags: dict[str, str]) -> dict[str, str]:
    """kubeflow/pipelines 2.17.0: backend/src/apiserver/model/pipeline_tags.go:37 (ValidateTags)."""
    if len(tags) > 20 or any(not key or "." in key or len(key) > 63 or len(each) > 63 for key, each in tags.items()):
        raise RefusalError(400, f"invalid tags {tags}")
    return tags


def _keep(items: dict[str, dict], key: str, item: dict) -> dict:
    identity = str(uuid.uuid4())
    items[identity] = {"created_at": datetime.now(UTC).isoformat(), **item, key: identity}
    return items[identity]


def _found(items: dict[str, dict], identity: str) -> dict:
    if identity not in items:
        raise RefusalError(404, f"{identity} not found")
    return items[identity]


_ID = r"([^/:]+)"
ROUTES = [
    ("GET", f"{ROOT}/experiments", Handler.list_experiments),
    ("POST", f"{ROOT}/experiments", Handler.create_experiment),
    ("POST", f"{ROOT}/runs", Handler.create_run),
    ("GET", f"{ROOT}/runs", Handler.list_runs),
    ("GET", f"{ROOT}/runs/{_ID}", Handler.get_run),
    ("POST", f"{ROOT}/runs/{_ID}:terminate", Handler.terminate_run),
    ("DELETE", f"{ROOT}/runs/{_ID}", Handler.delete_run),
    ("DELETE", f"{ROOT}/experiments/{_ID}", Handler.delete_experiment),
    ("GET", f"/apis/v1beta1/runs/{_ID}", Handler.get_run_v1),
    ("GET", f"/apis/v1alpha1/runs/{_ID}/nodes/{_ID}/log", Handler.get_log),
    ("GET", f"{ROOT}/pipelines", Handler.list_pipelines),
    ("POST", f"{ROOT}/pipelines", Handler.create_pipeline),
    ("GET", f"{ROOT}/pipelines/{_ID}/versions", Handler.list_versions),
    ("POST", f"{ROOT}/pipelines/upload_version", Handler.upload_version),
    ("GET", f"{ROOT}/pipelines/{_ID}/versions/{_ID}", Handler.get_version),
    ("GET", f"{ROOT}/recurringruns", Handler.list_recurring),
    ("POST", f"{ROOT}/recurringruns", Handler.create_recurring),
    ("POST", f"{ROOT}/recurringruns/{_ID}:(enable|disable)", Handler.switch_recurring),
    ("DELETE", f"{ROOT}/recurringruns/{_ID}", Handler.delete_recurring),
]
