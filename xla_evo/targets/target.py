"""A target: one function over one interval of one number format under one error measure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from xla_evo.errors import TargetError
from xla_evo.targets.catalogue import function as catalogue_function
from xla_evo.targets.domain import check_domain
from xla_evo.targets.expression import function_from_expression
from xla_evo.targets.function import Function, resolve
from xla_evo.targets.ordering import count_between, round_down, round_up
from xla_evo_lowering.dtypes import REAL, DType
from xla_evo_lowering.dtypes import dtype as dtype_named

Measure = Literal["ulp", "relative", "absolute"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a program is to approximate.

    Attributes:
        function: the function.
        dtype: format of inputs and outputs, or ``real``.
        low: least input; rounded up to the format.
        high: greatest input; rounded down to the format. Both ends belong to the domain, and the
            sign of a zero end counts: from +0.0 the input -0.0 is left out.
        measure: how error is counted: ``ulp`` in a format, else ``relative`` or ``absolute``.

    Raises:
        TargetError: an end is nan, the domain is reversed, has fewer than two inputs or leaves the
            function's domain, or the measure does not fit the format.
    """

    function: Function
    dtype: DType
    low: float
    high: float
    measure: Measure = "ulp"

    def __post_init__(self) -> None:
        name, low, high = self.function.name, float(self.low), float(self.high)
        if self.measure not in get_args(Measure):
            raise TargetError(
                f"unknown error measure {self.measure!r};"
                f" choose one of {', '.join(get_args(Measure))}"
            )
        if not self.dtype.is_float and self.dtype is not REAL:
            raise TargetError(
                f"{name} cannot be computed in {self.dtype.name}; choose a float format"
            )
        if self.dtype is REAL and self.measure == "ulp":
            raise TargetError("real numbers have no ULP; choose the measure relative or absolute")
        if self.dtype is not REAL and self.measure != "ulp":
            raise TargetError(
                f"errors of {self.dtype.name} are counted in ULP; leave the measure"
                f" {self.measure} out, or choose the format real"
            )
        if low != low or high != high:
            raise TargetError(
                f"the domain of {name} is [{low!r}, {high!r}]; its ends must be numbers"
            )
        if low > high:
            raise TargetError(
                f"the domain [{low!r}, {high!r}] of {name} is reversed; give the lower end first"
            )
        if self.dtype is not REAL:
            up, down = round_up(low, self.dtype), round_down(high, self.dtype)
            if up > down or count_between(up, down, self.dtype) < 2:
                raise TargetError(
                    f"the domain [{low!r}, {high!r}] of {name} holds fewer than two"
                    f" {self.dtype.name} numbers; widen it"
                )
            low, high = up, down
        elif low == high:
            raise TargetError(f"the domain of {name} is the one point {low!r}; widen it")
        check_domain(self.function, low, high)
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    def count(self) -> int:
        """Returns how many inputs of the format the domain has (of one argument).

        Raises:
            TargetError: the format is ``real``.
        """
        if self.dtype is REAL:
            raise TargetError("real numbers cannot be counted; choose a float format")
        return count_between(self.low, self.high, self.dtype)

    def describe(self) -> str:
        """Returns one line for a person, e.g. ``exp2 float32 [0.0, 1.0] in ulp``."""
        domain = f"[{self.low!r}, {self.high!r}]"
        return f"{self.function.name} {self.dtype.name} {domain} in {self.measure}"

    def to_json(self) -> dict[str, Any]:
        """Returns plain data from which `from_json` makes an equal target; floats are hex."""
        specials = [[x.hex(), y.hex()] for x, y in self._declared()]
        return {
            **({"specials": specials} if specials else {}),
            "function": self.function.name,
            "expression": self.function.expression,
            "dtype": self.dtype.name,
            "low": self.low.hex(),
            "high": self.high.hex(),
            "measure": self.measure,
        }

    def _declared(self) -> list[tuple[float, float]]:
        found = self.function.declared_specials()
        return [(x, y) for x, y in found if isinstance(x, float)]

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Target":
        """Returns the target that `to_json` described.

        Raises:
            TargetError: a field is missing or wrong.
        """
        try:
            specials = tuple(
                (float.fromhex(x), float.fromhex(y)) for x, y in data.get("specials", ())
            )
            dtype = dtype_named(data["dtype"])
            return Target(
                function=resolve(
                    data["function"], data.get("expression"), specials, is_narrow(dtype)
                ),
                dtype=dtype,
                low=float.fromhex(data["low"]),
                high=float.fromhex(data["high"]),
                measure=data["measure"],
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise TargetError(
                f"not a target: field {error} is missing or of a wrong type"
            ) from None


def is_narrow(dtype: DType) -> bool:
    """Whether a float64 reference may be off by `NARROW_ULP` in a format of at most 32 bits."""
    return dtype is not REAL and dtype.bits <= 32


def make_target(
    name: str | None = None,
    dtype: str | DType = "float32",
    low: float | None = None,
    high: float | None = None,
    *,
    expr: str | None = None,
    measure: Measure | None = None,
    specials: Mapping[float, float] | None = None,
) -> Target:
    """Returns a target from what a user types.

    Args:
        name: a function of the catalogue; or give ``expr``.
        dtype: format, e.g. ``float32`` or ``real``.
        low: least input; the function's whole domain when left out.
        high: greatest input.
        expr: an mpmath expression of ``x``; it needs both ends of the domain.
        measure: ``ulp`` for a format and ``relative`` for real numbers when left out.
        specials: of an expression, inputs with the value that a program must give there, the sign
            of zero included, e.g. ``{inf: 0.0}``.

    Raises:
        TargetError: neither or both of ``name`` and ``expr`` are given, special values without an
            expression or against it, or what `Target` refuses.
        ConfigError: there is no such format.
    """
    if (name is None) == (expr is None):
        raise TargetError("give either the name of a function or an expression")
    row = dtype_named(dtype)
    if expr is not None:
        if low is None or high is None:
            raise TargetError(
                f"the expression {expr!r} needs a domain; give its lower and upper end"
            )
        function = function_from_expression(
            expr, tuple((specials or {}).items()), narrow=is_narrow(row)
        )
    elif specials:
        raise TargetError(f"the catalogue has the special values of {name}; give none")
    else:
        function = catalogue_function(str(name))
    return Target(
        function=function,
        dtype=row,
        low=function.domain[0] if low is None else low,
        high=function.domain[1] if high is None else high,
        measure=measure or ("relative" if row is REAL else "ulp"),
    )
