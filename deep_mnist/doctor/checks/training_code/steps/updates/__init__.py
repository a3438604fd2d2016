"""What a step does with its gradients, and the optimizers that it gives them to."""
