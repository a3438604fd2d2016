"""A fix in the names by which the user's own module reaches Keras, NumPy, pandas and TensorFlow.

Fixes are written with `keras.`, `np.`, `pd.` and `tf.`; a script that has `import tensorflow as tf` alone knows no
`keras`.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from deep_mnist.doctor.evidence.live.statements.fix_statements import IN_PLACE, is_code, root_of
from deep_mnist.doctor.finding import Finding

MODULES = {"keras": "keras", "np": "numpy", "pd": "pandas", "tf": "tensorflow"}  # name in fixes -> module
IMPORTS = {name: f"import {module}" + f" as {name}" * (name != module) for name, module in MODULES.items()}
CHAIN = re.compile(r"(?<!from )(?<!import )(?<![\w.'\"])(keras|np|pd|tf)((?:\.[A-Za-z_]\w*)+)")
OTHER_KERAS = r"^(?:tensorflow\.keras|keras\._tf_keras\.keras|keras\.api\._v2\.keras|keras\.api)(?=\.|$)"
FILE = re.compile(r"([\w.-]+\.py):\d+")


def in_own_modules(finding: Finding, frame: FrameType | None) -> Finding:
    """Return a finding whose fix runs where it is pasted, an import said where the script has no name for a module.

    Args:
        finding: In the words of all programs.
        frame: Of the user's code, None where it is not known.
    """
    body, mark, comment = finding.fix.partition("  # ")
    space = _space(frame, comment) if frame is not None and CHAIN.search(body) else None
    if space is None:
        return finding
    missing: dict[str, None] = {}

    def name(match: re.Match[str]) -> str:
        known = match[1] in space or re.search(rf"\b(?:import|as) {match[1]}\b", body)
        own = match[0] if known else _own_name(match[0], space)
        if not own:
            missing[match[1]] = None
        return own or match[0]

    again = CHAIN.sub(name, body)
    imports = "; ".join(IMPORTS[each] for each in missing)
    if not imports:
        return replace(finding, fix=again + mark + comment)
    return replace(finding, fix=_with_imports(imports, again, comment, space))


def _space(frame: FrameType, comment: str) -> Mapping[str, Any] | None:
    """Return the names that a fix sees where it belongs, None where that is a module that cannot be told."""
    files = {each for each in FILE.findall(comment) if each != Path(frame.f_code.co_filename).name}
    if not files:
        own = {} if IN_PLACE in comment else frame.f_locals
        return {**own, **frame.f_globals}
    found = [each for each in list(sys.modules.values()) if Path(getattr(each, "__file__", None) or "").name in files]
    return vars(found[0]) if len(found) == 1 else None


def _own_name(chain: str, space: Mapping[str, Any]) -> str:
    """Return `tf.keras.losses.Huber`, `losses.Huber` or `Huber` of keras.losses.Huber, "" where no name leads to it."""
    first, *rest = chain.split(".")
    value: Any = sys.modules.get(MODULES[first])
    found = [_name_of(value, space)]
    for each in rest:
        value = getattr(value, each, None)
        found.append(_name_of(value, space))
    if first == "keras" and not found[0]:
        tensorflow = _name_of(sys.modules.get("tensorflow"), space)
        found[0] = f"{tensorflow}.keras" if tensorflow else ""
    last = max((place for place, each in enumerate(found) if each), default=None)
    return "" if last is None else ".".join([found[last], *rest[last:]])


def _name_of(value: Any, space: Mapping[str, Any]) -> str:
    if not (isinstance(value, ModuleType) or callable(value)):
        return ""
    return next((name for name, each in list(space.items()) if name[:1] != "_" and _same(value, each)), "")


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, ModuleType) and isinstance(other, ModuleType):
        return _plain(one) == _plain(other)
    return one is other


def _plain(module: ModuleType) -> str:
    return re.sub(OTHER_KERAS, "keras", module.__name__)


def _with_imports(imports: str, body: str, comment: str, space: Mapping[str, Any]) -> str:
    """Return statements behind their imports; what is no line of its own has them in its comment."""
    if not is_code(body):
        return f"{body}  # {comment}" if comment else body
    statements = ast.parse(body).body
    stands_alone = IN_PLACE in comment or not any(isinstance(each, ast.Expr) and root_of(each.value) not in space
                                                  for each in statements)  # fmt: skip
    if stands_alone and not any(hasattr(each, "body") for each in statements):
        return f"{imports}; {body}" + (f"  # {comment}" if comment else "")
    return f"{body}  # {comment}; {imports}" if comment else f"{body}  # {imports}"
