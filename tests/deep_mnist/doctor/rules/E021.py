"""A dictionary whose keys are bytes, asked by a text, and one that has no such key at all."""

from tests.support.crashing import crashed


def fires():
    return crashed("batch = {b'data': [1]}\nx = batch['data']\n")


def silent():
    return crashed("batch = {b'data': [1]}\nx = batch['images']\n")
