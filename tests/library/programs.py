"""Programs that several tests take."""

import math

from xla_evo.library import Entry, entries
from xla_evo_lowering.dtypes import F32
from xla_evo_lowering.program import Builder, Instruction, Program, constant


def program_for_exp() -> Entry:
    """One that is within 1 ULP, as others that are made for speed alone are not."""
    return next(e for e in entries("exp", "float32") if e.proofs("inline")[0].max_ulp <= 1)


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
