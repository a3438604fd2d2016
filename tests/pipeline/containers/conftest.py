"""The engine and the images, for all tests of this folder that need them."""

from __future__ import annotations

import pytest

from pipeline.containers.built import built_images


@pytest.fixture(scope="session")
def images():
    """Target -> reference of the images that `make images` built from these files."""
    return built_images()


@pytest.fixture
def engine():
    import docker

    client = docker.from_env()
    yield client
    client.close()
