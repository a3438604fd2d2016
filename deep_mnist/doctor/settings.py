"""What is said beside the arrays: a folder's contract.json, network and record; a project's pyproject.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from deep_mnist.contract.contract import Contract, ContractError, with_settings
from deep_mnist.contract.folder import ACCEPT, is_whole
from deep_mnist.contract.load import load_contract, read_json
from deep_mnist.data.dataset import CONTRACT_FILE, MANIFEST, DatasetError, Preprocessing
from deep_mnist.doctor.case import NotUsableError

NO_MODEL = ("input_shape: no model was given", "input scaling: no model was given", "loss: no model was given")
SETTINGS = ("loss", "from_logits", "num_classes")


def read_settings(folder: Path) -> dict[str, Any]:
    """Return a folder's contract.json, {} without one.

    Raises:
        NotUsableError: It is no object, or a field has an impossible value.
    """
    path = folder / CONTRACT_FILE
    if not path.is_file():
        return {}
    try:
        stated = read_json(path)
    except ContractError as error:
        raise NotUsableError(str(error)) from error
    if not isinstance(stated, dict):
        raise NotUsableError(f"Expected an object in {path}. Received: {type(stated).__name__}.")
    _check_types(stated, path)
    return stated


def _check_types(stated: Mapping[str, Any], path: Path) -> None:
    kinds: dict[str, Any] = {
        "loss": str,
        "from_logits": bool,
        "num_classes": int,
        "fit": dict,
        "accept": list,
        "ignore": list,
    }
    for name, kind in kinds.items():
        value = stated.get(name)
        wrong = value is not None and (not isinstance(value, kind) or (kind is int and (value is True or value < 1)))
        if wrong:
            raise NotUsableError(f"Expected {name} of type {kind.__name__} in {path}. Received: {str(value)[:80]}.")


def contract_for(
    folder: Path,
    *,
    model: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Contract:
    """Return the contract a folder is judged by: the model's, with what contract.json and the caller tell.

    Args:
        folder: May hold model.keras and contract.json.
        model: A model or contract file to use instead of the folder's own.
        overrides: loss, from_logits, num_classes of the caller; they win.
        settings: What `read_settings` returned, when it was called before.

    Raises:
        NotUsableError: A file is no model or contract.
    """
    settings = {
        **(read_settings(folder) if settings is None else settings),
        **{name: value for name, value in (overrides or {}).items() if value is not None},
    }
    path = model or next((each for each in _models_in(folder) if each.exists()), None)
    try:
        if path is not None:
            contract = load_contract(path)
        elif is_whole(settings):  # a dataset that preprocess wrote
            contract = Contract.from_dict({name: value for name, value in settings.items() if name != ACCEPT})
        else:
            contract = Contract(name="none given", unknown=NO_MODEL)
    except ContractError as error:
        raise NotUsableError(str(error)) from error
    return with_folder_settings(contract, settings)


def with_folder_settings(contract: Contract, settings: Mapping[str, Any]) -> Contract:
    """Return a network's contract with what a folder's contract.json tells, which wins; contradictions are named.

    Args:
        contract: Of the network.
        settings: What `read_settings` returned.
    """
    contract = _with_conflicts(contract, settings)
    contract = with_settings(contract, **{name: settings.get(name) for name in SETTINGS})
    return replace(contract, fit=settings.get("fit") or contract.fit)


def _models_in(folder: Path) -> list[Path]:
    return [folder / name for name in ("model.keras", "model.h5", "model.json", "contract.yaml")]


def _with_conflicts(contract: Contract, settings: Mapping[str, Any]) -> Contract:
    """Name where contract.json contradicts what the model was compiled with; contract.json wins."""
    conflicts = [
        f"{name}: the model was compiled with {getattr(contract, name)}, the contract says {settings[name]}"
        for name in ("loss", "from_logits")
        if settings.get(name) is not None and getattr(contract, name) not in (None, settings[name])
    ]
    return replace(contract, conflicts=(*contract.conflicts, *conflicts))


def known_record(folder: Path) -> Preprocessing | None:
    """Return the record in a folder's manifest without reading the files for their digests.

    Raises:
        DatasetError: The manifest is damaged.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        manifest = read_json(path)
    except ContractError as error:
        raise DatasetError(str(error)) from error
    stated = manifest.get("preprocessing") if isinstance(manifest, dict) else None
    return Preprocessing.from_dict(stated) if isinstance(stated, dict) else None


# --- pyproject.toml --------------------------------------------------------------------------------

PROJECT_KEYS: dict[str, type] = {"accept": dict, "ignore": list, "rules": list}


@dataclass(frozen=True)
class ProjectSettings:
    """`[tool.deep-mnist.doctor]` of the nearest pyproject.toml that has one.

    Attributes:
        accept: {code or field: reason}.
        ignore: Codes or names of rules.
        rules: Files of the project's own rules.
    """

    accept: Mapping[str, str] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    rules: tuple[Path, ...] = ()


def project_settings(place: Path) -> ProjectSettings:
    """Return the settings of the project that a script or folder belongs to: as ruff, the nearest file that has some.

    Raises:
        NotUsableError: The file cannot be read, or an entry has another name or type.
    """
    start = place.resolve()
    for folder in (start, *start.parents) if start.is_dir() else start.parents:
        path = folder / "pyproject.toml"
        stated = _section(path) if path.is_file() else None
        if stated is not None:
            return _project_settings(path, stated)
    return ProjectSettings()


def _section(path: Path) -> Any:
    import tomllib  # of those alone who have such a file

    try:
        return tomllib.loads(path.read_text()).get("tool", {}).get("deep-mnist", {}).get("doctor")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise NotUsableError(f"Expected TOML in {path}. Received: {error}.") from error


def _project_settings(path: Path, stated: Any) -> ProjectSettings:
    if not isinstance(stated, dict) or not set(stated) <= set(PROJECT_KEYS):
        names = ", ".join(PROJECT_KEYS)
        received = ", ".join(stated) if isinstance(stated, dict) else type(stated).__name__
        raise NotUsableError(f"Expected {names} in [tool.deep-mnist.doctor] of {path}. Received: {received}.")
    for name, value in stated.items():
        texts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [None]
        if not isinstance(value, PROJECT_KEYS[name]) or not all(isinstance(each, str) for each in texts):
            form = '{ I103 = "a reason" }' if name == "accept" else "a list of strings"
            raise NotUsableError(f"Expected {name} in {path} as {form}. Received: {str(value)[:80]}.")
    files = tuple(path.parent / each for each in stated.get("rules", ()))
    return ProjectSettings(stated.get("accept", {}), tuple(stated.get("ignore", ())), files)
