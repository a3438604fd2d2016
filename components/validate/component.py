"""The component definitions of validate: one writes the report and always succeeds, the other stops the run."""

from typing import NamedTuple

from kfp import dsl
from kfp.dsl import HTML, Artifact, Dataset, Input, Markdown, Output

from components.images import image


@dsl.component(base_image=image("validate"), install_kfp_package=False)
def validate(
    dataset: Input[Dataset],
    accept: list,
    ignore: list,
    rules: str,
    findings: Output[Artifact],
    report: Output[HTML],
    summary: Output[Markdown],
) -> NamedTuple("Outputs", [("verdict", str), ("errors", int)]):  # type: ignore[valid-type]
    """Judge the dataset against the contract that lies in it and write what was found.

    Args:
        dataset: What preprocess wrote; the network's contract lies in it.
        accept: What a person takes responsibility for: [{"rule" or "field", "split" (absent: any), "because"}].
        ignore: Codes or names of rules that are not judged.
        rules: Where the user's own rules came from, which preprocess put into the dataset; "" for none.
        findings: The doctor's JSON object.
        report: The same with images.
        summary: The same as Markdown.
    """
    from components.failure import report_failure

    with report_failure():
        from pathlib import Path

        from components.validate.validate import validate_dataset
        from components.verdict import write_reports

        diagnosis = validate_dataset(Path(dataset.path), accept, ignore, own_rules=bool(rules))
        return write_reports(diagnosis, Path(findings.path), Path(report.path), Path(summary.path), step="validate")


@dsl.component(base_image=image("validate"), install_kfp_package=False)
def require_valid(findings: Input[Artifact], verdict: str) -> str:
    """Return "fit", or fail with every error: no later task starts before this one has passed."""
    from components.failure import report_failure

    with report_failure():
        import json
        from pathlib import Path

        from components.verdict import require_fit

        return require_fit(json.loads(Path(findings.path).read_text())["findings"], verdict)
