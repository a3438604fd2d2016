"""The orders of axes that an example can have."""

from __future__ import annotations

LAYOUTS = ("channels_last", "channels_first", "rows_columns", "flat", "unknown")


def layout_of_shape(shape: tuple[int | None, ...]) -> str:
    """Return the layout that one example's shape shows by itself, "unknown" where two fit.

    >>> layout_of_shape((28, 28, 1)), layout_of_shape((3, 32, 32)), layout_of_shape((784,))
    ('channels_last', 'channels_first', 'flat')
    """
    if len(shape) in (1, 2):
        return "flat" if len(shape) == 1 else "rows_columns"
    if len(shape) == 3:
        last, first = shape[2] in (1, 3, 4), shape[0] in (1, 3, 4)
        if last != first:
            return "channels_last" if last else "channels_first"
    return "unknown"
