"""The component definition of publish."""

from typing import NamedTuple

from kfp.dsl import Artifact, Dataset, Input, Markdown, Model, Output, component

from components.images import image


@component(base_image=image("publish"), install_kfp_package=False)
def publish(
    dataset: Input[Dataset],
    trained: Input[Model],
    evaluation: Input[Artifact],
    registry: str,
    model_name: str,
    require_promotion: bool,
    run_name: str,
    model_registry: str,
    accept: list,
    forms: list,
    promotion: Output[Artifact],
    card: Output[Markdown],
) -> NamedTuple("Published", [("promoted", bool), ("version", int)]):  # type: ignore[valid-type]
    """Export the model, replay requests on the export, and promote it if the evaluation says so.

    Args:
        dataset: What preprocess wrote.
        trained: What train wrote.
        evaluation: What evaluate wrote.
        registry: Address of the model registry.
        model_name: Name under which it is promoted.
        require_promotion: Fail when the model is not promoted.
        run_name: Name of this run; a repeated attempt of the same run promotes nothing twice.
        model_registry: URL of Kubeflow's Model Registry, which shall learn of promoted versions; "" for none.
        accept: What a person took responsibility for; the card says so.
        forms: Names of the other forms to publish the model in, such as "onnx"; see deep_mnist.forms.
        promotion: JSON: promoted, version, accuracy, champion_accuracy, reason, uri.
        card: The model card.
    """
    from components.failure import report_failure

    with report_failure():
        from pathlib import Path

        from components.publish.publish import PublishRequest, publish_from_paths

        request = PublishRequest(
            registry, model_name, require_promotion, run_name, model_registry, tuple(accept), tuple(forms)
        )
        result = publish_from_paths(
            Path(dataset.path),
            Path(trained.path),
            Path(evaluation.path),
            Path(promotion.path),
            Path(card.path),
            request,
        )
        return (bool(result["promoted"]), int(result["version"]))
