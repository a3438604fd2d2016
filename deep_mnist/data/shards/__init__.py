"""A split in pieces: `train-00017.npy` and its like in a store, with one manifest that has the SHA-256 of each."""
