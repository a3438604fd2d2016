"""The component definition of prepare: download, preprocess and validate as one step, for a cluster.

There a step is two pods, one after the other, and its outputs go through the object store, file by file. The three need
the same few packages and no accelerator, and none is of use without the others. On this machine, and in a sweep, whose
trials share one download, they are steps of their own.
"""

from typing import NamedTuple

from kfp import dsl
from kfp.dsl import HTML, Artifact, Dataset, Markdown, Output

from components.images import image


@dsl.component(base_image=image("prepare"), install_kfp_package=False)
def prepare(
    source: str,
    dataset_digest: str,
    network: str,
    model: str,
    model_digest: str,
    preparation: str,
    validation_fraction: float,
    seed: int,
    accept: list,
    ignore: list,
    rules: str,
    rules_digest: str,
    labels: str,
    labels_digest: str,
    shard_bytes: int,
    shards: str,
    dataset: Output[Dataset],
    findings: Output[Artifact],
    report: Output[HTML],
    summary: Output[Markdown],
) -> NamedTuple("Outputs", [("verdict", str), ("errors", int)]):  # type: ignore[valid-type]
    """Bring the data here, write what the network's contract asks for, judge it, and write what was found.

    Args:
        source: "mnist", "fashion-mnist", or a folder, gs://, s3:// or https:// address of the user's own.
        dataset_digest: What identifies the user's own data at this moment; it only keys KFP's cache.
        network: Name of a built-in network, used when `model` is empty.
        model: Path, gs:// or s3:// address of a user's own network.
        model_digest: SHA-256 that this file must have, or "".
        preparation: auto, contract or none.
        validation_fraction: Share of the training examples set apart.
        seed: Of the stratified split.
        accept: What a person takes responsibility for: [{"rule" or "field", "split" (absent: any), "because"}].
        ignore: Codes or names of rules that are not judged.
        rules: Path, gs:// or s3:// address of a Python file with rules of the user's own, "" for none.
        rules_digest: SHA-256 that this file must have, or "".
        labels: Path, gs:// or s3:// address of a labels.yaml, what people decided about single labels; "" for none.
        labels_digest: SHA-256 that this file must have, or "".
        shard_bytes: Training examples of more bytes are written as shards of at most so many; 0 for never.
        shards: Address of the store for the shards; "" for a folder in the dataset's own.
        dataset: Folder of `.npy` files with contract.json, manifest and preprocessing record.
        findings: The doctor's JSON object.
        report: The same with images.
        summary: The same as Markdown.
    """
    from components.failure import report_failure

    with report_failure():
        import tempfile
        from pathlib import Path

        from components.download.download import download_dataset
        from components.preprocess.preprocess import preprocess_dataset
        from components.validate.validate import validate_dataset
        from components.verdict import write_reports
        from deep_mnist.contract.load import resolve_contract

        with tempfile.TemporaryDirectory() as scratch:
            download_dataset(source, Path(scratch))
            preprocess_dataset(
                Path(scratch),
                resolve_contract(network, model, model_digest),
                Path(dataset.path),
                source=source,
                preparation=preparation,
                validation_fraction=validation_fraction,
                seed=seed,
                rules=rules,
                rules_digest=rules_digest,
                labels=labels,
                labels_digest=labels_digest,
                shard_bytes=shard_bytes,
                shards=shards,
            )
        diagnosis = validate_dataset(Path(dataset.path), accept, ignore, own_rules=bool(rules))
        return write_reports(diagnosis, Path(findings.path), Path(report.path), Path(summary.path), step="prepare")
