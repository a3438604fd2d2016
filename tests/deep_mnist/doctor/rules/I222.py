"""Numbers as a reader of CSV leaves them, a question mark among them; and as numbers."""

from tests.support.live_examples import linear_table, regressed

rows, targets = linear_table()


def fires():
    cells = rows.astype(str).astype(object)
    cells[4, 1] = "?"
    return regressed(cells)


def silent():
    return regressed(rows.astype(str).astype("float32"))
