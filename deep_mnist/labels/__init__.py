"""Single labels that are likely wrong: found by predictions of classifiers that never saw the example, and shown.

    python -m deep_mnist.labels FOLDER|DATASET        # a page to look at, labels.csv and labels.json
    doctor.suspects(model, x, y)                      # in memory

Importing this package imports nothing; `deep_mnist.doctor.suspects` is the way in.
"""
