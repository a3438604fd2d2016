"""The component definitions of rehearse: one runs the network for seconds and writes what it saw, one is the gate."""

from typing import NamedTuple

from kfp import dsl
from kfp.dsl import HTML, Artifact, Dataset, Input, Markdown, Output

from components.images import image


@dsl.component(base_image=image("rehearse"), install_kfp_package=False)
def rehearse(
    dataset: Input[Dataset],
    ready: str,
    network: str,
    model: str,
    model_digest: str,
    epochs: int,
    accept: list,
    ignore: list,
    findings: Output[Artifact],
    report: Output[HTML],
    summary: Output[Markdown],
) -> NamedTuple("Outputs", [("verdict", str), ("errors", int)]):  # type: ignore[valid-type]
    """Run the network for some seconds on a CPU and write what only a run can show.

    Args:
        dataset: What preprocess wrote.
        ready: The pass of require_valid.
        network: Name of a built-in network, used when `model` is empty.
        model: Path, gs:// or s3:// address of a user's own network.
        model_digest: SHA-256 of that file.
        epochs: Of the training; 0 means as many as the network's recipe says.
        accept: What a person takes responsibility for: [{"rule" or "field", "split" (absent: any), "because"}].
        ignore: Codes or names of rules that are not judged.
        findings: The doctor's JSON object.
        report: The same as a page.
        summary: The same as Markdown.
    """
    from components.failure import report_failure

    with report_failure():
        from pathlib import Path

        from components.rehearse.rehearse import rehearse_dataset
        from components.verdict import write_reports

        diagnosis = rehearse_dataset(
            Path(dataset.path),
            network=network,
            model=model,
            model_digest=model_digest,
            epochs=epochs,
            accept=accept,
            ignore=ignore,
        )
        return write_reports(diagnosis, Path(findings.path), Path(report.path), Path(summary.path), step="rehearse")


@dsl.component(base_image=image("rehearse"), install_kfp_package=False)
def require_rehearsed(findings: Input[Artifact], verdict: str) -> str:
    """Return "fit", or fail with every error: no accelerator is requested before this has passed."""
    from components.failure import report_failure

    with report_failure():
        import json
        from pathlib import Path

        from components.verdict import UnfitNetworkError, require_fit

        return require_fit(json.loads(Path(findings.path).read_text())["findings"], verdict, UnfitNetworkError)
