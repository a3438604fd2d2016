"""A file named random.py beside a script that imports tempfile, and one of a name that nothing imports."""

import tempfile
from pathlib import Path

from deep_mnist.doctor.checks.crashes.explain import finding_of
from deep_mnist.doctor.script.hidden_modules import error_of_hidden_module


def found(name):
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder).resolve() / "train.py"
        script.write_text("import tempfile\n")
        script.with_name(name).write_text("SEED = 3\n")
        error = error_of_hidden_module(script, script.parent)
        finding = finding_of(error, script) if error is not None else None
        return [finding] if finding is not None else []


def fires():
    return found("random.py")


def silent():
    return found("wave.py")
