"""Where and how each step runs on a cluster: resources, time limits, retries, caching, identity, accelerators.

The definition calls `placer` once, and its result for every task. A build for this machine
leaves it out: kfp.local ignores most of these settings, but really sleeps and repeats a failed
step when it has a retry.

Two settings are strings where a number would read better. The driver reads an accelerator count
from a parameter with `GetStringValue()`: an `int` parameter resolves to "" and no GPU is requested,
silently. So `gpu_count` is a `str` parameter, and "0" asks for none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kfp import dsl

from deep_mnist.registry.identity_token import KUBERNETES
from deep_mnist.registry.keyless import IDENTITY_TOKEN, TRUST_CONFIG
from pipeline.kfp_patches import import_settings_without_client, keep_parameters, set_tasks_quickly
from pipeline.resources import GPU_TYPE, IDENTITY_KEYS, MINUTE, RESOURCES, SIGNING_KEYS, TRUST_CONFIG_KEY, Resources

USER = 1000  # the numeric USER of docker/Dockerfile; a restricted namespace refuses a pod without one
STEP_LABEL = "deep-mnist/step"  # NetworkPolicies select pods by it
SETTINGS = "deep-mnist-settings"  # optional ConfigMap of the namespace: what differs between clusters
SETTINGS_KEYS = ("STORAGE_EMULATOR_HOST", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "DEEP_MNIST_MIRRORS")
SECRETS = "deep-mnist-secrets"  # optional Secret of the namespace; needed only where no identity of the pod will do
SECRET_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "MODEL_REGISTRY_TOKEN")


@dataclass(frozen=True)
class ClusterSettings:
    """What is fixed when the pipeline is compiled for a cluster, and is no parameter of a run.

    Attributes:
        rehearse: Rehearse the network on a CPU before it is trained; None: where training is given accelerators.
        notify: Name of the Secret with the address of a webhook that receives how a run ended; "" adds no such step.
        inspect_labels: Name single labels that are likely wrong before the training.
        pull_secrets: Names of the Secrets with which nodes pull the steps' images.
        signing: Name of the Secret with the key that signs versions and the public keys whose signatures count; "" for
            none. A pod whose Secret or key is missing does not start.
        keyless: Name of the ConfigMap with the identities whose signatures count, and their issuers; versions are then
            signed by the token of the pod's service account. "" for none.
        workspace: Size of a claim of the run for training's checkpoints, such as "5Gi"; "" keeps them in the store.
    """

    notify: str = ""
    rehearse: bool | None = None
    inspect_labels: bool = False
    pull_secrets: tuple[str, ...] = ()
    workspace: str = ""
    signing: str = ""
    keyless: str = ""


def placer(
    images: Callable[[str], str], *, cluster: bool, reuse: bool, settings: ClusterSettings | None = None
) -> Callable[..., dsl.PipelineTask]:
    """Return what gives a task its image and, on a cluster, its place: `placed(task, component, **settings)`.

    Args:
        images: Component name -> image reference.
        cluster: Whether the pipeline is built for a cluster; for this machine only the image is set.
        reuse: As in `place`.
        settings: Whose pull secrets every task gets, and what signs and verifies those that need it.
    """
    pull_secrets = list(settings.pull_secrets) if settings else []
    set_tasks_quickly()
    if cluster:
        import_settings_without_client()

    def placed(task: dsl.PipelineTask, component: str, **needs: Any) -> dsl.PipelineTask:
        task.set_container_image(images(component))
        if not cluster:
            return task
        if pull_secrets:
            from kfp import kubernetes

            kubernetes.set_image_pull_secrets(task, pull_secrets)
        if settings and component in SIGNING_KEYS:
            _trust(task, component, settings)
        return place(task, component, reuse=reuse, **needs)

    return placed


def place(
    task: dsl.PipelineTask,
    component: str,
    *,
    reuse: bool = True,
    gpu_count: str | dsl.PipelineTask | None = None,
    gpu_type: str | None = GPU_TYPE,
    node_selector: dict[str, str] | Any = None,
    tolerations: Sequence[dict[str, Any]] | Any = None,
) -> dsl.PipelineTask:
    """Give one task of the pipeline everything the cluster needs to know about it.

    Args:
        task: The task.
        component: Its step, a key of RESOURCES.
        reuse: False switches caching off for a step that could be reused, e.g. in a schedule,
            where new data may lie at an old address.
        gpu_count: How many accelerators: a string of digits or a `str` pipeline parameter.
        gpu_type: The resource's name, such as "nvidia.com/gpu", or a `str` pipeline parameter.
        node_selector: Labels that nodes must have, or a `dict` pipeline parameter.
        tolerations: Taints tolerated, or a `list` pipeline parameter.

    Raises:
        ValueError: The step is unknown, or an accelerator is requested where none is of use.
    """
    from kfp import kubernetes

    if component not in RESOURCES:
        raise ValueError(f"Expected one of {sorted(RESOURCES)}. Received: {component!r}. Fix: Add it to RESOURCES.")
    resources = RESOURCES[component]
    _bound(task, resources)
    _secure(task, component)
    task.set_caching_options(enable_caching=reuse and resources.reusable)
    if gpu_count is not None:
        if not resources.may_use_gpu:
            raise ValueError(
                f"Expected no accelerator for {component!r}. Received: gpu_count={gpu_count}. Fix: Leave it out."
            )
        _accelerate(task, gpu_count, gpu_type or GPU_TYPE)
    if node_selector is not None:
        kubernetes.add_node_selector_json(task, node_selector)
    if tolerations is not None:
        kubernetes.add_toleration_json(task, tolerations)
    return task


def _trust(task: dsl.PipelineTask, component: str, settings: ClusterSettings) -> None:
    """Let a step that loads versions know who counts, and the one that signs them by what."""
    from kfp import kubernetes

    if settings.signing:
        kubernetes.use_secret_as_env(task, settings.signing, SIGNING_KEYS[component])
    if settings.keyless:
        kubernetes.use_config_map_as_env(task, settings.keyless, IDENTITY_KEYS)
        kubernetes.use_config_map_as_env(task, settings.keyless, {TRUST_CONFIG_KEY: TRUST_CONFIG}, optional=True)
        if component == "publish":
            task.set_env_variable(IDENTITY_TOKEN, KUBERNETES)


def _bound(task: dsl.PipelineTask, resources: Resources) -> None:
    from kfp import kubernetes

    task.set_cpu_request(f"{int(resources.cpu * 1000)}m").set_cpu_limit(f"{int(resources.cpu_limit * 1000)}m")
    task.set_memory_request(f"{resources.requested}Mi").set_memory_limit(f"{resources.memory}Mi")
    if resources.shared_memory:
        size = f"{resources.shared_memory}Mi"
        kubernetes.empty_dir_mount(task, "shared-memory", "/dev/shm", medium="Memory", size_limit=size)
    kubernetes.set_timeout(task, resources.timeout)
    # The window counts from the start of the first attempt, run time included; KFP's own default of one
    # hour would leave a training that loses its node after that without a second attempt. Argo parses
    # the factor as an integer.
    attempts = resources.retries + 1
    task.set_retry(
        num_retries=resources.retries,
        backoff_duration="30s",
        backoff_factor=2,
        backoff_max_duration=f"{attempts * resources.timeout + 10 * MINUTE}s",
    )


def _secure(task: dsl.PipelineTask, component: str) -> None:
    from kfp import kubernetes

    # KFP drops all capabilities and sets seccomp itself; who runs must be said on every task.
    kubernetes.set_security_context(task, run_as_user=USER, run_as_group=USER, run_as_non_root=True)
    kubernetes.set_image_pull_policy(task, "IfNotPresent")
    kubernetes.add_pod_label(task, STEP_LABEL, component.replace("_", "-"))
    kubernetes.use_config_map_as_env(task, SETTINGS, {key: key for key in SETTINGS_KEYS}, optional=True)
    kubernetes.use_secret_as_env(task, SECRETS, {key: key for key in SECRET_KEYS}, optional=True)


def _accelerate(task: dsl.PipelineTask, count: Any, kind: Any) -> None:
    if not isinstance(count, str) and getattr(count, "channel_type", None) != "String":
        raise ValueError(
            f"Expected gpu_count as text or a `str` parameter. Received: {count!r}. "
            'Declare it `gpu_count: str = "0"`: of an `int` parameter the driver makes no request, silently.'
        )
    task.set_accelerator_type(kind).set_accelerator_limit(count)
    keep_parameters(task, count, kind)
