"""The steps that `training.py` and `sweep.py` share, wired three at a time; each task is placed where it runs.

    prepare             raw ─▶ preprocess ─▶ validate ─▶ require_valid
    fetch_and_prepare   the same with `download` before it; on a cluster one step, `prepare`, and require_valid
    train_model         ─▶ ( inspect ) ─▶ ( rehearse ─▶ require_rehearsed ) ─▶ train
    judge_and_publish   ─▶ evaluate ─▶ publish

Each function is called while a pipeline is being defined; what it takes and returns are parameters and outputs of
tasks. The parameters it names nowhere pass unchanged: kfp checks their names and types.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kfp import dsl

from components.download.component import download
from components.evaluate.component import evaluate
from components.images import provenance
from components.prepare.component import prepare
from components.preprocess.component import preprocess
from components.publish.component import publish
from components.train.component import train
from components.validate.component import require_valid, validate
from pipeline.inspection import inspected
from pipeline.rehearsal import rehearsed


@dataclass(frozen=True)
class Steps:
    """How the shared steps are wired.

    Attributes:
        placed: As `pipeline.placement.placer` returns it.
        images: Component name -> image reference.
        rehearsal: Rehearse the network on a CPU before it is trained.
        joined: Fetch, prepare and judge the data in one step, where each step costs two pods.
        inspection: Folds in which single labels are inspected before the training; 0 leaves that out.
    """

    placed: Callable[..., dsl.PipelineTask]
    images: Callable[[str], str]
    rehearsal: bool
    joined: bool = False
    inspection: int = 0

    def download(self, **parameters: Any) -> Any:
        """Return the raw data; the parameters are those of `download`."""
        raw = download(**parameters)
        self.placed(raw, "download")
        return raw.outputs["raw"]

    def fetch_and_prepare(
        self, *, dataset: Any, dataset_digest: Any, choices: Mapping[str, Any], rules: Any, **parameters: Any
    ) -> tuple[Any, Any]:
        """Return the dataset and the token that exists once it was found fit, from wherever the data are.

        Args:
            dataset: As of the pipeline; so `dataset_digest`, `rules`.
            choices: `accept` and `ignore` of the pipeline.
            parameters: The others of `preprocess`.
        """
        if not self.joined:
            raw = self.download(dataset=dataset, dataset_digest=dataset_digest)
            return self.prepare(raw, source=dataset, choices=choices, rules=rules, **parameters)
        prepared = prepare(source=dataset, dataset_digest=dataset_digest, rules=rules, **choices, **parameters)
        self.placed(prepared, "prepare")
        return prepared.outputs["dataset"], self._gate(prepared)

    def prepare(
        self, raw: Any, *, choices: Mapping[str, Any], rules: Any, reuse: bool = True, **parameters: Any
    ) -> tuple[Any, Any]:
        """Return the dataset and the token that exists once it was found fit.

        Args:
            raw: Of `download`.
            choices: `accept` and `ignore` of the pipeline.
            rules: As of the pipeline.
            reuse: False never takes an earlier run's dataset.
            parameters: The others of `preprocess`.
        """
        prepared = preprocess(raw=raw, rules=rules, **parameters)
        self.placed(prepared, "preprocess")
        if not reuse:
            prepared.set_caching_options(False)

        judged = validate(dataset=prepared.outputs["dataset"], rules=rules, **choices)
        self.placed(judged, "validate")

        return prepared.outputs["dataset"], self._gate(judged)

    def _gate(self, judged: dsl.PipelineTask) -> Any:
        """Return the token of a task that raises when the verdict is not "fit"."""
        passed = require_valid(findings=judged.outputs["findings"], verdict=judged.outputs["verdict"])
        self.placed(passed, "validate")
        return passed.output

    def train_model(
        self,
        *,
        dataset: Any,
        ready: Any,
        network: Mapping[str, Any],
        epochs: Any,
        seed: Any,
        choices: Mapping[str, Any],
        accelerator: Mapping[str, Any],
        **parameters: Any,
    ) -> Any:
        """Return the trained model.

        Args:
            dataset: Of `prepare`, as `ready`, the token.
            network: `network`, `model` and `model_digest`: what is rehearsed and trained.
            epochs: As of the pipeline; so `seed`.
            choices: `accept` and `ignore` of the pipeline.
            accelerator: What training is given on a cluster, as `pipeline.placement.place` takes it.
            parameters: The others of `train`.
        """
        ready = inspected(self.inspection, self.placed)(dataset=dataset, ready=ready, seed=seed, **network)
        second_gate = rehearsed(self.rehearsal, self.placed)
        ready = second_gate(dataset=dataset, ready=ready, epochs=epochs, **choices, **network)
        trained = train(dataset=dataset, ready=ready, epochs=epochs, seed=seed, **network, **parameters)
        self.placed(trained, "train", **accelerator)
        return trained.outputs["trained"]

    def judge_and_publish(
        self,
        *,
        dataset: Any,
        trained: Any,
        registry: Any,
        model_name: Any,
        policy: Mapping[str, Any],
        **parameters: Any,
    ) -> dsl.PipelineTask:
        """Return the task that promotes the model or says why not.

        Args:
            dataset: With the test split that judges.
            trained: The model.
            registry: Where the champion is; so `model_name`.
            policy: The floors and the confidence of `evaluate`.
            parameters: The others of `publish`.
        """
        of_registry = {"registry": registry, "model_name": model_name}
        scored = evaluate(dataset=dataset, trained=trained, **of_registry, **policy)
        scored.set_caching_options(False)  # the champion may have changed since
        self.placed(scored, "evaluate")

        evaluation = scored.outputs["evaluation"]
        published = publish(dataset=dataset, trained=trained, evaluation=evaluation, **of_registry, **parameters)
        published.set_caching_options(False)
        published.set_env_variable("DEEP_MNIST_PROVENANCE", provenance(self.images))  # for the model card
        self.placed(published, "publish")
        return published
