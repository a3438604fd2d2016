"""What a build or a container must know to reach the network as this process does: proxies, certificates, pip."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from deep_mnist.data.transfer import cache_folder

PIP_SETTINGS = ("cert", "default-timeout", "extra-index-url", "index-url", "proxy", "timeout", "trusted-host")
STORE_ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "STORAGE_EMULATOR_HOST")
NETWORK_SETTINGS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_CA_BUNDLE",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_CLOUD_PROJECT",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "MODEL_REGISTRY_TOKEN",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    *STORE_ENDPOINTS,
    "http_proxy",
    "https_proxy",
    "no_proxy",
)


def network_settings() -> dict[str, str]:
    """Return the environment of a container that has a network."""
    settings = {name: os.environ[name] for name in NETWORK_SETTINGS if os.environ.get(name)}
    pip = {f"PIP_{name.upper().replace('-', '_')}": value for name, value in pip_settings().items()}
    return {**settings, **pip, "DEEP_MNIST_CACHE": str(download_cache())}


def download_cache() -> Path:
    """Return the folder where downloads are kept, as a container sees it too."""
    return cache_folder().resolve()


def pip_settings() -> dict[str, str]:
    """Return how pip reaches its index from this machine, as far as it holds elsewhere: no local folders."""
    settings = {}
    for line in _pip_config().splitlines():
        name, _, value = line.partition("=")
        name, value = name.rpartition(".")[2], value.strip("'\"")
        if name in PIP_SETTINGS and "file:" not in value:
            settings[name] = value
    if "cert" not in settings and os.environ.get("REQUESTS_CA_BUNDLE"):
        settings["cert"] = os.environ["REQUESTS_CA_BUNDLE"]
    return settings


@cache
def _pip_config() -> str:
    return subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True).stdout
