"""A record as a program of a float format: where the real and the machine setting meet."""

from dataclasses import dataclass
from typing import Any

import mpmath as mp
import numpy as np

from xla_evo.discovery.config import DiscoveryConfig
from xla_evo.discovery.record import Record
from xla_evo.discovery.reference import DIGITS, Reference
from xla_evo.discovery.verify import verification_points
from xla_evo.errors import ConfigError
from xla_evo_lowering.dtypes import DType
from xla_evo_lowering.dtypes import dtype as dtype_named
from xla_evo_lowering.interpret import evaluate
from xla_evo_lowering.program import Program
from xla_evo_lowering.text import print_program

SAMPLES = 20_001


@dataclass(frozen=True, slots=True, kw_only=True)
class Emitted:
    """A record in a float format.

    Attributes:
        program: the program, for the machine setting.
        dtype: its format.
        exact_error: error of the record over the reals.
        error: greatest error found on sampled inputs after rounding constants and operations, in
            the measure of the discovery; over inputs with a finite result.
        ulp: greatest error found in units in the last place of the format.
        worst: input of ``error``.
        not_finite: sampled inputs with the result nan or infinite.
        samples: number of sampled inputs, all of the format.
    """

    program: Program
    dtype: DType
    exact_error: float
    error: float
    ulp: float
    worst: float
    not_finite: int
    samples: int

    @property
    def text(self) -> str:
        """The program's text, with what is known about it as a comment."""
        head = (
            f"# error {self.error:.3g} ({self.ulp:.3g} ULP) on {self.samples} sampled inputs,"
            f" {self.exact_error:.3g} over the reals; {self.not_finite} results not finite\n"
        )
        return head + print_program(self.program)


def emit(record: Record, config: DiscoveryConfig, dtype: "str | DType") -> Emitted:
    """Rounds a record to a float format and measures what that costs, on sampled inputs.

    Operations are rounded one by one, as without contraction.

    Raises:
        ConfigError: the format is not a float.
    """
    row = dtype_named(dtype)
    if not row.is_float:
        raise ConfigError(f"a record can be emitted in a float format, not in {row.name}")
    name = config.function or "discovered"
    program = record.program(name=name, dtype=row)
    points = verification_points(config.low, config.high, SAMPLES)
    inputs: Any = np.unique(points.astype(row.numpy).astype(np.float64))
    inputs = inputs[(inputs >= config.low) & (inputs <= config.high)]
    with np.errstate(all="ignore"):
        got = evaluate(program, inputs.astype(row.numpy)).astype(np.float64)
    reference = Reference(config)
    worst, at, worst_ulp, bad = 0.0, float(inputs[0]), 0.0, 0
    with mp.workdps(DIGITS):
        for x, result in zip(inputs, got, strict=True):
            if not np.isfinite(result):
                bad += 1
                continue
            value, weight = reference.at(float(x))
            distance = abs(mp.mpf(float(result)) - value)
            error = float(distance * weight) if mp.isfinite(weight) else 0.0
            if error > worst:
                worst, at = error, float(x)
            exponent = max(mp.frexp(value)[1] - 1, row.emin) if value != 0 else row.emin
            worst_ulp = max(worst_ulp, float(mp.ldexp(distance, row.precision - 1 - exponent)))
    return Emitted(
        program=program, dtype=row, exact_error=record.verified.error, error=worst, ulp=worst_ulp,
        worst=at, not_finite=bad, samples=int(inputs.size),
    )  # fmt: skip
