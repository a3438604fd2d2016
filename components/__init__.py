"""The steps, and what they share.

TensorFlow reads its switches when it is loaded. By itself it uses oneDNN's kernels only on processors with AVX-512
instructions for neural networks; on one with AVX2 alone a training step of `fast` then takes 1.8 times the processor
time (bench/README.md). Whoever sets the variable to 0 keeps TensorFlow's own kernels.
"""

import os

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
