"""`python -m components.download mnist FOLDER`: fetch a dataset without a pipeline."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from components.download.download import download_dataset
from deep_mnist.data.fetch_known import DownloadError
from deep_mnist.data.transfer import TransferError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m components.download", description=__doc__)
    parser.add_argument("dataset", help="mnist, fashion-mnist, a folder or file, a gs://, s3:// or https:// address")
    parser.add_argument("folder", type=Path, help="where to put the files")
    options = parser.parse_args()
    try:
        dataset = download_dataset(options.dataset, options.folder)
    except (DownloadError, TransferError, OSError) as error:
        print(f"download: {error}", file=sys.stderr)
        return 1
    print(f"{len(dataset.files)} files in {dataset.folder}, digest {dataset.digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
