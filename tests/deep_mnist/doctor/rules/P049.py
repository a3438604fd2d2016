"""Two steps of 160 batches in each of five epochs, and thirty-two."""

from tests.support.live_examples import fitted


def fires():
    return fitted(steps_per_epoch=2, epochs=5, batch_size=2)


def silent():
    return fitted(steps_per_epoch=32, epochs=5, batch_size=2)
