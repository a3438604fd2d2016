"""What Kubeflow's drivers do with a definition before any step runs: results from the cache, artifacts handed on.

kubeflow/pipelines 2.17.0, backend/src/v2/:
    driver/cache.go:99 (getFingerPrintsAndID)   a task whose definition allows it is looked up by what it is given:
                                                its parameters and the ids of its artifacts, within one pipeline's name
    driver/cache.go:32                          a task from the cache hands on the very artifacts of the earlier one
    metadata/client.go:739 (CreateExecution)    one INPUT event for each artifact of each input, lists included
    metadata/client.go:918                      how the driver ends when the metadata store refuses one of them
google/ml-metadata 1.14.0, ml_metadata/util/metadata_source_query_config.cc: UNIQUE(artifact_id, execution_id, type)
of the table Event: an artifact that one task is handed twice is refused.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from typing import Any

from pipeline.order import in_order

_ITEM = re.compile(r'parseJson\(string_value\)\["(\w+)"\]')


class DriverError(Exception):
    """A driver's pod ended; the run fails."""


class Drivers:
    """One installation: its cache and its metadata store outlive the runs.

    Attributes:
        from_cache: The tasks of the last run that were taken from the cache.
    """

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._cache: dict[str, int] = {}
        self.from_cache: list[str] = []

    def run(self, spec: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
        """Let the drivers of a run pass; every step succeeds.

        Raises:
            DriverError: The metadata store refuses what a task is handed.
        """
        self.from_cache = []
        declared = spec["root"]["inputDefinitions"]["parameters"]
        given = {**{name: each.get("defaultValue") for name, each in declared.items()}, **parameters}
        self._dag(spec, spec["root"]["dag"], given, {})

    def _dag(self, spec: Mapping[str, Any], dag: Mapping[str, Any], given: Mapping[str, Any], handed: dict) -> dict:
        """Run the tasks of one DAG; return its output artifacts, each a list of ids."""
        done: dict[str, Any] = {}
        for name in in_order(dag["tasks"]):
            task = dag["tasks"][name]
            inputs = task.get("inputs", {})
            values = {key: _value(each, given) for key, each in inputs.get("parameters", {}).items()}
            artifacts = {key: _artifacts(each, handed, done) for key, each in inputs.get("artifacts", {}).items()}
            component = spec["components"][task["componentRef"]["name"]]
            if "dag" not in component:
                done[name] = self._container(spec, name, task, values, artifacts)
                continue
            items = _items(task, given)
            ended = [self._dag(spec, component["dag"], {**values, **item}, artifacts) for item in items]
            done[name] = {key: [each for end in ended for each in end[key]] for end in ended[:1] for key in end}
        selectors = dag.get("outputs", {}).get("artifacts", {})
        return {
            name: [
                identity
                for chosen in each["artifactSelectors"]
                for identity in _output(done[chosen["producerSubtask"]], chosen["outputArtifactKey"])
            ]
            for name, each in selectors.items()
        }

    def _container(
        self, spec: Mapping[str, Any], name: str, task: Mapping[str, Any], values: dict, artifacts: dict
    ) -> int:
        """Return the execution whose artifacts the task hands on."""
        for key, ids in artifacts.items():
            if len(ids) != len(set(ids)):
                raise DriverError(
                    f"{name}: failed to lookup existing execution: no execution found for "
                    f'type="system.ContainerExecution", name="" (input {key!r} holds an artifact twice)'
                )
        label = spec["components"][task["componentRef"]["name"]]["executorLabel"]
        container = spec["deploymentSpec"]["executors"][label]["container"]
        fingerprint = json.dumps([spec["pipelineInfo"]["name"], container, values, artifacts], sort_keys=True)
        if not task.get("cachingOptions", {}).get("enableCache"):
            return next(self._ids)
        if fingerprint in self._cache:
            self.from_cache.append(name)
        return self._cache.setdefault(fingerprint, next(self._ids))


def _value(source: Mapping[str, Any], given: Mapping[str, Any]) -> Any:
    if "componentInputParameter" not in source:
        return source  # a constant, or another task's output: known by where it comes from
    value = given[source["componentInputParameter"]]
    chosen = _ITEM.fullmatch(source.get("parameterExpressionSelector", ""))
    return value[chosen[1]] if chosen else value


def _items(task: Mapping[str, Any], given: Mapping[str, Any]) -> list[dict[str, Any]]:
    iterator = task.get("parameterIterator")
    if not iterator:
        return [{}]
    items = _value(task["inputs"]["parameters"][iterator["items"]["inputParameter"]], given)
    return [{iterator["itemInput"]: item} for item in items]


def _artifacts(source: Mapping[str, Any], handed: Mapping[str, Any], done: Mapping[str, Any]) -> list[str]:
    if "componentInputArtifact" in source:
        return list(handed[source["componentInputArtifact"]])
    output = source["taskOutputArtifact"]
    return _output(done[output["producerTask"]], output["outputArtifactKey"])


def _output(ended: Any, key: str) -> list[str]:
    return list(ended[key]) if isinstance(ended, dict) else [f"{ended}/{key}"]
