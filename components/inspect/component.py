"""The component definitions of inspect: one predicts a fold, and runs once for each; one names the suspect labels."""

from typing import List, NamedTuple  # noqa: UP035 - kfp reads a list of artifacts from typing.List only

from kfp import dsl
from kfp.dsl import HTML, Artifact, Dataset, Input, Markdown, Output

from components.images import image


@dsl.component(base_image=image("inspect"), install_kfp_package=False)
def inspect_fold(
    dataset: Input[Dataset],
    ready: str,
    fold: int,
    folds: int,
    network: str,
    model: str,
    model_digest: str,
    epochs: int,
    seed: int,
    predictions: Output[Artifact],
) -> None:
    """Train the network without one fold and predict that fold.

    Args:
        dataset: What preprocess wrote.
        ready: The pass of require_valid.
        fold: Its number, from 0.
        folds: How many there are.
        network: Name of a built-in network, used when `model` is empty.
        model: Path, gs:// or s3:// address of a user's own network.
        model_digest: SHA-256 of that file.
        epochs: Of the fold's training; 0 means half as many as the network's recipe says.
        seed: Of folds, weights and order.
        predictions: Folder with the fold's probabilities, float32 (examples, classes).
    """
    from components.failure import report_failure

    with report_failure():
        from pathlib import Path

        from components.inspect.inspect import inspect_fold as predict
        from components.train.request import TrainRequest

        request = TrainRequest(network=network, model=model, model_digest=model_digest, epochs=epochs, seed=seed)
        predict(Path(dataset.path), Path(predictions.path), fold, folds=folds, request=request)


@dsl.component(base_image=image("inspect"), install_kfp_package=False)
def inspect(
    dataset: Input[Dataset],
    predictions: Input[List[Artifact]],  # noqa: UP006
    ready: str,
    folds: int,
    seed: int,
    network: str,
    model: str,
    labels: Output[Artifact],
    report: Output[HTML],
    summary: Output[Markdown],
) -> NamedTuple("Outputs", [("ready", str), ("suspects", int)]):  # type: ignore[valid-type]
    """Say which labels are likely wrong, and hand on the token: what to do is a person's decision.

    Args:
        dataset: What preprocess wrote.
        predictions: Of every fold.
        ready: The pass of require_valid.
        folds: How many there are.
        seed: As the folds were predicted with.
        network: Name of the built-in network, for the report, used when `model` is empty.
        model: Address of the user's own.
        labels: Folder with labels.json, labels.csv and labels.html.
        report: The page alone, on which a person decides.
        summary: The numbers, and the first suspects.
    """
    from components.failure import report_failure

    with report_failure():
        import shutil
        from pathlib import Path

        from components.inspect.inspect import inspect_dataset
        from deep_mnist.labels.report import summary_markdown

        out = Path(labels.path)
        parts = [Path(each.path) for each in predictions]
        found = inspect_dataset(Path(dataset.path), parts, out, folds=folds, seed=seed, name=model or network)
        Path(report.path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(out / "labels.html", report.path)
        Path(summary.path).write_text(summary_markdown(found, out / "labels.html"), encoding="utf-8")
        return (ready, len(found.of_kind("label")))
