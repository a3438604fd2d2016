"""What the callbacks of a fit that are of the user's own do in their hooks, read from their source."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from deep_mnist.doctor.case import Case
from deep_mnist.doctor.checks.program.given_callbacks import callbacks_of
from deep_mnist.doctor.evidence.live.following import Use, function_block
from deep_mnist.doctor.evidence.live.names_then import Meant
from deep_mnist.doctor.evidence.live.source_text import ProgramText

OF_EPOCHS, OF_BATCHES = ("on_epoch_end",), ("on_train_batch_end", "on_batch_end")
BEFORE_A_STEP = ("on_train_begin", "on_epoch_begin", "on_train_batch_begin", "on_batch_begin")
WITHOUT_LOGS = (*BEFORE_A_STEP, "on_train_end")
IN_TURN = (*BEFORE_A_STEP, *OF_BATCHES, *OF_EPOCHS, "on_train_end")


def uses_in_hooks(case: Case) -> Iterator[tuple[str, Use]]:
    """Yield each expression of a hook with the hook's name; open conditions are followed, as of every tenth epoch.

    Of one callback after the other, its hooks in the order in which fit comes to them.
    """
    if case.frame is None or case.call is None:
        return
    text = ProgramText(case.frame)
    for callback in callbacks_of(case):
        for hook in () if isinstance(callback, type) else IN_TURN:
            own = inspect.getattr_static(callback, hook, None)
            function = getattr(callback, hook) if inspect.isfunction(own) else None
            inner = function_block(function, text, case.call.model, conditional=True)
            if inner is None:
                continue
            scope, definition = inner
            names = [each.arg for each in definition.args.args]
            if inspect.ismethod(function):
                scope.changed[f"{names[0]}.model"] = case.call.model  # which fit sets before the hook
                names = names[1:]
            if hook not in WITHOUT_LOGS and len(names) == 2:
                scope.changed[names[1]] = Meant.LOGS
            yield from ((hook, use) for use in scope.walk(definition.body))
