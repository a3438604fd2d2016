"""Every rule has an example that fires and one that is silent, and both do."""

from __future__ import annotations

import random

import pytest

from deep_mnist.doctor.checks.catalogue import fields, rules
from tests.support.rule_examples import codes_of, example_of

RULES = {rule.code: rule for rule in rules()}


@pytest.mark.parametrize("code", RULES)
def test_the_rules_examples_do_what_they_say(code: str) -> None:
    example = example_of(code)

    assert example is not None, f"write tests/deep_mnist/doctor/rules/{code}.py with fires() and silent()"
    random.seed(1)  # Keras's initializers take their seeds from here
    assert code in codes_of(example.fires()), RULES[code].name
    assert code not in codes_of(example.silent()), RULES[code].name


def test_causes_that_rules_name_are_rules() -> None:
    named = {code for rule in RULES.values() for row in rule.follows for code in row.rules}
    of_fields = {field for rule in RULES.values() for row in rule.follows for field in row.fields}

    assert named <= set(RULES) and of_fields <= set(fields())
