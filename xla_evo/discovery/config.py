"""What a discovery is asked for: one frozen record, checked, and read and written as JSON."""

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from xla_evo._fields import check_fields
from xla_evo.budget import Budget
from xla_evo.discovery.encoding import MAX_OPS
from xla_evo.errors import ConfigError, TargetError, XlaEvoError
from xla_evo.targets.domain import check_domain
from xla_evo.targets.function import Function, resolve

Measure = Literal["relative", "absolute", "weighted"]
LEAST_CANDIDATES = 100
"""A budget of fewer candidates is no search."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryConfig:
    """Settings of a discovery over the real numbers.

    Attributes:
        function: name in the catalogue; empty where ``expression`` is given.
        expression: an mpmath expression of one variable, or None.
        low: lower end of the domain.
        high: upper end of the domain; both ends belong to it.
        max_ops: most operations, 1 to 16.
        seconds: wall-clock time of the search, None for no limit. The finish comes on top.
        candidates: candidates to fit, None for no limit; with it alone a run is reproducible.
        seed: seed of the random numbers.
        finite: search only programs all of whose intermediate values are finite on the domain.
        measure: ``relative``: |p - f| / |f|; ``absolute``: |p - f|; ``weighted``: |p - f| w(x).
        weight: expression of w(x) for the measure ``weighted``.
        workers: islands of a policy, searched side by side in threads; part of what a seed means.

    Raises:
        ConfigError: a setting is out of range.
        TargetError: the function or the weight cannot be used on the domain.
    """

    function: str = ""
    expression: str | None = None
    low: float = 0.0
    high: float = 1.0
    max_ops: int = 12
    seconds: float | None = None
    candidates: int | None = None
    seed: int = 0
    finite: bool = False
    measure: Measure = "relative"
    weight: str | None = None
    workers: int = 2

    def __post_init__(self) -> None:
        if bool(self.function) == (self.expression is not None):
            raise ConfigError("give either the name of a function or an expression")
        if not 1 <= self.max_ops <= MAX_OPS:
            raise ConfigError(f"max-ops must be between 1 and {MAX_OPS}, not {self.max_ops}")
        if self.seconds is None and self.candidates is None:
            raise ConfigError("a budget needs a time such as 3m or candidates such as 200000c")
        if self.seconds is not None and not (self.seconds > 0 and math.isfinite(self.seconds)):
            raise ConfigError(f"a budget must be a time above zero, not {self.seconds} s")
        if self.candidates is not None and self.candidates < LEAST_CANDIDATES:
            raise ConfigError(
                f"a budget of {self.candidates} candidates is too short for one generation;"
                f" give at least {LEAST_CANDIDATES}c"
            )
        if self.measure not in get_args(Measure):
            raise ConfigError(
                f"error measure {self.measure!r}: choose {', '.join(get_args(Measure))}"
            )
        if (self.measure == "weighted") != (self.weight is not None):
            raise ConfigError("a weight belongs to the measure 'weighted', and only to it")
        if not 1 <= self.workers <= 64:
            raise ConfigError(f"workers must be between 1 and 64, not {self.workers}")
        name = self.function or self.expression or ""
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise TargetError(f"the domain of {name} must have finite ends")
        if self.low > self.high:
            raise TargetError(
                f"the domain [{self.low!r}, {self.high!r}] of {name} is reversed;"
                " give the lower end first"
            )
        if self.high - self.low <= 1e-9 * max(abs(self.low), abs(self.high)):
            raise TargetError(f"the domain of {name} is the one point {self.low!r}; widen it")
        target = self.target()
        if target.arity != 1:
            raise TargetError(f"{name} has {target.arity} arguments; discovery needs one")
        check_domain(target, self.low, self.high)

    def target(self) -> Function:
        """Returns the function to approximate."""
        return resolve(self.function, self.expression)

    @property
    def title(self) -> str:
        """One line for a person, e.g. ``exp2 on [0, 1], relative error``."""
        name = self.function or self.expression
        return f"{name} on [{self.low:.17g}, {self.high:.17g}], {self.measure} error"

    def with_budget(self, budget: Budget) -> "DiscoveryConfig":
        """Returns the same search with another budget."""
        data: dict[str, Any] = asdict(self)
        data |= {"seconds": budget.seconds, "candidates": budget.candidates}
        return DiscoveryConfig(**data)

    def to_json(self) -> dict[str, Any]:
        """Returns plain data; the ends of the domain are hexadecimal, hence exact."""
        return asdict(self) | {"low": self.low.hex(), "high": self.high.hex()}

    @staticmethod
    def from_json(data: dict[str, Any]) -> "DiscoveryConfig":
        """Returns the settings that `to_json` wrote.

        Raises:
            ConfigError: a field is unknown or of a wrong type.
        """
        known = {field.name for field in fields(DiscoveryConfig)}
        if not set(data) <= known or not {"low", "high"} <= set(data):
            raise ConfigError(f"not the settings of a discovery: {sorted(set(data) ^ known)}")
        try:
            ends: dict[str, Any] = {key: float.fromhex(data[key]) for key in ("low", "high")}
            config = DiscoveryConfig(**(data | ends))
            check_fields(config)
            return config
        except (TypeError, ValueError) as error:
            if isinstance(error, XlaEvoError):
                raise
            raise ConfigError(f"not the settings of a discovery: {error}") from None
