"""The component definition of evaluate."""

from kfp.dsl import HTML, Artifact, ClassificationMetrics, Dataset, Input, Markdown, Metrics, Model, Output, component

from components.images import image


@component(base_image=image("evaluate"), install_kfp_package=False)
def evaluate(
    dataset: Input[Dataset],
    trained: Input[Model],
    registry: str,
    model_name: str,
    min_accuracy: float,
    min_class_accuracy: float,
    confidence: float,
    evaluation: Output[Artifact],
    report: Output[HTML],
    summary: Output[Markdown],
    confusion: Output[ClassificationMetrics],
    metrics: Output[Metrics],
) -> float:
    """Score the model and the champion on the same frozen test split; return the model's accuracy.

    Args:
        dataset: What preprocess wrote.
        trained: What train wrote.
        registry: Address of the model registry.
        model_name: Name under which the champion is registered.
        min_accuracy: Floor for promotion, 0..1.
        min_class_accuracy: Floor for every class, 0..1.
        confidence: How sure a loss against the champion must be to count, 0.5..1.
        evaluation: JSON that publish reads.
        report: HTML page.
        summary: Markdown page.
        confusion: Confusion matrix and micro-averaged ROC.
        metrics: Table of numbers.
    """
    from components.failure import report_failure

    with report_failure():
        from pathlib import Path

        from components.evaluate.evaluate import evaluate_from_paths, kfp_metrics
        from deep_mnist.registry.promotion import Floors

        result = evaluate_from_paths(
            Path(dataset.path),
            Path(trained.path),
            Path(evaluation.path),
            Path(report.path),
            Path(summary.path),
            registry=registry,
            model_name=model_name,
            floors=Floors(min_accuracy, min_class_accuracy, confidence),
        )
        curve = result["roc_micro"]
        confusion.log_roc_curve(curve["fpr"], curve["tpr"], curve["thresholds"])
        confusion.log_confusion_matrix(result["class_names"], result["confusion_matrix"])
        for name, value in kfp_metrics(result).items():
            metrics.log_metric(name, value)
        return float(result["accuracy"])
