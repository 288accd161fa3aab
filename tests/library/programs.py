"""Programs that several tests of the library take."""

from xla_evo.library import Entry, entries
from xla_evo_lowering.dtypes import F32
from xla_evo_lowering.program import Builder


def program_for_exp() -> Entry:
    """One that is within 1 ULP, as others that are made for speed alone are not."""
    return next(e for e in entries("exp", "float32") if e.proofs("inline")[0].max_ulp <= 1)


def identity_program(dtype=F32):
    """A wrong program for exp."""
    builder = Builder("exp", x=dtype)
    return builder.build(0)
