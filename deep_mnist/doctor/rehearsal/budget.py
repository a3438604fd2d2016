"""What a rehearsal may spend: steps and multiply-adds, which are the same on every machine, loaded or not.

Wall time is the last resort: it ends a rehearsal and decides nothing.
"""

from __future__ import annotations

import math
import time
from typing import Any

import tensorflow as tf

STEP_OVERHEAD = 10_000_000  # multiply-adds in the time that starting a step of any size takes
BACKWARD = 3  # a step, forward and backward, over its forward pass
LOOPS = ("While", "StatelessWhile")


class Budget:
    """What is left of a rehearsal.

    Args:
        steps: Most optimizer steps.
        work: Most multiply-adds, of all steps together.
        seconds: After which no further step is begun.
    """

    def __init__(self, steps: int, work: float, seconds: float) -> None:
        self.steps, self.work, self.seconds = steps, work, seconds
        self.spent, self.worked = 0, 0.0
        self.began = time.perf_counter()
        self.is_short, self.is_late = False, False

    def take(self, cost: float, *, share: float = 1.0) -> bool:
        """Take one step of so many multiply-adds out of a share of the budget; return False when that is spent."""
        if self.spent >= share * self.steps or self.worked + cost > share * self.work:
            self.is_short = True
        self.is_late |= self.clock() > self.seconds
        if self.is_late or self.spent >= share * self.steps or self.worked + cost > share * self.work:
            return False
        self.spent += 1
        self.worked += cost
        return True

    def clock(self) -> float:
        """Return the seconds since the start."""
        return time.perf_counter() - self.began


def work_of(step: Any, batch: int, parameters: int, longest: int) -> float:
    """Return the multiply-adds of one traced optimizer step, estimated from its operations' shapes.

    Args:
        step: A concrete function.
        batch: Examples in it.
        parameters: Of the network: each is used once for each example at the least.
        longest: Positions of the longest input: as often is the body of a loop run.
    """
    operations = step.graph.get_operations()
    counted = float(sum(map(_work_of_operation, operations)))
    loops = any(each.type in LOOPS for each in operations)
    least = float(BACKWARD * batch * parameters * (longest if loops else 1))
    return max(counted + (least if loops else 0.0), least, STEP_OVERHEAD)


def _work_of_operation(operation: tf.Operation) -> float:
    kind = operation.type
    if not operation.outputs:
        return 0.0
    result = _elements(operation.outputs[0])
    if kind in ("MatMul", "BatchMatMulV2"):
        flipped = "transpose_a" if kind == "MatMul" else "adj_x"
        return result * _axis(operation.inputs[0], -2 if operation.get_attr(flipped) else -1)
    if kind in ("Conv2D", "Conv3D"):
        return result * _elements(operation.inputs[1]) / _axis(operation.inputs[1], -1)
    if kind in ("Conv2DBackpropInput", "Conv3DBackpropInputV2"):
        return _elements(operation.inputs[2]) * _elements(operation.inputs[1]) / _axis(operation.inputs[1], -1)
    if kind in ("Conv2DBackpropFilter", "Conv3DBackpropFilterV2"):
        return _elements(operation.inputs[2]) * result / _axis(operation.outputs[0], -1)
    return result


def _elements(tensor: Any) -> float:
    shape = tensor.shape
    return float(math.prod(each or 1 for each in shape)) if shape.rank is not None else 1.0


def _axis(tensor: Any, axis: int) -> float:
    shape = tensor.shape
    return float(shape[axis] or 1) if shape.rank is not None and shape.rank >= -axis else 1.0
