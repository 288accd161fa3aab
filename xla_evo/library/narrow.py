"""Programs of 16-bit formats: a float32 program between conversions.

A unit in the last place of a 16-bit format is 2^13 or 2^16 of float32's, so that the error of the
fastest float32 program is next to nothing in it.
"""

from dataclasses import replace
from typing import Literal

from xla_evo.accuracy.sweep import measure_exhaustive
from xla_evo.library.certificate import Provenance
from xla_evo.targets.target import Target
from xla_evo_lowering.backends import backend
from xla_evo_lowering.canonical import canonical, content_hash
from xla_evo_lowering.compile import Executable
from xla_evo_lowering.dtypes import BF16, F16, F32, U16, U32, DType
from xla_evo_lowering.errors import ProgramError
from xla_evo_lowering.program import Builder, Program

Ties = Literal["even", "up", "down"]
"""Where a float32 result goes that lies halfway: to the even neighbour, from zero, or to zero."""
_SHARE = 0.005


def between_conversions(program: Program, narrow: DType, ties: Ties = "even") -> Program:
    """Returns a program of a 16-bit format that computes by one of float32.

    The conversions of bfloat16 are by its bits. XLA's own rounding takes eight instructions on the
    CPU and this one two, or five with ties to even. Ties up or down are as near: a result halfway
    has a float32 error of its own, on one side or the other. And bits are what XLA may not keep in
    more precision than the format has, where a guard takes its time in bfloat16. Of a nan whose
    lower 16 bits are set the rounding may make a zero. Only operations on bits give such a nan, and
    the special values that a certificate asks for would refuse it.

    Args:
        program: from float32 to float32; integers and float64 may be inside.
        narrow: bfloat16 or float16.
        ties: for bfloat16; float16 is rounded by the processor, to even.

    Raises:
        ProgramError: the program does not take and give float32, or the format is another, or ties
            of float16 are to go up or down.
    """
    kinds = {parameter.dtype for parameter in program.parameters} | {program.dtype}
    if kinds != {F32}:
        names = ", ".join(sorted(kind.name for kind in kinds))
        raise ProgramError(f"program {program.name} takes or gives {names}; it has to be float32")
    if narrow not in (BF16, F16) or (narrow is F16 and ties != "even"):
        raise ProgramError(
            f"no conversion to {narrow.name}, ties {ties}: bfloat16, or float16 even"
        )
    build = Builder(program.name, **{parameter.name: narrow for parameter in program.parameters})
    widen = _from_bfloat16 if narrow is BF16 else _from_float16
    values = [widen(build, n) for n in range(len(program.parameters))]
    for row in program.body:
        operands = tuple(values[operand] for operand in row.operands)
        values.append(build.add_instruction(replace(row, operands=operands)))
    wide = values[program.result]
    return canonical(
        build.build(_to_bfloat16(build, wide, ties) if narrow is BF16 else _to_float16(build, wide))
    )


def narrowed(
    program: Program, source: Provenance, narrow: DType, ties: Ties = "even"
) -> tuple[Program, Provenance]:
    """Returns a float32 program between conversions, and its provenance, which tells its hash.

    Args, Raises: as `between_conversions`.
    """
    note = f"float32 program {content_hash(program)[:16]} between conversions"
    note = f"{note}; {source.note}" if source.note else note
    return between_conversions(program, narrow, ties), replace(source, note=note)


def float32_bound(narrow: DType, max_ulp: float) -> float:
    """The error in ULP that a float32 program may have for a bound in a 16-bit format, at least 0.

    Rounding takes half a unit of the format, and more than `_SHARE` of one gains little speed.
    """
    return max(0.0, min(max_ulp - 0.5, _SHARE)) * 2.0 ** (F32.precision - narrow.precision)


def with_nearest_ties(
    program: Program, source: Provenance, target: Target
) -> tuple[Program, Provenance]:
    """Returns a float32 program between the conversions of least error over the target's domain.

    Args:
        program: from float32 to float32.
        source: its provenance.
        target: function of one argument in a 16-bit format.

    Raises:
        ProgramError: as `between_conversions`.
    """
    flushes = backend("cpu").flushes(target.dtype)

    def error(made: tuple[Program, Provenance]) -> float:
        run = Executable.of_program(made[0])
        return measure_exhaustive(run, target, flush_to_zero=flushes).max_ulp

    ways: tuple[Ties, ...] = ("up", "down") if target.dtype is BF16 else ("even",)
    made = [narrowed(program, source, target.dtype, ties) for ties in ways]
    return made[0] if len(made) == 1 else min(made, key=error)


def _from_float16(build: Builder, value: int) -> int:
    return build.apply("convert", build.apply("guard", value), dtype=F32)


def _to_float16(build: Builder, wide: int) -> int:
    return build.apply("guard", build.apply("convert", wide, dtype=F16))


def _from_bfloat16(build: Builder, value: int) -> int:
    bits = build.apply("convert", build.apply("bitcast", value, dtype=U16), dtype=U32)
    return build.apply("bitcast", build.apply("shl", bits, build.const(16, U32)), dtype=F32)


def _to_bfloat16(build: Builder, wide: int, ties: Ties) -> int:
    """The upper half of the bits, into which the rounding of the lower half carries."""
    bits, sixteen = build.apply("bitcast", wide, dtype=U32), build.const(16, U32)
    carry = build.const(0x8000 if ties == "up" else 0x7FFF, U32)
    carried = build.apply("add", bits, carry)
    if ties == "even":
        last = build.apply("shr_logical", bits, sixteen)
        carried = build.apply("add", carried, build.apply("and", last, build.const(1, U32)))
    upper = build.apply("shr_logical", carried, sixteen)
    return build.apply("bitcast", build.apply("convert", upper, dtype=U16), dtype=BF16)
