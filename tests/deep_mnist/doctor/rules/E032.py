"""A column with a missing value that is made ints, and a number that is made one of its own."""

from tests.support.crashing import crashed

TABLE = 'import pandas as pd\npeople = pd.DataFrame({"age": [30.0, None]})\n'


def fires():
    return crashed(f'{TABLE}people["age"] = people["age"].astype(int)\n')


def silent():
    return crashed(f'{TABLE}oldest = int(people["age"].iloc[1])\n')
