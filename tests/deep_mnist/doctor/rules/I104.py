"""Raw colour images for a network of keras.applications, and what preprocess_input makes of them."""

from deep_mnist.contract.contract import Contract
from tests.support.digits import draw_digits
from tests.support.rule_examples import arrays

IMAGES, LABELS = draw_digits(100)
RAW = IMAGES[..., None].repeat(3, axis=-1)


def found(images):
    contract = Contract(input_shape=(28, 28, 3), layout="channels_last", convention="tf")
    return arrays(contract, train_images=images, train_labels=LABELS)


def fires():
    return found(RAW.astype("float32"))


def silent():
    return found(RAW.astype("float32") / 127.5 - 1)
