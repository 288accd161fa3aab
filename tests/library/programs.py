"""Programs that several tests take."""

import math

from xla_evo.library import Entry, entries
from xla_evo.library.choice import builtin_ulp
from xla_evo_lowering.dtypes import F32
from xla_evo_lowering.program import Builder, Instruction, Program, constant


def program_for_exp() -> Entry:
    """One that is within 1 ULP, as others that are made for speed alone are not."""
    return next(e for e in entries("exp", "float32") if e.proofs("inline")[0].max_ulp <= 1)


FEW_ULP = ("asinh", "acosh", "softplus", "log_sigmoid")
"""Functions of float64 that have no program within 1 ULP yet."""


def double_bound(function: str) -> float:
    """What a program of float64 holds: 1 ULP, or the built-in's error where none is within that."""
    return builtin_ulp(entries(function, "float64")[0], "cpu") if function in FEW_ULP else 1.0


def identity_program(dtype=F32):
    """A wrong program for exp."""
    builder = Builder("exp", x=dtype)
    return builder.build(0)


def ending_in_a_product() -> Program:
    """Log2 by the shipped log, whose last product is contracted into a subtraction behind it."""
    log = entries("log", "float32")[0].program
    last = len(log.types)
    tail = constant(1 / math.log(2), F32), Instruction("mul", F32, (log.result, last))
    return Program("log2", log.parameters, (*log.body, *tail), last + 1)
