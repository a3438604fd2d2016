"""The second gate of a run: the network is rehearsed on a CPU before an accelerator is requested.

    … ─▶ require_valid ─▶ rehearse ─▶ require_rehearsed ─▶ train ─▶ …

Two tasks, as for `validate`: the first succeeds with a report whatever it finds, the second raises, and `train` takes
its output.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kfp import dsl

from components.rehearse.component import rehearse, require_rehearsed


def rehearsed(active: bool, placed: Callable[..., dsl.PipelineTask]) -> Callable[..., Any]:
    """Return a function of `ready` and the arguments of `rehearse` that gives the token `train` waits for.

    Args:
        active: False adds no task: the token is `ready` itself.
        placed: As `pipeline.placement.placer` returns it.
    """

    def token(*, ready: Any, **known: Any) -> Any:
        if not active:
            return ready
        shown = rehearse(ready=ready, **known)
        placed(shown, "rehearse")
        passed = require_rehearsed(findings=shown.outputs["findings"], verdict=shown.outputs["verdict"])
        placed(passed, "rehearse")
        return passed.output

    return token
