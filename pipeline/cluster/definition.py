"""The compiled definition as data: what is sent to a cluster, and what `plan` reads."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

import click
import yaml

from components.images import image_references
from pipeline.order import in_order
from pipeline.placement import ClusterSettings
from pipeline.resources import INSPECTION_FOLDS
from pipeline.retraining import build_retraining
from pipeline.sweep import build_sweep
from pipeline.training import build_pipeline

TYPES = {
    "STRING": str,
    "BOOLEAN": bool,
    "NUMBER_INTEGER": int,
    "NUMBER_DOUBLE": float,
    "STRUCT": dict,
    "LIST": list,
}
NO_SETTINGS = ClusterSettings()
TRUE, FALSE = {"true", "yes", "1"}, {"false", "no", "0"}


@dataclass(frozen=True)
class CompiledTask:
    """One task of the definition, with its executor and Kubernetes settings.

    Attributes:
        name: In its DAG.
        group: Names of the DAGs it lies in, "/"-joined; "" for the root.
        spec: The task itself.
        executor: Image, command, resources.
        kubernetes: The platform document's part for its executor.
    """

    name: str
    group: str
    spec: Mapping[str, Any]
    executor: Mapping[str, Any]
    kubernetes: Mapping[str, Any]

    @property
    def cached(self) -> bool:
        return bool(self.spec.get("cachingOptions", {}).get("enableCache"))


@dataclass(frozen=True)
class Definition:
    """The two documents of a compiled pipeline.

    Attributes:
        pipeline: The pipeline spec (IR).
        platform: The platform spec; a submitter that drops it drops limits on time, identities and tolerations.
    """

    pipeline: Mapping[str, Any]
    platform: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.pipeline["pipelineInfo"]["name"])

    @cached_property
    def digest(self) -> str:
        """Hex SHA-256 of both documents, written canonically."""
        text = json.dumps([self.pipeline, self.platform], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def body(self) -> dict[str, Any]:
        """What a request carries as `pipeline_spec`."""
        return {"pipeline_spec": self.pipeline, "platform_spec": self.platform}

    @property
    def inputs(self) -> Mapping[str, Mapping[str, Any]]:
        """Parameter name -> its type and default."""
        return self.pipeline["root"].get("inputDefinitions", {}).get("parameters", {})

    @cached_property
    def text(self) -> str:
        """Both documents as a file that `upload` sends."""
        return yaml.safe_dump_all([dict(self.pipeline), dict(self.platform)], sort_keys=True)

    def tasks(self) -> Iterator[CompiledTask]:
        """Yield the tasks that run a container, each after those it depends on."""
        yield from self._tasks_of(self.pipeline["root"]["dag"], "")

    def _tasks_of(self, dag: Mapping[str, Any], group: str) -> Iterator[CompiledTask]:
        for name in in_order(dag["tasks"]):
            spec = dag["tasks"][name]
            component = self.pipeline["components"][spec["componentRef"]["name"]]
            if "dag" in component:
                yield from self._tasks_of(component["dag"], f"{group}/{name}".lstrip("/"))
                continue
            label = component["executorLabel"]
            executor = self.pipeline["deploymentSpec"]["executors"][label].get("container", {})
            kubernetes = self.platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"].get(label, {})
            yield CompiledTask(name, group, spec, executor, kubernetes)


def compile_definition(
    *, gpu: int = 0, reuse: bool = True, retraining: bool = False, settings: ClusterSettings = NO_SETTINGS
) -> Definition:
    """Compile the pipeline for a cluster; the arguments are those of `pipeline_for_cluster`."""
    return _compiled_with(tuple(image_references(gpu=bool(gpu)).items()), reuse, retraining, _decided(settings, gpu))


def pipeline_for_cluster(
    *, gpu: int = 0, reuse: bool = True, retraining: bool = False, settings: ClusterSettings = NO_SETTINGS
) -> Any:
    """Return the pipeline for a cluster, a kfp GraphComponent.

    Args:
        gpu: Training's number of GPUs; without any, it takes the image that lacks the CUDA libraries.
        reuse: Take a step's earlier result where the same inputs always give the same outputs.
        retraining: What a schedule runs: it trains only when something changed.
        settings: Who is notified of a run's end, and how images are pulled.
    """
    return _built(image_references(gpu=bool(gpu)), reuse, retraining, _decided(settings, gpu))


def _decided(settings: ClusterSettings, gpu: int) -> ClusterSettings:
    """Return the settings with whether to rehearse decided: by default where it saves an accelerator's time."""
    return replace(settings, rehearse=bool(gpu) if settings.rehearse is None else settings.rehearse)


