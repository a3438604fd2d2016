"""What containers and images are decided by, without an engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from components.images import IMAGE_OF
from pipeline.containers import build, settings, step
from pipeline.containers.built import content_digest, tag_of
from pipeline.containers.engine import ContainersError, EngineMissingError, engine_ready
from pipeline.containers.sbom import write_sbom
from pipeline.containers.step import Step, _arguments_for, mounts_of, step_of
from pipeline.kfp_patches import TESTED_KFP
from tests.support.keys import make_keys

ROOT = Path(__file__).resolve().parents[3]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text()


def command_of(component, parameters, output_file):
    """The command line that kfp.local gives a step's container."""
    container = component.component_spec.implementation.container
    executor_input = {"inputs": {"parameterValues": parameters}, "outputs": {"outputFile": str(output_file)}}
    filled = json.dumps(executor_input)
    return [filled if "{{$}}" in str(part) else str(part) for part in [*container.command, *container.args]]


def test_a_command_line_tells_its_step(tmp_path):
    """The step's name, parameters and output file are read from the command that kfp compiles."""
    from components.download.component import download

    read = step_of(command_of(download, {"dataset": "mnist"}, tmp_path / "executor_output.json"))

    assert read == Step("download", {"dataset": "mnist"}, (), tmp_path / "executor_output.json")


def test_a_step_sees_only_what_it_names(tmp_path):
    """Outputs can be written, inputs only read; publish may write to the registry, evaluate may not; no other run."""
    for name in ("registry", "runs/one/dataset", "runs/other", "data"):
        (tmp_path / name).mkdir(parents=True)
    allowed = mounts_of([(tmp_path / "registry", False), (tmp_path / "runs", False), (tmp_path / "data", True)])

    def seen(name):
        named = Step(
            name,
            {"registry": str(tmp_path / "registry"), "model_name": "digits"},
            (tmp_path / "runs/one/dataset",),
            tmp_path / "runs/one" / name / "executor_output.json",
        )
        mounts = step._mounts_for(named, {}, allowed)
        return {str(Path(each["Source"]).relative_to(tmp_path)): each["ReadOnly"] for each in mounts}

    assert seen("publish") == {"runs/one/publish": False, "runs/one/dataset": True, "registry": False}
    assert seen("evaluate") == {"runs/one/evaluate": False, "runs/one/dataset": True, "registry": True}


def test_a_command_of_another_kind_is_no_step():
    """A container that kfp did not write the command of has no name and no output to demand."""
    assert step_of(["sh", "-c", "exit 3"]) == Step()


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        ("download", {"dataset": "mnist"}, True),
        ("download", {"dataset": "https://example.test/digits.npz"}, True),
        ("download", {"dataset": "/data/digits"}, False),
        ("preprocess", {"source": "mnist", "model": ""}, False),
        ("preprocess", {"source": "mnist", "model": "gs://bucket/mine.keras"}, True),
        ("train", {"checkpoints": "/runs/.checkpoints"}, False),
        ("train", {"checkpoints": "gs://bucket/checkpoints"}, True),
        ("evaluate", {"registry": "/registry"}, False),
        ("publish", {"registry": "/registry"}, False),
        ("publish", {"registry": "gs://bucket/registry"}, True),
        ("", {}, False),
    ],
)
def test_only_who_must_reach_a_network_has_one(name, parameters, expected):
    """download has a network unless the data are a folder here; the others when a parameter is an address."""
    assert Step(name, parameters).needs_network is expected


def test_only_what_signs_is_given_the_private_key(monkeypatch, tmp_path):
    """`publish` gets the keys as text, `evaluate` the public one, and a step of data none."""
    keys = make_keys(tmp_path)
    monkeypatch.setenv("DEEP_MNIST_SIGNING_KEY", str(keys.private))
    private, public = keys.private.read_text(), keys.public.read_text()
    given = {
        name: _arguments_for(Step(name), {}, {}).get("environment") for name in ("publish", "evaluate", "validate")
    }

    assert given == {
        "publish": {"DEEP_MNIST_SIGNING_KEY": private, "DEEP_MNIST_TRUSTED_KEYS": public},
        "evaluate": {"DEEP_MNIST_TRUSTED_KEYS": public},
        "validate": None,
    }


