"""Training on several nodes: processes that exchange their gradients, each with its share of every batch."""
