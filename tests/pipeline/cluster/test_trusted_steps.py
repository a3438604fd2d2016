"""What signs and verifies on a cluster: each step is given no more of it than it needs."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from pipeline.__main__ import pipeline
from pipeline.cluster.definition import compile_definition
from pipeline.placement import ClusterSettings

pytestmark = pytest.mark.usefixtures("pushed_images")


def test_only_what_signs_sees_the_private_key():
    """--signing gives `publish` both keys of the Secret, `evaluate` the public ones, no other step any."""
    signing = compile_definition(settings=ClusterSettings(signing="signing"))
    given = {
        task.name: {each["secretKey"]: each["envVar"] for each in secret["keyToEnv"]}
        for task in signing.tasks()
        for secret in task.kubernetes["secretAsEnv"]
        if secret["secretName"] == "signing" and not secret.get("optional")
    }

    assert given == {
        "publish": {"key": "DEEP_MNIST_SIGNING_KEY", "trusted": "DEEP_MNIST_TRUSTED_KEYS"},
        "evaluate": {"trusted": "DEEP_MNIST_TRUSTED_KEYS"},
    }


def test_only_what_signs_has_a_token(server):
    """--keyless tells `evaluate` and `publish` whose signatures count, and `publish` to ask the cluster for a token."""
    shown = CliRunner().invoke(
        pipeline, ["submit", "--store", "gs://models/mnist", "--host", server.url, "--keyless", "identities"]
    )
    spec = server.created["runs"][0].pipeline_spec
    of_cluster = spec["platform_spec"]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    told = {
        name: [(key["envVar"], each.get("optional", False)) for each in given for key in each["keyToEnv"]]
        for name, settings in of_cluster.items()
        if (given := [e for e in settings.get("configMapAsEnv", []) if e["configMapName"] == "identities"])
    }
    executors = spec["pipeline_spec"]["deploymentSpec"]["executors"]
    tokens = {
        name: [each["value"] for each in executor["container"].get("env", []) if "TOKEN" in each["name"]]
        for name, executor in executors.items()
    }

    assert shown.exit_code == 0, shown.output
    identities = [("DEEP_MNIST_CERTIFICATE_IDENTITY", False), ("DEEP_MNIST_CERTIFICATE_OIDC_ISSUER", False)]
    identities.append(("DEEP_MNIST_TRUST_CONFIG", True))
    assert told == {"exec-evaluate": identities, "exec-publish": identities}
    assert {name: each for name, each in tokens.items() if each} == {"exec-publish": ["kubernetes"]}
