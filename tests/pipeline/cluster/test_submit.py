"""plan, submit, watch: what they show, what they send, and what they say when the cluster is not as it should be."""

from __future__ import annotations

import base64
import json
import socket

import pytest
from click.testing import CliRunner

from pipeline.__main__ import pipeline
from pipeline.cluster.connection import ClusterError, found_or_made
from pipeline.cluster.definition import compile_definition
from pipeline.notification import KEYS
from pipeline.placement import ClusterSettings
from tests.support.kfp_server import KfpServer

RUN = ("submit", "--store", "gs://models/mnist", "--poll", "0.02")


pytestmark = pytest.mark.usefixtures("pushed_images")


@pytest.fixture(scope="module")
def definition():
    return compile_definition()


def run(*arguments: str):
    return CliRunner().invoke(pipeline, list(arguments))


def test_plan_needs_no_cluster():
    """`plan` shows each step with its image, what may be reused and what asks for a GPU, and sends nothing."""
    shown = run("plan", "--store", "gs://models/mnist", "--gpu", "2", "--json")
    planned = json.loads(shown.output)
    steps = {step["step"]: step for step in planned["steps"]}

    assert [step for step in steps if steps[step]["accelerator"] != "none"] == ["train"]
    assert steps["train"]["accelerator"] == "2 x nvidia.com/gpu"
    assert steps["train"]["image"] == "registry.example/deep-mnist/train:5658ca6b1f2e-0a1b2c3d4e5f"
    assert [step for step in steps if steps[step]["result"] != "always new"] == [
        "prepare",
        "require-valid",
        "rehearse",
        "require-rehearsed",
    ]


def test_plan_in_words():
    """Without --json the plan is a table that ends by saying that nothing was sent."""
    shown = run("plan")

    assert shown.exit_code == 0
    assert "Warning: no registry is named" in shown.output
    assert shown.output.endswith("Nothing was sent.\n")


def test_training_without_a_gpu_takes_the_small_image():
    """Without GPUs, training takes the image that lacks the CUDA libraries."""
    planned = json.loads(run("plan", "--json").output)

    assert {step["image"].partition(":")[0] for step in planned["steps"] if step["step"] == "train"} == {
        "registry.example/deep-mnist/train-cpu"
    }


@pytest.mark.parametrize("options", [{}, {"reuse": False, "retraining": True}], ids=["run", "schedule"])
def test_every_task_says_how_it_runs(options):
    """Each task has limits, a time limit, retries that outlast it, a numeric user but root, and a pull policy."""
    tasks = list(compile_definition(**options).tasks())

    assert len(tasks) == (7 if options else 5)
    for task in tasks:
        resources, kubernetes = task.executor["resources"], task.kubernetes
        assert {"resourceCpuRequest", "resourceCpuLimit", "resourceMemoryRequest", "resourceMemoryLimit"} <= set(
            resources
        )
        assert kubernetes["securityContext"] == {"runAsUser": "1000", "runAsGroup": "1000", "runAsNonRoot": True}
        assert kubernetes["imagePullPolicy"] == "IfNotPresent"
        assert kubernetes["podMetadata"]["labels"]["deep-mnist/step"]
        retry, limit = task.spec["retryPolicy"], int(kubernetes["activeDeadlineSeconds"])
        assert retry["backoffFactor"] == int(retry["backoffFactor"])
        assert int(retry["backoffMaxDuration"][:-1]) > (retry["maxRetryCount"] + 1) * limit


def test_every_step_outlasts_an_outage_of_seven_minutes(definition):
    """What a step waits before its repetitions: the API may be away for as long."""
    for task in definition.tasks():
        retry = task.spec["retryPolicy"]
        first, factor = float(retry["backoffDuration"][:-1]), retry["backoffFactor"]

        assert sum(first * factor**number for number in range(retry["maxRetryCount"])) >= 7 * 60


def test_caching_is_set_on_purpose(definition):
    """Data steps may be reused; nothing that trains or reads the registry is, and with reuse=False nothing at all."""
    fresh = compile_definition(reuse=False)

    assert {task.name for task in definition.tasks() if task.cached} == {
        "prepare", "require-valid",
    }  # fmt: skip
    assert not [task.name for task in fresh.tasks() if task.cached]


def test_the_number_of_gpus_is_text(definition):
    """The accelerator's count comes from a `str` parameter: of an `int` the driver would ask for none, in silence."""
    train = next(task for task in definition.tasks() if task.name == "train")

    assert definition.inputs["gpu_count"]["parameterType"] == "STRING"
    assert "gpu_count" in train.executor["resources"]["accelerator"]["resourceCount"]
    assert train.kubernetes["nodeSelector"]["nodeSelectorJson"] == {"componentInputParameter": "node_selector"}
    assert train.kubernetes["tolerations"] == [{"tolerationJson": {"componentInputParameter": "tolerations"}}]