def test_who_signs_by_a_token_is_given_one_and_a_network(monkeypatch, tmp_path):
    """`publish` gets the token of now and a network for a registry here; `evaluate` whose identity counts, and with
    Sigstore's keys at hand no network.
    """
    (tmp_path / "token").write_text("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmVk")
    (tmp_path / "config.json").write_text('{"mediaType": "", "trustedRoot": {}, "signingConfig": {}}')
    monkeypatch.setenv("DEEP_MNIST_IDENTITY_TOKEN", str(tmp_path / "token"))
    monkeypatch.setenv("DEEP_MNIST_CERTIFICATE_IDENTITY", "me@example.com")
    monkeypatch.setenv("DEEP_MNIST_CERTIFICATE_OIDC_ISSUER", "https://issuer.example")
    reached = [_arguments_for(Step("evaluate"), {}, {})["network_mode"]]
    monkeypatch.setenv("DEEP_MNIST_TRUST_CONFIG", str(tmp_path / "config.json"))
    publish, evaluate, train = (_arguments_for(Step(name), {}, {}) for name in ("publish", "evaluate", "train"))

    assert publish["environment"]["DEEP_MNIST_IDENTITY_TOKEN"] == (tmp_path / "token").read_text()
    assert evaluate["environment"] == {
        "DEEP_MNIST_CERTIFICATE_IDENTITY": "me@example.com",
        "DEEP_MNIST_CERTIFICATE_OIDC_ISSUER": "https://issuer.example",
        "DEEP_MNIST_TRUST_CONFIG": (tmp_path / "config.json").read_text(),
    }
    assert "environment" not in train
    modes = [*reached, publish["network_mode"], evaluate["network_mode"]]
    assert [mode != "none" for mode in modes] == [True, True, False]


def test_a_path_is_mounted_once_and_writable_where_one_asks_for_it(tmp_path):
    """Paths keep their place inside, read only unless somebody writes to them."""
    (tmp_path / "data").mkdir()
    mounts = mounts_of([(tmp_path, True), (tmp_path / "data", True), (tmp_path, False)])

    assert [(each["Source"], each["Target"], each["ReadOnly"]) for each in mounts] == [
        (str(tmp_path), str(tmp_path), False),
        (str(tmp_path / "data"), str(tmp_path / "data"), True),
    ]


@pytest.mark.parametrize("path", ["/", "/opt", "/usr", "/tmp", "/nowhere/at/all", "relative"])
def test_a_path_that_would_break_the_image_is_refused(path):
    """A path that is not there, or that hides what an image holds, is named before anything starts."""
    with pytest.raises(ContainersError, match=rf"Received: {path}"):
        mounts_of([(Path(path), True)])


