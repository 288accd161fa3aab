"""Store keys of the search: what a compilation and a timing depend on, by name."""

import hashlib
import json

from xla_evo.search.config import SearchConfig
from xla_evo.search.points import sample_size
from xla_evo.store.key import Key
from xla_evo.targets.target import Target
from xla_evo_lowering.backends import Backend, fingerprint
from xla_evo_lowering.compile import SINGLE_THREAD
from xla_evo_lowering.timing import ELEMENTS

FORM = f"loop over {ELEMENTS} elements"
MODELLED = "static cost and model"


def _machine(row: Backend) -> dict[str, str]:
    form = FORM if row.live else MODELLED
    return {"form": form, **fingerprint(row, SINGLE_THREAD if row.live else {})}


def compile_key(text: str, target: Target, config: SearchConfig, row: Backend) -> Key:
    """Key of a compiled program and its sampled error.

    The program counts as its text has it, not as its content hash does: of two products in a sum
    the order decides which one the compiler contracts, hence the bits.
    """
    parts = {"program": hashlib.sha256(text.encode()).hexdigest(), **_machine(row)}
    sample = {"target": json.dumps(target.to_json(), sort_keys=True), "seed": str(config.seed)}
    size = sample_size(target)
    sample["rows"] = f"{size.uniform_rows} and {size.hard_rows}"
    if row.live:
        sample["near"] = str(size.near_rows)
    return Key.of("compile", **parts, **sample)


def timing_key(code_hash: str, target: Target, row: Backend) -> Key:
    """Key of the timing of machine code against the built-in of a function."""
    domain = f"{target.low.hex()} {target.high.hex()}"
    parts = {"code": code_hash, **_machine(row)}
    return Key.of("timing", **parts, builtin=target.function.name, domain=domain)
