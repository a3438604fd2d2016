"""Pipelines and their versions on a cluster: a version never changes, so its content names it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import click

from pipeline.cluster.connection import Connection, found_or_made
from pipeline.cluster.definition import Definition
from pipeline.cluster.submit import equals

TAGS, CHARACTERS = 20, 63  # as many, and as long, as Kubeflow 2.17 takes
tag_option = click.option(
    "--tag", multiple=True, metavar="KEY=VALUE", help="For the pipeline and the version, when they are made."
)


def tags_in(texts: Iterable[str]) -> dict[str, str]:
    """Return KEY=VALUE texts as tags.

    Raises:
        click.BadParameter: Kubeflow would refuse one.
    """
    pairs = [text.partition("=") for text in texts]
    tags = {key: value for key, _, value in pairs}
    fit = all(
        equal and key and "." not in key and len(key) <= CHARACTERS and len(value) <= CHARACTERS
        for key, equal, value in pairs
    )
    if not fit or len(tags) > TAGS:
        raise click.BadParameter(
            f"Expected at most {TAGS} tags KEY=VALUE of at most {CHARACTERS} characters each, no dot in a key. "
            f"Received: {', '.join(repr(text) for text in texts)}.",
            param_hint="--tag",
        )
    return tags


def upload(connection: Connection, definition: Definition, tags: Mapping[str, str]) -> tuple[str, str]:
    """Return the ids of the pipeline and of its version with this content; make what is not there, with these tags."""
    pipeline = _pipeline(connection, definition.name, tags)
    name = version_name(definition)

    def find() -> str:
        listed = connection.pipelines.pipeline_service_list_pipeline_versions
        found = connection.call(listed, pipeline, filter=equals("name", name), page_size=2)
        return str(found.pipeline_versions[0].pipeline_version_id) if found.pipeline_versions else ""

    def make() -> str:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{name}.yaml"
            path.write_text(definition.text)  # both documents: without the second, limits and identities are lost
            made = connection.call(
                connection.uploads.upload_pipeline_version,
                str(path),
                name=name,
                pipelineid=pipeline,
                **({"tags": json.dumps(dict(tags))} if tags else {}),
            )
        return str(made.pipeline_version_id)

    return pipeline, found_or_made(find, make)


def version_name(definition: Definition) -> str:
    """Return the version's name: a version never changes, so its content names it."""
    return f"{definition.name}-{definition.digest[:16]}"


def _pipeline(connection: Connection, name: str, tags: Mapping[str, str]) -> str:
    import kfp_server_api as api

    namespace = connection.namespace or None
    service = connection.pipelines

    def find() -> str:
        listed = service.pipeline_service_list_pipelines
        found = connection.call(listed, filter=equals("name", name), namespace=namespace, page_size=2)
        return str(found.pipelines[0].pipeline_id) if found.pipelines else ""

    def make() -> str:
        requested = api.V2beta1Pipeline(name=name, display_name=name, namespace=namespace, tags=dict(tags) or None)
        return str(connection.call(service.pipeline_service_create_pipeline, requested).pipeline_id)

    return found_or_made(find, make)
