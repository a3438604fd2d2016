"""The component definition of preprocess."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from components.images import image


@dsl.component(base_image=image("preprocess"), install_kfp_package=False)
def preprocess(
    raw: Input[Dataset],
    source: str,
    network: str,
    model: str,
    model_digest: str,
    preparation: str,
    validation_fraction: float,
    seed: int,
    rules: str,
    rules_digest: str,
    labels: str,
    labels_digest: str,
    shard_bytes: int,
    shards: str,
    dataset: Output[Dataset],
) -> str:
    """Write exactly what the network's contract asks for and return the dataset's digest.

    Args:
        raw: What download brought.
        source: The dataset's name or address, for the record.
        network: Name of a built-in network, used when `model` is empty.
        model: Path, gs:// or s3:// address of a user's own network.
        model_digest: SHA-256 that this file must have, or "".
        preparation: auto, contract or none.
        validation_fraction: Share of the training examples set apart.
        seed: Of the stratified split.
        rules: Path, gs:// or s3:// address of a Python file with rules of the user's own, "" for none.
        rules_digest: SHA-256 that this file must have, or "".
        labels: Path, gs:// or s3:// address of a labels.yaml, what people decided about single labels; "" for none.
        labels_digest: SHA-256 that this file must have, or "".
        shard_bytes: Training examples of more bytes are written as shards of at most so many; 0 for never.
        shards: Address of the store for the shards; "" for a folder in the dataset's own.
        dataset: Folder of `.npy` files with contract.json, manifest and preprocessing record.
    """
    from components.failure import report_failure

    with report_failure():
        from pathlib import Path

        from components.preprocess.preprocess import preprocess_dataset
        from deep_mnist.contract.load import resolve_contract

        return preprocess_dataset(
            Path(raw.path),
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
        ).digest
