"""Settings of a search: frozen, checked, and written beside every result."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from xla_evo._fields import check_fields
from xla_evo.budget import Budget
from xla_evo.errors import ConfigError, XlaEvoError
from xla_evo.scaffolds import scaffold as find_scaffold
from xla_evo.scaffolds import scaffolds_of
from xla_evo.search.genome import Nodes, from_program, to_program
from xla_evo.search.points import fit_points
from xla_evo.targets.target import Target
from xla_evo_lowering.backends import backend
from xla_evo_lowering.canonical import content_hash
from xla_evo_lowering.device_model import ARITHMETIC
from xla_evo_lowering.dtypes import F32
from xla_evo_lowering.program import Program
from xla_evo_lowering.text import parse_program

DEFAULT_OPS: Mapping[str, float] = {
    "add": 3.0,
    "sub": 2.0,
    "mul": 4.0,
    "div": 0.7,
    "neg": 0.2,
    "abs": 0.1,
    "min": 0.1,
    "max": 0.1,
    "sqrt": 0.1,
    "floor": 0.05,
    "round_even": 0.05,
    "convert": 0.03,
    "bitcast": 0.05,
    "and": 0.02,
    "or": 0.02,
    "xor": 0.02,
    "shl": 0.02,
    "shr_logical": 0.02,
    "shr_arith": 0.02,
    "lt": 0.02,
    "le": 0.02,
    "select": 0.05,
}
"""Relative frequencies of operations in mutations; they shape the search, not what is allowed."""


def parse_ops(text: str) -> Mapping[str, float]:
    """Returns the operations of a list such as ``add,sub,mul`` with their default frequencies.

    Raises:
        ConfigError: one of them is none that the search uses.
    """
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in DEFAULT_OPS:
            raise ConfigError(f"no operation {name!r}; choose among {', '.join(DEFAULT_OPS)}")
    return {name: DEFAULT_OPS[name] for name in names}


_NEEDED: tuple[tuple[tuple[str, ...], tuple[str, ...], str], ...] = (
    (("sub",), ("add",), "a - 2 is written a + (-2)"),
    (("div",), ("mul",), "a / 2 is written a * 0.5"),
    (("add", "neg"), ("sub",), "a + (-b) is written a - b"),
    (("select",), ("lt", "le"), "it chooses by a comparison"),
)
"""Operations, those of which one must be there beside them, and why."""


def _check_ops(ops: Mapping[str, float]) -> None:
    """Refuses operations that mutation cannot do with alone.

    Raises:
        ConfigError: there is no arithmetic, or one of `_NEEDED` is missing.
    """
    there = {name for name, weight in ops.items() if weight > 0}
    if there.isdisjoint(("add", "sub", "mul", "div")):
        raise ConfigError("ops must allow at least one of add, sub, mul and div")
    for names, needed, why in _NEEDED:
        if there.issuperset(names) and there.isdisjoint(needed):
            raise ConfigError(
                f"ops with {' and '.join(names)} need {' or '.join(needed)} too: {why}"
            )


_ON_BITS = ("convert", "bitcast", "and", "or", "xor", "shl", "shr_logical", "shr_arith")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchConfig:
    """What to search for, and how.

    Attributes:
        target: function, format and domain.
        max_ulp: error bound, in units of the target's measure, that a winner must hold everywhere.
        budget: time or number of candidates; the final proof is part of the time.
        backend: name of a row of the backend table.
        seed: of every random choice.
        max_cost: programs above this many vector operations are not considered.
        ops: op table name to relative frequency; absent operations do not occur.
        offspring: candidates a generation.
        bucket: candidates kept for each cost.
        test_points: inputs in the format that every promising candidate meets.
        workers: processes that screen, compile and time.
        compile_limit_s: a compilation that takes longer counts as failed, and its worker is ended.
        scaffold: name of a scaffold: the genome is what fills its hole. Empty: the whole program.
        begin: text of a program to begin with, of one input, as the genome is; empty: nothing.
    """

    target: Target
    max_ulp: float
    budget: Budget
    backend: str = "cpu"
    seed: int = 0
    max_cost: float = 24.0
    ops: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_OPS))
    offspring: int = 800
    bucket: int = 24
    test_points: int = 1024
    workers: int = 2
    compile_limit_s: float = 30.0
    scaffold: str = ""
    begin: str = ""

    def __post_init__(self) -> None:
        backend(self.backend)
        if self.target.dtype is not F32:
            raise ConfigError(
                f"the search over machine numbers works in float32, not {self.target.dtype.name};"
                " choose --dtype float32 or --dtype real, or for a 16-bit format xla-evo tune"
            )
        if self.target.function.arity != 1:
            raise ConfigError(
                f"{self.target.function.name} has {self.target.function.arity} arguments;"
                " the search finds functions of one"
            )
        if not self.scaffold:
            fit_points(self.target)  # refuses a domain where the function is not finite
        elif find_scaffold(self.scaffold).function != self.target.function.name:
            raise ConfigError(
                f"scaffold {self.scaffold} is one of {find_scaffold(self.scaffold).function},"
                f" not of {self.target.function.name}"
            )
        elif self.scaffold not in (names := [
            one.name for one in scaffolds_of(self.target.function.name, backend(self.backend))
        ]):  # fmt: skip
            raise ConfigError(
                f"scaffold {self.scaffold} is not one that {self.backend} can compute, or is made"
                f" for; choose {' or '.join(names) or 'another backend'}"
            )
        if self.seed < 0:
            raise ConfigError(f"--seed must be at least 0, not {self.seed}")
        if not self.max_ulp > 0:
            raise ConfigError(f"--max-ulp must be above 0, not {self.max_ulp}")
        if min(self.offspring, self.bucket, self.test_points, self.workers) < 1:
            raise ConfigError("offspring, bucket, test points and workers must be at least 1")
        self.beginning()
        _check_ops(self.mutation_ops())

    def beginning(self) -> Nodes:
        """Returns the genome of `begin`, none where the search begins from nothing.

        Raises:
            ConfigError: the program has operations or a format that genomes have not.
        """
        if not self.begin:
            return ()
        program = parse_program(self.begin, source="the program to begin with")
        dtype = find_scaffold(self.scaffold).dtype if self.scaffold else self.target.dtype
        nodes = from_program(program, dtype)
        if nodes is None:
            raise ConfigError(
                f"the search cannot begin with program {program.name}: it must have one"
                f" {dtype.name} input and operations that are evolved, {', '.join(DEFAULT_OPS)}"
            )
        return nodes

    @property
    def program_name(self) -> str:
        """Name of the programs: the function's, and ``f`` where a user's expression has none."""
        function = self.target.function
        return function.name if function.expression is None else "f"

    @property
    def modelled(self) -> bool:
        """Whether results come from a model, since the backend is not one that runs here."""
        return not backend(self.backend).live

    def program(self, nodes: Nodes) -> Program:
        """Returns the program of a genome, in its scaffold where there is one."""
        if not self.scaffold:
            return to_program(nodes, self.program_name)
        frame = find_scaffold(self.scaffold)
        return frame.fill(to_program(nodes, self.program_name, frame.dtype))

    def mutation_ops(self) -> Mapping[str, float]:
        """Returns `ops` without what the backend or the genome's format has no use for.

        On a backend that is not here some operations have results that are not known; genomes work
        on bits in 32 places, and a float64 hole of a scaffold has none of that.
        """
        left: frozenset[str] = frozenset()
        if self.modelled:
            left = ARITHMETIC[backend(self.backend).platform].lacks
        if self.scaffold and find_scaffold(self.scaffold).dtype is not F32:
            left = left.union(_ON_BITS)
        return {name: weight for name, weight in self.ops.items() if name not in left}

    def provenance(self, nodes: Nodes) -> str:
        """Returns one line on what of a genome's program was evolved and what was there before."""
        seed = f", begun with {self.begin_hash()}" if self.begin else ""
        if not self.scaffold:
            return f"from a program{seed}" if seed else "from scratch"
        frame = find_scaffold(self.scaffold)
        found = frame.evolved(to_program(nodes, self.program_name, frame.dtype))
        if not found:
            return f"from scaffold {self.scaffold}{seed}: nothing is evolved"
        return (
            f"from scaffold {self.scaffold}{seed}: %{found[0]} to %{found[-1]} are evolved,"
            " the rest is by hand"
        )

    def begin_hash(self) -> str:
        """Returns the first digits of the content hash of what the search begins with."""
        return content_hash(parse_program(self.begin))[:8]

    def to_json(self) -> dict[str, Any]:
        """Returns plain JSON data that `from_json` reads back."""
        data = {name: getattr(self, name) for name in self.__slots__}
        return {
            **data,
            "target": self.target.to_json(),
            "budget": asdict(self.budget),
            "ops": dict(self.ops),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "SearchConfig":
        """Returns the settings of `to_json`.

        Raises:
            ConfigError: a setting is unknown, missing or wrong.
        """
        try:
            target = Target.from_json(dict(data["target"]))
            budget = Budget(**data["budget"])
            fields: dict[str, Any] = {**data, "target": target, "budget": budget}
            config = cls(**fields)
            check_fields(config)
            return config
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, XlaEvoError):
                raise
            raise ConfigError(f"these are not search settings: {error}") from None

    def with_budget(self, budget: Budget) -> "SearchConfig":
        """Returns the same settings with another budget."""
        return replace(self, budget=budget)

    def digest(self) -> str:
        """SHA-256 (hex) of the settings that decide what the search does; not of the budget."""
        data = {key: value for key, value in self.to_json().items() if key != "budget"}
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
