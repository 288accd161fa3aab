"""What `xla_evo.tune` measured on this machine, in the user's store: times, and a library.

Times are in one small file, since every choice of a program reads them: a program is known by its
content hash, a machine by what decides its machine code and the processor's model.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from xla_evo.errors import StoreError
from xla_evo.library.certificate import machine_identity
from xla_evo.store.index import folder_lock
from xla_evo_lowering.folders import default_path

TIMES = "tuned.json"


def machine_digest(fingerprint: Mapping[str, str]) -> str:
    """Identity of a machine and its compiler, the processor's model included."""
    parts = [*machine_identity(fingerprint), ("device", fingerprint.get("device", ""))]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _times(path: Path) -> dict[str, dict[str, float]]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return {name: {str(key): float(row[key]) for key in row} for name, row in data.items()}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        if isinstance(error, PermissionError) and not os.access(path.parent, os.X_OK):
            return {}
        raise StoreError(f"cannot read {path}: {error}; remove it and tune again") from None


def _heading(function: str, dtype: str, fingerprint: Mapping[str, str]) -> str:
    return f"{function} {dtype} {machine_digest(fingerprint)}"


def tuned_ratios(function: str, dtype: str, fingerprint: Mapping[str, str]) -> dict[str, float]:
    """Returns program hash to speed-up over the built-in, as `tune` measured it on this machine.

    Empty where nothing was tuned, or there is no folder that can be entered.

    Raises:
        StoreError: the record is damaged.
    """
    try:
        path = default_path() / TIMES
    except StoreError:
        return {}
    return _times(path).get(_heading(function, dtype, fingerprint), {})


def record_ratios(
    function: str, dtype: str, fingerprint: Mapping[str, str], ratios: Mapping[str, float]
) -> None:
    """Records speed-ups that choices follow from now on.

    Raises:
        StoreError: the record is damaged, or cannot be written.
    """
    path = default_path() / TIMES
    temporary = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with folder_lock(path.parent):
            data = {**_times(path), _heading(function, dtype, fingerprint): dict(ratios)}
            temporary.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
            temporary.replace(path)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}; set XLA_EVO_CACHE") from None


def user_library() -> Path:
    """The folder of programs that `tune` evolved and certified on this machine.

    Raises:
        StoreError: the user has no home folder, and XLA_EVO_CACHE is not set.
    """
    return default_path() / "library"
