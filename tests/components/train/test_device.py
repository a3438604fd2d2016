"""What a CPU can do is known before the network is built."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from components.train.device import multiplies_bfloat16
from tests.support.runs import ROOT

# In bfloat16 where the device multiplies it, as a network's convolutions are.
CONVOLVES = """
import tensorflow as tf
from components.train.device import find_device
dtype = tf.bfloat16 if find_device(require_gpu=False).bfloat16 else tf.float32
convolve = tf.function(lambda images, filters: tf.nn.conv2d(images, filters, 1, "SAME"))
result = convolve(tf.ones((4, 8, 8, 16), dtype), tf.ones((3, 3, 16, 32), dtype))
print("sum", float(tf.reduce_sum(tf.cast(result, tf.float32))))
"""


@pytest.mark.parametrize("flag", ["avx512_bf16", "amx_bf16"])
@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, True),
        ({"ONEDNN_MAX_CPU_ISA": "ALL"}, True),
        ({"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_AMX"}, True),
        ({"TF_ENABLE_ONEDNN_OPTS": "1"}, True),
        ({"ONEDNN_MAX_CPU_ISA": "avx512_core"}, False),
        ({"DNNL_MAX_CPU_ISA": "AVX2"}, False),
        ({"TF_ENABLE_ONEDNN_OPTS": "0"}, False),
    ],
)
def test_onednn_decides_with_the_processor(flag: str, environment: dict[str, str], expected: bool) -> None:
    assert multiplies_bfloat16({"avx2", flag}, environment) is expected
    assert multiplies_bfloat16({"avx2", "avx512f"}, environment) is False


@pytest.mark.slow
def test_a_convolution_runs_where_onednn_is_held_to_avx2() -> None:
    """On a processor with bfloat16 as on one without: a fresh TensorFlow, as oneDNN reads the variable once."""
    held = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}
    command = [sys.executable, "-c", CONVOLVES]
    done = subprocess.run(command, cwd=ROOT, env=held, capture_output=True, text=True, check=False)

    assert f"sum {4 * 32 * 16 * 22.0**2}" in done.stdout, done.stderr
