"""A value of JSON on each line, and one value with a text behind it."""

from tests.support.crashing import crashed


def fires():
    return crashed("""import json\nrows = json.loads('{"a": 1}\\n{"a": 2}\\n')\n""")


def silent():
    return crashed("""import json\nrows = json.loads('{"a": 1}\\nand so on')\n""")
