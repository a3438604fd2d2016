"""`python -m pipeline compile`: the definition as KFP's intermediate representation."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.training import build_pipeline


@click.command()
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), default="build/training.yaml", show_default=True
)
@click.option("--local", is_flag=True, help="As `run` uses it: without retries, resources, accelerators.")
def compile(output: Path, local: bool) -> None:
    """Write the pipeline's definition, for a cluster unless --local."""
    compile_to(output, cluster=not local)
    click.echo(f"{output} {output.stat().st_size} bytes")


def compile_to(output: Path, *, cluster: bool = True) -> None:
    """Write the IR YAML (and, for a cluster, the platform document) to `output`."""
    from kfp.compiler import Compiler

    output.parent.mkdir(parents=True, exist_ok=True)
    Compiler().compile(build_pipeline(cluster=cluster), str(output))
