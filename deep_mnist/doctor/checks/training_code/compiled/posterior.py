"""Check of a variational autoencoder: what its reconstruction can gain, beside what add_loss() asks for it."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from deep_mnist.contract.losses import BINARY_LOSSES, REGRESSION_LOSSES
from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.training_code.live_batch import can_be_tried, rows_of, step_of
from deep_mnist.doctor.evidence.live.own_code import OF_KERAS, all_layers, names_in
from deep_mnist.doctor.evidence.live.own_step import patched, recording
from deep_mnist.doctor.evidence.live.restoring import unchanged
from deep_mnist.doctor.finding import Finding
from deep_mnist.doctor.rule import Need, Rule, Scope, check

ROWS = 64  # run in two halves
MOST_LATENT, MOST_OUTPUTS = 1024, 16  # numbers of a code, and layers' outputs that may be one
SAME = 1e-3  # relative, of what the two halves say of the weight of the divergence
LEAST_NATS = 0.5  # that all examples together must be worth; a yes or no is 0.69

COSTS_MORE = Rule(
    code="P167",
    name="posterior-costs-more-than-it-gains",
    field="contract.loss",
    severity="warning",
    scope=Scope.CASE,
    needs=(Need.LIVE_MODEL, Need.IMAGES, Need.LABELS, Need.LOSS),
    summary="A variational autoencoder's reconstruction loss is a mean over the numbers of an example, and its "
    "divergence a sum: the best reconstruction gains less than a fraction of a bit costs.",
    why="It is cheapest to tell nothing of an example: the posterior becomes the prior, and all outputs are alike.",
)


class EncodedRun(NamedTuple):
    """What one run of a model adds to the loss, and the outputs (n, d) of its layers."""

    added: float
    codes: list[np.ndarray]


@check(COSTS_MORE)
def check_posterior(case: Case) -> Iterator[Finding]:
    """Yield a divergence of Kullback and Leibler that weighs more than all that reconstruction can gain by it."""
    call, loss = case.call, case.contract.loss
    if call is None or call.step is not None or case.contract.outputs or not can_be_tried(case):
        return
    if not any(map(_adds_to_the_loss, all_layers(call.model))) or step_of(case) is not None:
        return
    if loss not in (*REGRESSION_LOSSES, *BINARY_LOSSES) or case.contract.from_logits:
        return
    x, y = rows_of(case, ROWS)
    if not isinstance(x, np.ndarray) or y is None or len(x) < ROWS or y.ndim < 2:
        return
    stated = getattr(getattr(call.model, "_compile_loss", None), "_user_loss_weights", None)
    weight = _weight(call.model, x) if stated is None else None
    gain = _gain(call.model, y.astype(np.float32)) if weight else None
    if not weight or gain is None or not 0 < gain / weight < LEAST_NATS:
        return
    size = int(np.prod(y.shape[1:]))
    yield COSTS_MORE.found(
        expected=f"a reconstruction loss summed over the {size} numbers of a target, as the divergence is over a code",
        received=f"{loss}, which gains {gain:.2g} at most by telling examples apart, beside {weight:.2g} for each nat "
        "of the divergence",
        fix=f"model.compile(optimizer=model.optimizer, loss=model.loss, loss_weights={size}.0)",
    )


def _adds_to_the_loss(layer: Any) -> bool:
    code = getattr(getattr(type(layer), "call", None), "__code__", None)
    return code is not None and not type(layer).__module__.startswith(OF_KERAS) and "add_loss" in names_in(code)


def _weight(model: Any, x: np.ndarray) -> float | None:
    """Return what add_loss() adds for each nat of a divergence from N(0, 1); None where no two layers make one."""
    runs = [_run(model, part) for part in np.split(x, 2)]
    if any(each is None or not each.added > 0 for each in runs):
        return None
    one, other = (each for each in runs if each is not None)
    for mean, spread in itertools.permutations(range(min(len(one.codes), len(other.codes), MOST_OUTPUTS)), 2):
        for of in (_of_log_variance, _of_log_deviation):
            weights = [_ratio(each, mean, spread, of) for each in (one, other)]
            if all(weights) and abs(weights[0] - weights[1]) < SAME * weights[0]:
                return weights[0]
    return None


def _run(model: Any, x: np.ndarray) -> EncodedRun | None:
    tf, keras = sys.modules["tensorflow"], sys.modules["keras"]
    codes: list[np.ndarray] = []

    def watch(own: Any) -> Any:
        def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
            made = own(layer, *args, **kwargs)
            with suppress(Exception):  # of symbols, and of outputs that are no array
                if made.shape.rank == 2 and made.dtype.is_floating and made.shape[1] <= MOST_LATENT:
                    codes.append(np.asarray(made, np.float64))
            return made

        return call

    with recording(), unchanged(model), patched(keras.layers.Layer, "__call__", watch):
        try:
            model(tf.convert_to_tensor(x), training=True)
            return EncodedRun(float(sum(float(each) for each in model.losses)), codes)
        except Exception:  # the user's own code may raise anything, and does so in fit
            return None


def _ratio(run: EncodedRun, mean: int, spread: int, of: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> float:
    if run.codes[mean].shape != run.codes[spread].shape:
        return 0.0
    with np.errstate(all="ignore"):
        nats = float(of(run.codes[mean], run.codes[spread]).sum(axis=1).mean())
    return run.added / nats if np.isfinite(nats) and nats > 0 else 0.0


def _of_log_variance(mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    divergence: np.ndarray = -0.5 * (1 + spread - np.square(mean) - np.exp(spread))
    return divergence


def _of_log_deviation(mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    return _of_log_variance(mean, 2 * spread)


def _gain(model: Any, y: np.ndarray) -> float | None:
    """Return how much lower the compiled loss is for the targets themselves than for their mean."""
    tf, keras = sys.modules["tensorflow"], sys.modules["keras"]
    try:
        loss = keras.losses.get(model.loss)
        worst, best = (float(np.mean(np.asarray(loss(tf.convert_to_tensor(y), tf.convert_to_tensor(each)))))
                       for each in (np.broadcast_to(y.mean(axis=0), y.shape), y))  # fmt: skip
    except Exception:  # whatever fit would raise
        return None
    return worst - best
