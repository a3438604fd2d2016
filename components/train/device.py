"""What the training runs on: a preflight that computes something, and one clear line."""

from __future__ import annotations

import glob
import math
import os
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

PREFLIGHT_SECONDS = 60.0
# Names of oneDNN's instruction sets; one that it does not know holds it to nothing.
WITHOUT_BFLOAT16 = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI")
PART_THREADS = 8  # a small network's operations keep no more threads busy


class NoUsableGPUError(RuntimeError):
    """A GPU was required, and none does the work."""

    fix = "run with GPU=0 to train on the CPU"


@dataclass(frozen=True)
class Device:
    """Where the steps run.

    Attributes:
        kind: "GPU" or "CPU".
        names: What the devices call themselves.
        jit: The loop is compiled by XLA; on a CPU plain graphs with oneDNN are faster.
        bfloat16: The hardware multiplies bfloat16 natively.
    """

    kind: str
    names: tuple[str, ...]
    jit: bool
    bfloat16: bool

    def line(self) -> str:
        """Return the one clear line."""
        how = ", ".join(
            ["compiled by XLA" if self.jit else "graphs with oneDNN", *(["bfloat16 in hardware"] * self.bfloat16)]
        )
        return f"device: {len(self.names)} x {self.kind} ({self.names[0]}), {how}"

    def strategy(self) -> tf.distribute.Strategy | None:
        """Return a MirroredStrategy over several GPUs, None for one device."""
        return tf.distribute.MirroredStrategy() if self.kind == "GPU" and len(self.names) > 1 else None


def find_device(*, require_gpu: bool) -> Device:
    """Return a device that has proved itself by a computation, and print what it is.

    Raises:
        NoUsableGPUError: `require_gpu` and there is none, or its kernels fail; the message gives the reason.
    """
    gpus = tf.config.list_physical_devices("GPU")
    reason = why_no_gpu() if not gpus else _try_gpus(gpus)
    if reason and require_gpu:
        raise NoUsableGPUError(
            f"Expected a GPU that computes, as require_gpu asks. Received: {reason} "
            "Fix: repair that, or run with GPU=0 to train on the CPU."
        )
    device = _cpu() if reason else _gpu(gpus)
    print(device.line() + (f"; no GPU: {reason}" if reason else ""), flush=True)
    return device


