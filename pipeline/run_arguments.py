"""The arguments of a run, as `run`, `plan`, `submit` and `schedule` all build them.

`pipeline/training.py`'s signature is the whole configuration; RunArguments has the same names and the same defaults.
What differs between this machine and a cluster is what an address may be: see `pipeline.local.local_arguments` and
`pipeline.cluster.cluster_arguments`.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from deep_mnist.contract.load import resolve_contract
from deep_mnist.data.known import KNOWN
from deep_mnist.data.stratify import VALIDATION_FRACTION
from deep_mnist.doctor.acceptance import choices_of, entry_of
from deep_mnist.doctor.case import NotUsableError
from deep_mnist.forms.form import FORMS, forms_named
from deep_mnist.registry.names import MODEL_NAME, is_model_name
from deep_mnist.storage.open import fetch
from deep_mnist.storage.store import StorageError
from pipeline.resources import GPU_TYPE

# (accuracy, accuracy of each class), 0..1, below which no model is promoted; own data may be harder than MNIST.
FLOORS = {"mnist": (0.95, 0.90), "fashion-mnist": (0.80, 0.50)}
OWN_FLOORS = (0.50, 0.0)
LARGEST_SEED = 2**31 - 1


class UsageError(ValueError):
    """What was requested cannot be run; nothing was started. The message says what to change."""

    fix = "correct that option; python -m pipeline run --help explains it"


@dataclass(frozen=True)
class RunArguments:
    """The options of a run, in the order of the pipeline's signature.

    Attributes:
        dataset: A known dataset's name, an address, or (on this machine) a path.
        dataset_digest: What identifies the data at this moment; it keys the cache of `download`.
        network: Name of a built-in network, unused when `model` is set.
        model: Address or path of a user's own network, or "".
        model_digest: SHA-256 that this file must have, or "".
        preparation: "auto", "contract" or "none"; see preprocess.
        validation_fraction: Share of the training examples held out, 0 < f < 0.5.
        accept: What a person takes responsibility for: [{"rule" or "field", "split" (absent: any), "because"}].
        ignore: Codes or names of the doctor's rules that are not judged.
        rules: Path or address of a Python file with rules of the user's own, or "".
        rules_digest: SHA-256 that this file must have, or "".
        labels: Path or address of a labels.yaml, what people decided about single labels, or "".
        labels_digest: SHA-256 that this file must have, or "".
        shard_bytes: Training examples of more bytes are written as shards of at most so many; 0 for never.
        shards: Address of the store for the shards; "" for the dataset's own folder.
        epochs: Passes over the training split; 0 means as many as the network's recipe says.
        seed: Of the split, the weights, the order and the augmentation.
        nodes: Processes here, or pods on a cluster, that train together.
        node_resources: On a cluster, what each of several pods is given: {"cpu": …, "memory": …, "nvidia.com/gpu": …}.
        gpu_count: How many accelerators training asks a cluster for, as text: of a number KFP makes no request.
        gpu_type: The accelerator's resource name on the nodes.
        node_selector: Labels of the nodes for training.
        tolerations: Taints that training tolerates.
        require_gpu: Fail a training that finds no GPU.
        checkpoints: Folder or address for checkpoints, "" for none.
        registry: Folder or address of the model registry.
        model_name: Name in the registry.
        min_accuracy: Floor for promotion, 0..1.
        min_class_accuracy: Floor for the accuracy of each class, 0..1.
        confidence: How sure a loss against the champion must be to count, 0.5..1.
        require_promotion: A model that is not promoted fails the run.
        run_name: Name of the run.
        model_registry: URL of Kubeflow's Model Registry, which learns of promoted versions; "" for none.
        forms: Other forms that a promoted model is published in: "onnx", "litert", "litert-int8".
    """

    dataset: str = "mnist"
    dataset_digest: str = ""
    network: str = "fast"
    model: str = ""
    model_digest: str = ""
    preparation: str = "auto"
    validation_fraction: float = VALIDATION_FRACTION
    accept: Sequence[Mapping[str, Any]] = field(default_factory=list)
    ignore: Sequence[str] = field(default_factory=list)
    rules: str = ""
    rules_digest: str = ""
    labels: str = ""
    labels_digest: str = ""
    shard_bytes: int = 0
    shards: str = ""
    epochs: int = 0
    seed: int = 0
    nodes: int = 1
    node_resources: Mapping[str, str] = field(default_factory=dict)
    gpu_count: str = "0"
    gpu_type: str = GPU_TYPE
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, str]] = field(default_factory=list)
    require_gpu: bool = False
    checkpoints: str = ""
    registry: str = ""
    model_name: str = "mnist"
    min_accuracy: float = FLOORS["mnist"][0]
    min_class_accuracy: float = FLOORS["mnist"][1]
    confidence: float = 0.95
    require_promotion: bool = False
    run_name: str = ""
    model_registry: str = ""
    forms: Sequence[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return name -> value, as plain JSON types."""
        return asdict(self)