@pytest.mark.parametrize("retraining", [False, True], ids=["run", "schedule"])
def test_notify_guards_every_other_task(retraining):
    """With a Secret named, all tasks lie in an exit handler; its own is never cached, and the Secret may be absent."""
    options = {"reuse": False, "retraining": retraining, "gpu": 1}
    notifying = compile_definition(settings=ClusterSettings(notify="webhook"), **options)
    plain = compile_definition(**options)
    tasks = {task.name: task for task in notifying.tasks()}
    guarded = {name for name, task in tasks.items() if task.group.startswith("exit-handler-1")}
    notify = tasks["notify"]

    assert guarded == {task.name for task in plain.tasks()} == set(tasks) - {"notify"}
    assert notify.spec["triggerPolicy"] == {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    assert notify.spec["dependentTasks"] == ["exit-handler-1"] and not notify.cached
    assert notify.spec["inputs"]["parameters"]["status"] == {"taskFinalStatus": {"producerTask": "exit-handler-1"}}
    (secret,) = (each for each in notify.kubernetes["secretAsEnv"] if each["secretName"] == "webhook")
    assert secret["optional"] is True
    assert {each["secretKey"] for each in secret["keyToEnv"]} == set(KEYS)
    assert "webhook" not in json.dumps(plain.body)


@pytest.mark.parametrize("retraining", [False, True], ids=["run", "schedule"])
def test_parameters_of_the_accelerator_cross_every_border(retraining):
    """KFP forgets the accelerator's channels at the border of a group: each group declares what it passes on."""
    notifying = compile_definition(
        gpu=1, reuse=False, retraining=retraining, settings=ClusterSettings(notify="webhook")
    )
    groups = [each for each in notifying.pipeline["components"].values() if "dag" in each]

    assert len(groups) == 1 + retraining
    for group in groups:
        assert {"pipelinechannel--gpu_count", "pipelinechannel--gpu_type"} <= set(
            group["inputDefinitions"]["parameters"]
        )


def test_pull_secrets_are_on_every_task():
    """Each pod names the Secrets with which its image is pulled, the exit handler's too."""
    notifying = compile_definition(settings=ClusterSettings(notify="webhook", pull_secrets=("one", "two")))

    for task in notifying.tasks():
        assert [each["secretName"] for each in task.kubernetes["imagePullSecret"]] == ["one", "two"], task.name


def test_training_has_shared_memory(definition):
    """TensorFlow's and NCCL's processes talk through /dev/shm; containers have 64 MiB of it. It counts as memory."""
    mounts = {task.name: task.kubernetes.get("emptyDirMounts", []) for task in definition.tasks()}
    (shared,) = mounts.pop("train")

    assert (shared["mountPath"], shared["medium"]) == ("/dev/shm", "Memory")
    assert int(shared["sizeLimit"].removesuffix("Mi")) < 6144 / 2
    assert not any(mounts.values())


def test_submit_takes_what_a_cluster_needs(server, monkeypatch):
    """--notify, --signing and --pull-secret, or their variables, reach the definition that is sent."""
    monkeypatch.setenv("DEEP_MNIST_PULL_SECRETS", "one two")
    shown = run(*RUN, "--host", server.url, "--notify", "webhook", "--signing", "keys")
    settings = server.created["runs"][0].pipeline_spec["platform_spec"]["platforms"]["kubernetes"]["deploymentSpec"]

    assert shown.exit_code == 0, shown.output
    assert "webhook" in [each["secretName"] for each in settings["executors"]["exec-notify"]["secretAsEnv"]]
    assert "keys" in [each["secretName"] for each in settings["executors"]["exec-publish"]["secretAsEnv"]]
    assert len(settings["executors"]["exec-train"]["imagePullSecret"]) == 2


def test_submit_sends_both_documents_and_typed_parameters(server):
    """The run carries the IR, the Kubernetes settings, the service account and parameters of the declared types."""
    shown = run(
        *RUN, "--host", server.url, "--gpu", "1", "--node-selector", "gpu=l4", "--toleration", "spot=yes:NoExecute",
        "--service-account", "deep-mnist-runner", "--experiment", "nightly", "--run-name", "first",
        "-p", "confidence=0.9",
    )  # fmt: skip
    sent = server.created["runs"][0]

    assert shown.exit_code == 0, shown.output
    assert shown.output.startswith("STARTED run=")
    assert (sent.display_name, sent.service_account) == ("first", "deep-mnist-runner")
    assert server.created["experiments"][0].display_name == "nightly"
    parameters = sent.runtime_config.parameters
    assert parameters["gpu_count"] == "1" and parameters["require_gpu"] is True
    assert parameters["node_selector"] == {"gpu": "l4"}
    assert parameters["tolerations"] == [{"key": "spot", "operator": "Equal", "value": "yes", "effect": "NoExecute"}]
    assert parameters["confidence"] == 0.9
    assert len(sent.pipeline_spec["platform_spec"]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]) == 7


def test_an_experiment_is_made_once(server):
    """A second run goes to the experiment that the first one made."""
    run(*RUN, "--host", server.url)
    run(*RUN, "--host", server.url)

    assert len(server.created["experiments"]) == 1
    assert {sent.experiment_id for sent in server.created["runs"]} == set(server.experiments)


