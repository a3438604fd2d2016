"""The definition: what it compiles to, and that nothing can ask for an accelerator before the data have passed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.cluster import definition
from pipeline.cluster.definition import compile_definition, compile_sweep
from pipeline.compile import compile_to
from pipeline.placement import ClusterSettings
from pipeline.training import build_pipeline

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory) -> list[dict]:
    """The cluster's definition: the IR and the platform document."""
    path = tmp_path_factory.mktemp("ir") / "training.yaml"
    compile_to(path)
    return list(yaml.safe_load_all(path.read_text()))


def tasks_of(ir: dict) -> dict[str, dict]:
    return ir["root"]["dag"]["tasks"]


def data_sources(task: dict) -> set[str]:
    """The tasks whose outputs, parameters or artifacts, this task takes as inputs."""
    inputs = task.get("inputs", {})
    taken = [*inputs.get("parameters", {}).values(), *inputs.get("artifacts", {}).values()]
    keys = ("taskOutputParameter", "taskOutputArtifact")
    return {each[key]["producerTask"] for each in taken for key in keys if key in each}


def accelerated(ir: dict) -> set[str]:
    """The tasks whose executor asks for an accelerator."""
    executors = ir["deploymentSpec"]["executors"]
    asking = {
        name for name, spec in executors.items() if "accelerator" in spec.get("container", {}).get("resources", {})
    }
    components = {name for name, spec in ir["components"].items() if spec.get("executorLabel") in asking}
    return {name for name, task in tasks_of(ir).items() if task["componentRef"]["name"] in components}


def ancestors(tasks: dict[str, dict], name: str) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for source in data_sources(tasks[waiting.pop()]) - found:
            found.add(source)
            waiting.append(source)
    return found


def test_only_training_asks_for_an_accelerator(compiled):
    """No other step requests a GPU."""
    assert accelerated(compiled[0]) == {"train"}


def test_no_accelerator_before_the_data_have_passed(compiled):
    """Every task with an accelerator takes an output that only `require_valid` produces: data, not `.after()`."""
    tasks = tasks_of(compiled[0])
    for name in accelerated(compiled[0]):
        assert "require-valid" in data_sources(tasks[name])
        judged = {"validate", "preprocess", "download"} if "validate" in tasks else {"prepare"}
        assert judged <= ancestors(tasks, name)


DEFINITIONS = {
    "training": lambda gpu: compile_definition(gpu=gpu),
    "retraining": lambda gpu: compile_definition(gpu=gpu, retraining=True),
    "sweep": lambda gpu: compile_sweep(gpu=gpu),
}


@pytest.mark.parametrize("name", DEFINITIONS)
def test_no_accelerator_before_both_gates(name):
    """A cluster definition with accelerators rehearses first: train takes what the second gate returns."""
    definition = DEFINITIONS[name](1)
    steps = {task.name: task for task in definition.tasks()}
    asking = [name for name, task in steps.items() if "accelerator" in task.executor.get("resources", {})]
    assert asking == ["train"]
    assert data_sources(steps["train"].spec) >= {"require-rehearsed"}
    assert data_sources(steps["require-rehearsed"].spec) == {"rehearse"}
    ready = steps["rehearse"].spec["inputs"]["parameters"]["ready"]
    assert "require-valid" in str(ready)
    assert "train-cpu" in steps["rehearse"].executor["image"]
    assert "rehearse" not in {task.name for task in DEFINITIONS[name](0).tasks()}


@pytest.mark.parametrize("retraining", [False, True])
def test_labels_are_inspected_fold_by_fold_where_it_is_asked_for(retraining):
    """Each fold is a task in a loop behind the gate; train takes the token of `inspect`; off by default."""
    settings = ClusterSettings(inspect_labels=True)
    inspecting = compile_definition(gpu=0, retraining=retraining, settings=settings)
    steps = {task.name: task for task in inspecting.tasks()}

    assert {"inspect-fold", "inspect"} <= set(steps)
    assert "train-cpu" in steps["inspect-fold"].executor["image"]
    assert "inspect" in data_sources(steps["train"].spec)
    assert "require-valid" in str(steps["inspect-fold"].spec["inputs"]["parameters"]["ready"])
    plain = {task.name for task in compile_definition(gpu=0, retraining=retraining).tasks()}
    assert not {"inspect-fold", "inspect"} & plain


def test_the_definition_sent_is_the_one_kfp_writes(compiled):
    """What `submit` sends, taken from kfp's messages, is what kfp writes to a file: both documents, types included."""
    sent = definition.compiled(build_pipeline(cluster=True))

    assert json.dumps([sent.pipeline, sent.platform], sort_keys=True) == json.dumps(compiled, sort_keys=True)


def test_nothing_after_require_valid_starts_without_it(compiled):
    """Evaluate and publish depend, through the model, on the pass."""
    tasks = tasks_of(compiled[0])
    for name in ("train", "evaluate", "publish"):
        assert "require-valid" in ancestors(tasks, name)


def test_no_image_is_mutable_and_nothing_is_installed_at_run_time(compiled):
    """Every image has a tag that is not `latest`, and no command calls pip."""
    for executor in compiled[0]["deploymentSpec"]["executors"].values():
        container = executor["container"]
        _, _, tag = container["image"].rpartition(":")
        assert tag and tag != "latest"
        assert "pip install" not in " ".join([*container.get("command", []), *container.get("args", [])])


def test_importing_the_definition_loads_no_tensorflow():
    """Compiling needs neither TensorFlow nor numpy's weight in the component definitions."""
    code = "import pipeline.training, sys; print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["False", "False"]


def test_changed_code_has_another_image_tag(tmp_path):
    """The tag, part of KFP's cache key, follows the component's files and the shared ones."""
    for name in ("components", "deep_mnist", "requirements"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))

    def tags() -> list[str]:
        code = "from components.images import image; print(image('train'), image('validate'))"
        return subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout.split()

    before = tags()
    with (tmp_path / "components" / "train" / "train.py").open("a") as stream:
        stream.write("# changed\n")
    after_train = tags()
    with (tmp_path / "deep_mnist" / "data" / "dataset.py").open("a") as stream:
        stream.write("# changed\n")
    after_shared = tags()

    assert after_train[0] != before[0] and after_train[1] == before[1]
    assert after_shared[0] != after_train[0] and after_shared[1] != after_train[1]