def test_without_an_engine_the_message_says_how_to_get_one(monkeypatch, tmp_path):
    """No engine at the address gives one clear error."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")

    with pytest.raises(EngineMissingError, match=r"Expected a Docker Engine .* docker/ensure_engine\.sh"):
        engine_ready()


def test_any_change_of_what_enters_the_images_changes_the_tag(tmp_path):
    """Code, locks, recipe and base image count; what Python leaves behind does not."""
    for folder in ("components", "deep_mnist", "requirements", "docker"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    digests = [content_digest(tmp_path)]
    (tmp_path / "components" / "__pycache__").mkdir()
    (tmp_path / "components" / "__pycache__" / "page.pyc").write_bytes(b"compiled")
    assert content_digest(tmp_path) == digests[0]
    for name in ("components/train/train.py", "requirements/train-cpu.txt", "docker/Dockerfile"):
        with (tmp_path / name).open("a") as file:
            file.write("# changed\n")
        digests.append(content_digest(tmp_path))

    assert len(set(digests)) == 4
    assert tag_of(digests[0], "base:one") != tag_of(digests[0], "base:two")
    assert re.fullmatch(r"([0-9a-f]{12}|no-commit)-[0-9a-f]{12}", tag_of(digests[0], "base:one"))


def test_each_component_is_in_the_image_that_runs_it():
    """The stage of a component's image copies the component's folder."""
    stages = dict(re.findall(r"^FROM \S+ AS (\S+)\n((?:(?!FROM ).*\n)*)", DOCKERFILE, re.M))
    for component, target in IMAGE_OF.items():
        assert f"COPY components/{component} components/{component}\n" in stages[target]
    assert "COPY components/train components/train\n" in stages["train-cpu"]


def test_the_recipe_is_clean():
    """hadolint finds nothing; no stage is built on `latest`, and kfp's lock is of the version that compiles."""
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, ROOT / "docker" / "Dockerfile"], capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (0, "")
    assert ":latest" not in DOCKERFILE
    assert "ENTRYPOINT" not in DOCKERFILE
    assert f"kfp=={TESTED_KFP} " in (ROOT / "requirements" / "kfp.txt").read_text()


def test_an_image_that_breaks_a_rule_is_refused():
    """Root, an entrypoint, too many bytes and TensorFlow in the light image are all reported at once."""
    attributes = {"Config": {"User": "0", "Entrypoint": ["python3"]}, "Size": build.BUDGETS["light"] + 1}

    with pytest.raises(ContainersError) as refused:
        build._check_rules("light", attributes, {"numpy", "tensorflow"})

    for part in ("USER", "ENTRYPOINT", f"{build.BUDGETS['light']} bytes", "tensorflow"):
        assert part in str(refused.value)


def test_settings_of_pip_go_to_the_build_without_local_folders(monkeypatch, tmp_path):
    """An index address and its certificates travel as secrets; folders of this machine do not."""
    config = tmp_path / "pip.conf"
    lines = ("index-url = https://mirror.test/simple", "extra-index-url = file:///wheels", f"cert = {tmp_path}/ca.pem")
    config.write_text("\n".join(["[global]", *lines]))
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    settings._pip_config.cache_clear()
    try:
        (tmp_path / "given").mkdir()
        secrets = build._secrets(tmp_path / "given")
        written = (tmp_path / "given" / "pip.conf").read_text()
    finally:
        settings._pip_config.cache_clear()

    assert f"id=ca_bundle,src={tmp_path}/ca.pem" in secrets
    assert "index-url = https://mirror.test/simple" in written
    assert "cert = /run/secrets/ca_bundle" in written
    assert "file:" not in written


def test_the_sbom_is_valid_cyclonedx(tmp_path):
    """Python and Debian packages become components with package URLs, in a document that meets the 1.6 schema."""
    inventory = {
        "python": [{"name": "numpy", "version": "2.3.5", "license": "BSD-3-Clause"}],
        "debian": [{"package": "libc6", "version": "2.36-9+deb12u14", "architecture": "amd64"}],
        "release": "debian-12",
    }
    write_sbom(inventory, "deep-mnist/light:0a-1b", "sha256:" + "ab" * 32, tmp_path / "sbom.json")
    text = (tmp_path / "sbom.json").read_text()

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    urls = {each["purl"] for each in json.loads(text)["components"]}
    assert "pkg:pypi/numpy@2.3.5" in urls
    assert any(url.startswith("pkg:deb/debian/libc6@2.36-9%2Bdeb12u14") for url in urls)


def test_pushing_nowhere_is_refused():
    """A push without a registry says which variable names it."""
    with pytest.raises(ContainersError, match="make push REGISTRY="):
        build.push_images([], "")
