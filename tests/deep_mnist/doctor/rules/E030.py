"""A dictionary as Python writes it that is read as JSON, and JSON that ends too early."""

from tests.support.crashing import crashed


def fires():
    return crashed("""import json\nsizes = json.loads("{'width': 3}")\n""")


def silent():
    return crashed("""import json\nsizes = json.loads('{"width": ')\n""")
