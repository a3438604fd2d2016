"""Grey images without a channel axis, for a network that does not add it, and for one that does."""

from deep_mnist.contract.contract import Contract
from tests.support.digits import draw_digits
from tests.support.rule_examples import arrays


def found(adjusts_rank):
    images, labels = draw_digits(100)
    contract = Contract(input_shape=(28, 28, 1), layout="channels_last", adjusts_rank=adjusts_rank)
    return arrays(contract, train_images=(images / 255).astype("float32"), train_labels=labels)


def fires():
    return found(adjusts_rank=False)


def silent():
    return found(adjusts_rank=True)
