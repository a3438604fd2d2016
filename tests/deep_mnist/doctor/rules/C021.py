"""contract.json names another loss than the model was compiled with, and the same."""

from deep_mnist.contract.contract import Contract
from deep_mnist.doctor.settings import with_folder_settings
from tests.support.rule_examples import arrays

COMPILED = Contract(loss="categorical_crossentropy")


def fires():
    return arrays(with_folder_settings(COMPILED, {"loss": "sparse_categorical_crossentropy"}))


def silent():
    return arrays(with_folder_settings(COMPILED, {"loss": "categorical_crossentropy"}))