def complete(
    *,
    dataset: str,
    model_name: str = "",
    min_accuracy: float | None = None,
    min_class_accuracy: float | None = None,
    accept: Iterable[str] = (),
    ignore: str = "",
    rules: str = "",
    forms: str = "",
    **rest: Any,
) -> RunArguments:
    """Return the arguments with what follows from the dataset filled in: the name in the registry, the floors.

    Args:
        dataset: As in RunArguments; the rest likewise.
        model_name: "" takes the dataset's name.
        min_accuracy: None takes the dataset's floor; `min_class_accuracy` likewise.
        accept: Texts like 'S151="sorted on purpose"', by rule or by field.
        ignore: Codes or names of rules, with commas between.
        rules: As in RunArguments; the file is run here too, to know the names in it.
        forms: Names of forms, with commas between.

    Raises:
        UsageError: The network or a form is unknown, or an acceptance, a rule to ignore or the rules cannot be used.
    """
    ignored, chosen = _names(ignore), _names(forms)
    _require_forms(chosen)
    accepted = acceptances(accept)
    _require_choices(accepted, ignored, rules)
    name = model_name or model_name_for(dataset)
    if not is_model_name(name):
        raise UsageError(f"Expected {MODEL_NAME} for the registry. Received: {name!r}. Fix: --model-name digits")
    floor, class_floor = FLOORS.get(dataset, OWN_FLOORS)
    if not rest.get("model"):
        _require_network(rest.get("network", RunArguments.network))
    return RunArguments(
        dataset=dataset,
        model_name=name,
        min_accuracy=floor if min_accuracy is None else min_accuracy,
        min_class_accuracy=class_floor if min_class_accuracy is None else min_class_accuracy,
        accept=accepted,
        ignore=ignored,
        rules=rules,
        forms=chosen,
        **rest,
    )


def _names(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _require_forms(names: Sequence[str]) -> None:
    try:
        forms_named(names)
    except ValueError as error:
        raise UsageError(f"{error} Fix: --forms {','.join(FORMS)}") from error


def acceptances(texts: Iterable[str]) -> list[dict[str, str]]:
    """Return texts like RULE="reason" as the pipeline's parameter; whether there is such a rule is asked later.

    >>> acceptances(['splits.order="sorted on purpose"', "I103=the old camera"])
    [{'field': 'splits.order', 'because': 'sorted on purpose'}, {'rule': 'I103', 'because': 'the old camera'}]
    """
    entries = []
    for text in texts:
        name, _, reason = text.partition("=")
        entries.append(entry_of(name.strip(), reason.strip().strip("\"'").strip()))
    return entries


def _require_choices(accept: Sequence[Mapping[str, str]], ignore: Sequence[str], rules: str) -> None:
    """Refuse names that no rule has, before anything is started."""
    if not (accept or ignore or rules):
        return  # the rules are many, and read only when they are asked for
    from deep_mnist.doctor.checks.catalogue import RuleError, with_rules_of

    try:
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            if rules:
                fetch(rules, Path(folder) / "own_rules.py")
                stack.enter_context(with_rules_of(Path(folder) / "own_rules.py"))
            choices_of(accept, ignore)
    except (NotUsableError, RuleError, StorageError) as error:
        raise UsageError(f'{error} Fix: --accept RULE="reason", --ignore RULE,…, --rules FILE.py') from error


def model_name_for(dataset: str) -> str:
    """Return the registry name for a dataset: its own name, or the last part of its path.

    >>> model_name_for("gs://bucket/My Digits.npz")
    'my-digits'
    >>> model_name_for("https://example.test/digits.csv.gz")
    'digits'
    """
    if dataset in KNOWN:
        return dataset
    last = dataset.partition("#")[0].rstrip("/").rpartition("/")[2]
    last = re.sub(r"\.(npz|parquet|csv(\.gz)?)$", "", last, flags=re.IGNORECASE)
    name = re.sub(r"[^a-z0-9-]+", "-", last.lower()).strip("-")
    return name if name[:1].isalpha() else f"own-{name}".rstrip("-")


def _require_network(name: str) -> None:
    try:
        resolve_contract(name)
    except ValueError as error:
        raise UsageError(str(error)) from error
