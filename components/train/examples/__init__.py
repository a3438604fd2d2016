"""What is trained on: arrays or shards, and in which order."""
