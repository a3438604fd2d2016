import os

# Read when numpy is imported, here or in the pipeline's step. The survey has its own threads, and the probe's
# matrices are too small to share out: two BLAS threads on two busy cores take ten times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
