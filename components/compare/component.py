"""The component definitions of compare: two tasks of a scheduled run, one before training and one at the end."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Markdown, Output

from components.images import image


@dsl.component(base_image=image("compare"), install_kfp_package=False)
def compare(
    dataset: Input[Dataset],
    ready: str,
    registry: str,
    model_name: str,
    network: str,
    model: str,
    epochs: int,
    seed: int,
    code: str,
    slot: str,
    run_id: str,
    attempt: Output[Artifact],
    shift: Output[Markdown],
) -> bool:
    """Return whether there is anything new to train on; print what is new, or "unchanged".

    Args:
        dataset: What preprocess wrote.
        ready: The pass of require_valid.
        registry: gs:// or s3:// address or folder of the model registry.
        model_name: Name in the registry.
        network: Name of a built-in network, used when `model` is empty.
        model: Path, gs:// or s3:// address of a user's own network.
        epochs: As for train.
        seed: As for train.
        code: The training image, whose tag names the code.
        slot: When the schedule fired (RFC 3339), or "".
        run_id: This run.
        attempt: A JSON file that `remember` takes.
        shift: What has moved against the data that the champion was trained on.
    """
    from components.failure import report_failure

    with report_failure():
        from components.compare.compare import TrainingIdentity, compare_with_registry
        from components.compare.shift import note_shift

        note_shift(dataset.path, registry, model_name, shift.path)
        recipe = TrainingIdentity(network, model, epochs, seed, code)
        return compare_with_registry(dataset.path, recipe, registry, model_name, slot, run_id, attempt.path)


@dsl.component(base_image=image("compare"), install_kfp_package=False)
def remember(attempt: Input[Artifact], promotion: Input[Artifact], registry: str, model_name: str) -> None:
    """Note in the registry that these data have been trained on and judged, promoted or not.

    Args:
        attempt: What compare wrote.
        promotion: What publish decided.
        registry: gs:// or s3:// address or folder of the model registry.
        model_name: Name in the registry.
    """
    from components.failure import report_failure

    with report_failure():
        from components.compare.compare import remember_in_registry

        remember_in_registry(attempt.path, promotion.path, registry, model_name)
