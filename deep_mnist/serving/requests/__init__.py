"""A request: read, validated against the signature and the training data, predicted."""
