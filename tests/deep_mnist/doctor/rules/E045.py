"""A part of a folder for validation, without a seed and with one."""

from tests.support.crashing import crashed

TEXTS = """import os, tempfile, keras
folder = tempfile.mkdtemp()
for kind in "ab":
    os.makedirs(f"{folder}/{kind}")
    for number in range(3): open(f"{folder}/{kind}/{number}.txt", "w").write("words")
read = keras.utils.text_dataset_from_directory
"""


def fires():
    text = "keras.utils.text_dataset_from_directory(folder, validation_split=0.5, subset='training', verbose=False)\n"
    return crashed(TEXTS + text)


def silent():
    return crashed(TEXTS + "read(folder, validation_split=0.5, subset='training', seed=3, verbose=False)\n")
