"""The component definition of select: the best of a sweep's trials."""

from typing import List  # noqa: UP035 - kfp reads a list of artifacts from typing.List only

from kfp.dsl import HTML, Artifact, Dataset, Input, Model, Output, component

from components.images import image


@component(base_image=image("select"), install_kfp_package=False)
def select(
    datasets: Input[List[Dataset]],  # noqa: UP006
    models: Input[List[Model]],  # noqa: UP006
    dataset: Output[Dataset],
    trained: Output[Model],
    trials: Output[Artifact],
    table: Output[HTML],
) -> str:
    """Pass on the trial that is best by validation accuracy, and say how all of them did; return its name.

    Args:
        datasets: What preprocess wrote in each trial.
        models: What train wrote in each trial, in any order.
        dataset: The best trial's.
        trained: The best trial's.
        trials: JSON: every trial's network, seed, validation accuracy and loss, the best first.
        table: The same as a page.
    """
    from components.failure import report_failure

    with report_failure():
        from pathlib import Path

        from components.select.select import select_best

        return select_best(
            [Path(each.path) for each in datasets],
            [Path(each.path) for each in models],
            dataset=Path(dataset.path),
            trained=Path(trained.path),
            trials=Path(trials.path),
            table=Path(table.path),
        )