def test_what_another_command_makes_at_the_same_moment_is_taken():
    """A refusal counts only while the thing is not there."""
    there: list[str] = []

    def refused(name: str) -> str:
        there.extend([name] if name else [])
        raise ClusterError("HTTP 409: Already exist")

    assert found_or_made(lambda: "".join(there), lambda: refused("7")) == "7"
    there.clear()
    with pytest.raises(ClusterError):
        found_or_made(lambda: "".join(there), lambda: refused(""))


def test_an_unreachable_host_is_said_so():
    """Nobody listens: one sentence names the address and the port-forward."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        shown = run(*RUN, "--host", f"http://127.0.0.1:{unused.getsockname()[1]}")

    assert shown.exit_code == 2
    assert "Connection refused" in shown.output and "port-forward" in shown.output


def test_a_silent_host_is_given_up():
    """A host that accepts and never answers is given up after --timeout."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        shown = run(*RUN, "--host", f"http://127.0.0.1:{silent.getsockname()[1]}", "--timeout", "0.2")

    assert shown.exit_code == 2
    assert "did not answer within 0.2 s" in shown.output


def test_no_host():
    """Without an address, the error says which command makes one."""
    assert "kubectl -n kubeflow port-forward" in run(*RUN).output


def test_a_login_page_is_no_api(server):
    """A proxy's login page is recognised."""
    server.page = "<html>Sign in</html>"
    shown = run(*RUN, "--host", server.url)

    assert shown.exit_code == 2
    assert "login page" in shown.output


def test_a_token_that_expired_is_not_sent(server, tmp_path):
    """A token whose end has passed is refused here, with its date."""
    claims = base64.urlsafe_b64encode(json.dumps({"exp": 1_600_000_000}).encode()).decode().rstrip("=")
    (tmp_path / "token").write_text(f"head.{claims}.signature\n")
    shown = run(*RUN, "--host", server.url, "--token-file", str(tmp_path / "token"))

    assert shown.exit_code == 2
    assert "expired at 2020-09-13T12:26:40+00:00" in shown.output
    assert server.requests == []


def test_a_refused_token(tmp_path):
    """A token that the server refuses is named as the cause."""
    (tmp_path / "token").write_text("old")
    with KfpServer(token="new") as server:
        refused = run(*RUN, "--host", server.url, "--token-file", str(tmp_path / "token"))
        (tmp_path / "token").write_text("new\n")
        accepted = run(*RUN, "--host", server.url, "--token-file", str(tmp_path / "token"))

    assert refused.exit_code == 2
    assert "Expected a valid token" in refused.output and "HTTP 401" in refused.output
    assert accepted.exit_code == 0, accepted.output


def test_the_token_may_come_from_the_pods_service_account(monkeypatch, tmp_path):
    """In a cluster, the projected token is found without an option."""
    (tmp_path / "projected").write_text("pod")
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(tmp_path / "projected"))
    with KfpServer(token="pod") as server:
        assert run(*RUN, "--host", server.url).exit_code == 0


def test_a_multi_user_install_needs_a_namespace():
    """Without a namespace nothing is sent to an install of several users; a wrong one is named."""
    with KfpServer(multi_user=True) as server:
        missing = run(*RUN, "--host", server.url)
        wrong = run(*RUN, "--host", server.url, "--namespace", "team-b")
        right = run(*RUN, "--host", server.url, "--namespace", "team-a")

    assert missing.exit_code == wrong.exit_code == 2
    assert "--namespace" in missing.output
    assert "'team-b'" in wrong.output and "HTTP 403" in wrong.output
    assert right.exit_code == 0, right.output


def test_another_version_of_the_server_is_refused():
    """A server of another minor version is refused before anything is sent, unless the caller insists."""
    with KfpServer(version="2.5.0") as server:
        refused = run(*RUN, "--host", server.url)
        forced = run(*RUN, "--host", server.url, "--allow-version-skew")

    assert refused.exit_code == 2
    assert "Received: 2.5.0" in refused.output
    assert forced.exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--dataset", "./mine"), "upload them first"),
        (("--model", "https://models.example/mine.keras"), "Expected model to be gs://"),
        (("--store", "./registry"), "gs://bucket/folder"),
        (("--network", "vgg"), "deep_mnist"),
        (("-p", "batch=3"), "Expected one of"),
        (("-p", "seed=x"), "Expected seed as number_integer"),
        (("--toleration", ":Never"), "KEY[=VALUE][:EFFECT]"),
    ],
)
def test_what_no_pod_could_use_is_refused_here(server, arguments, expected):
    """Local paths, unknown parameters and wrong values never reach the server."""
    shown = run(*RUN, "--host", server.url, *arguments)

    assert shown.exit_code == 2
    assert expected in shown.output
    assert server.requests == []


def test_images_must_be_named(server, monkeypatch):
    """A definition whose images no node can find is not sent."""
    monkeypatch.delenv("DEEP_MNIST_TAG")
    shown = run(*RUN, "--host", server.url)

    assert shown.exit_code == 2
    assert "DEEP_MNIST_TAG" in shown.output