def why_no_gpu() -> str:
    """Return why TensorFlow lists no GPU, as far as this machine tells."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return "CUDA_VISIBLE_DEVICES hides every GPU."
    if not glob.glob("/dev/nvidia[0-9]*"):  # noqa: PTH207
        return "this machine or pod has no NVIDIA device (/dev/nvidia0); on a cluster the task must ask for one."
    if not tf.test.is_built_with_cuda():
        return "an NVIDIA device is here, but this TensorFlow is built without CUDA (tensorflow-cpu)."
    built = tf.sysconfig.get_build_info()
    return (
        f"an NVIDIA device is here, but TensorFlow {tf.__version__} could not open the libraries of "
        f"CUDA {built.get('cuda_version', '?')} and cuDNN {built.get('cudnn_version', '?')}, or the driver is older."
    )


def _try_gpus(gpus: list[Any]) -> str:
    """Run a convolution and a product on each GPU; return what failed, or ""."""
    for gpu in gpus:
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError as error:  # another part of this process has begun to use the GPU
            print(f"device: memory growth of {gpu.name} stays as it is: {error}", flush=True)
    for number in range(len(gpus)):
        failure = within(PREFLIGHT_SECONDS, partial(compute_on, f"/GPU:{number}"))
        if failure:
            return f"/GPU:{number}: {failure}"
    return ""


def within(seconds: float, work: Callable[[], None]) -> str:
    """Run `work` in a thread; return why it failed or that it did not end in time, else ""."""
    failures: list[str] = []

    def guarded() -> None:
        try:
            work()
        except Exception as error:  # whatever a driver raises is a reason to report, not to crash on
            failures.append(f"{type(error).__name__}: {str(error).splitlines()[0][:300]}")

    thread = threading.Thread(target=guarded, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        return f"a small convolution did not end within {seconds:g} s."
    return failures[0] if failures else ""


def compute_on(place: str) -> None:
    """Convolve and multiply, compiled, on one device and compare with the known result.

    Raises:
        RuntimeError: The result is wrong, or was computed elsewhere.
    """
    with tf.device(place):
        images, filters = tf.ones((8, 8, 8, 16)), tf.ones((3, 3, 16, 16))

        @tf.function(jit_compile=True)
        def kernel() -> tf.Tensor:
            rows = tf.reshape(tf.nn.conv2d(images, filters, 1, "VALID"), (-1, 16))
            return tf.linalg.matmul(tf.cast(rows, tf.bfloat16), tf.ones((16, 16), tf.bfloat16))

        result = kernel()
    kind = place.strip("/").split(":")[0]
    if f"device:{kind}:" not in result.device:
        raise RuntimeError(f"Expected the kernel on {place}. Received: it ran on {result.device}.")
    if not np.array_equal(tf.cast(result, tf.float32).numpy(), np.full((288, 16), 2304.0, np.float32)):
        raise RuntimeError(f"Expected 2304 everywhere from a convolution and a product on {place}. Received: another.")


def _gpu(gpus: list[Any]) -> Device:
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    names = tuple(str(each.get("device_name", gpu.name)) for each, gpu in zip(details, gpus, strict=True))
    native = all(each.get("compute_capability", (0, 0)) >= (8, 0) for each in details)
    return Device("GPU", names, jit=True, bfloat16=native)


def _cpu() -> Device:
    facts: dict[str, str] = {}
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = (line.partition(":") for line in cpuinfo.read_text().splitlines())
        facts = {name.strip(): value.strip() for name, _, value in lines}
    native = multiplies_bfloat16(set(facts.get("flags", "").split()), os.environ)
    name = f"{facts.get('model name', 'CPU')}, {cores()} cores"
    return Device("CPU", (name,), jit=False, bfloat16=native)


def multiplies_bfloat16(flags: Collection[str], environment: Mapping[str, str]) -> bool:
    """Return whether a CPU has instructions for products of bfloat16, and oneDNN may use them.

    Held to AVX2, oneDNN has no convolution of bfloat16 at all; held to AVX-512 without it, or left out, one that is
    several times slower than in float32.

    Args:
        flags: As /proc/cpuinfo names them.
        environment: In it ONEDNN_MAX_CPU_ISA, formerly DNNL_MAX_CPU_ISA, holds oneDNN to an instruction set, and
            TF_ENABLE_ONEDNN_OPTS=0 leaves it out.

    >>> multiplies_bfloat16({"avx2", "avx512_bf16"}, {}), multiplies_bfloat16({"avx2"}, {})
    (True, False)
    >>> multiplies_bfloat16({"avx2", "avx512_bf16"}, {"ONEDNN_MAX_CPU_ISA": "AVX2"})
    False
    """
    held = environment.get("ONEDNN_MAX_CPU_ISA") or environment.get("DNNL_MAX_CPU_ISA") or ""
    if environment.get("TF_ENABLE_ONEDNN_OPTS") == "0" or held.upper() in WITHOUT_BFLOAT16:
        return False
    return bool({"avx512_bf16", "amx_bf16"} & set(flags))


def set_threads(parts: int) -> None:
    """Give each of a step's `parts` its share of the cores; only before TensorFlow has computed anything."""
    share = max(1, cores() // parts)
    try:
        tf.config.threading.set_inter_op_parallelism_threads(max(2, min(parts, cores())))
        tf.config.threading.set_intra_op_parallelism_threads(min(share, PART_THREADS) if parts > 1 else share)
    except RuntimeError:
        print("device: TensorFlow has started already; its threads stay as they are", flush=True)


def cores() -> int:
    """Return how many cores this process may keep busy: a pod's limit counts, not its node's size."""
    usable = len(os.sched_getaffinity(0))
    quota, _, period = _control_group("cpu.max").partition(" ")
    return max(1, min(usable, math.ceil(int(quota) / int(period)))) if quota.isdigit() else usable


def memory_bytes() -> int:
    """Return how much memory this process may use, as its control group or else the machine says."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = _control_group("memory.max")
    return min(machine, int(limit)) if limit.isdigit() else machine


def _control_group(name: str) -> str:
    path = Path("/sys/fs/cgroup") / name
    return path.read_text().strip() if path.is_file() else ""
