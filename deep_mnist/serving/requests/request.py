"""What every protocol's request comes to: a signature's name, its one input, and a way to answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

from deep_mnist.serving.model.served_model import Arrays, ServedModel


@dataclass(frozen=True)
class Answer:
    """A response that predictions are in.

    Attributes:
        body: Of the response.
        headers: With its content type.
    """

    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})


@dataclass(frozen=True)
class PredictionRequest(ABC):
    """What a body asks for.

    Attributes:
        signature_name: Of the model's signature.
        inputs: Input name -> nested lists or an array; the name is "" where the request gives none.
        literals: Whether true or false may hide among the numbers, which numpy would take for 1 and 0.
    """

    signature_name: str
    inputs: dict[str, Any]
    literals: bool

    @abstractmethod
    def answer(self, model: ServedModel, outputs: Arrays, warnings: list[dict[str, Any]]) -> Answer:
        """Return the response that holds the outputs, and what the predictions are warned of.

        Raises:
            RequestError: It asks for an output that there is none of.
        """
