"""The component definition of download."""

from kfp import dsl
from kfp.dsl import Dataset, Output

from components.images import image


@dsl.component(base_image=image("download"), install_kfp_package=False)
def download(dataset: str, dataset_digest: str, raw: Output[Dataset]) -> str:
    """Bring a dataset here and return the digest of its files.

    Args:
        dataset: "mnist", "fashion-mnist", or a folder, gs://, s3:// or https:// address of the user's own.
        dataset_digest: What identifies the user's own data at this moment; it only keys KFP's cache.
        raw: The files as they came, with a manifest.
    """
    from components.failure import report_failure

    with report_failure():
        from pathlib import Path

        from components.download.download import download_dataset

        return download_dataset(dataset, Path(raw.path)).digest