@cache
def _compiled_with(
    references: tuple[tuple[str, str], ...], reuse: bool, retraining: bool, settings: ClusterSettings
) -> Definition:
    return compiled(_built(dict(references), reuse, retraining, settings))


def _built(references: Mapping[str, str], reuse: bool, retraining: bool, settings: ClusterSettings) -> Any:
    build = build_retraining if retraining else build_pipeline
    return build(
        images=references.__getitem__,
        cluster=True,
        reuse=reuse,
        rehearsal=bool(settings.rehearse),
        inspection=INSPECTION_FOLDS if settings.inspect_labels else 0,
        settings=settings,
    )


@cache
def compile_sweep(
    *, gpu: int = 0, reuse: bool = True, parallelism: int = 2, settings: ClusterSettings = NO_SETTINGS
) -> Definition:
    """Compile the sweep for a cluster; see `pipeline.sweep.build_sweep`."""
    images = image_references(gpu=bool(gpu)).__getitem__
    settings = _decided(settings, gpu)
    sweep = build_sweep(
        images=images,
        cluster=True,
        reuse=reuse,
        parallelism=parallelism,
        rehearsal=bool(settings.rehearse),
        settings=settings,
    )
    return compiled(sweep)


def require_images() -> None:
    """Refuse to send a definition whose images no node can find."""
    missing = [name for name in ("DEEP_MNIST_IMAGES", "DEEP_MNIST_TAG") if not os.environ.get(name)]
    if missing:
        raise click.UsageError(
            f"Expected images that the cluster's nodes can pull. Received: no {' and no '.join(missing)}. "
            "Set both as `make push REGISTRY=…` prints them; for a kind cluster, `make kind-run` does it all."
        )


def compiled(pipeline: Any) -> Definition:
    """Return the two documents of any kfp pipeline."""
    from google.protobuf.json_format import MessageToDict

    empty: Mapping[str, Any] = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {}}}}}
    return Definition(MessageToDict(pipeline.pipeline_spec), MessageToDict(pipeline.platform_spec) or empty)


def typed(definition: Definition, texts: Mapping[str, str]) -> dict[str, Any]:
    """Return parameters, texts as they were typed, in the types the definition declares.

    Raises:
        click.BadParameter: A name is unknown, or a value is not of its type.
    """
    unknown = sorted(set(texts) - set(definition.inputs))
    if unknown:
        raise click.BadParameter(
            f"Expected one of {', '.join(sorted(definition.inputs))}. Received: {', '.join(unknown)}."
        )
    return {name: _value(name, text, definition.inputs[name]["parameterType"]) for name, text in texts.items()}


def _value(name: str, text: str, kind: str) -> Any:
    try:
        if kind == "STRING":
            return text
        if kind == "BOOLEAN":
            if text.lower() not in TRUE | FALSE:
                raise ValueError
            return text.lower() in TRUE
        if kind in ("STRUCT", "LIST"):
            value = json.loads(text)
            if not isinstance(value, TYPES[kind]):
                raise ValueError
            return value
        return TYPES[kind](text)
    except ValueError as error:
        raise click.BadParameter(f"Expected {name} as {kind.lower()}. Received: {text!r}.") from error
