"""contract.json states another from_logits than the model was compiled with, and the same."""

from deep_mnist.contract.contract import Contract
from deep_mnist.doctor.settings import with_folder_settings
from tests.support.rule_examples import arrays

COMPILED = Contract(loss="categorical_crossentropy", from_logits=True)


def fires():
    return arrays(with_folder_settings(COMPILED, {"from_logits": False}))


def silent():
    return arrays(with_folder_settings(COMPILED, {"from_logits": True}))
