"""Programs of 16-bit formats: a float32 program between conversions.

A unit in the last place of a 16-bit format is 2^13 or 2^16 of float32's, so that the error of the
fastest float32 program is next to nothing in it.
"""

from collections.abc import Mapping
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
from xla_evo_lowering.program import Builder, Instruction, Program

Rounding = Literal["even", "up", "down", "guarded", "open"]
"""How a float32 result becomes bfloat16: by its bits, where one that lies halfway goes to the even
neighbour, from zero, or to zero; or by XLA's conversion, guarded or open."""
_CHEAP: Mapping[str, tuple[Rounding, ...]] = {
    "cpu": ("up", "down"), "cuda": ("guarded",), "tpu": ("open",),
}  # fmt: skip
_SHARE = 0.005


def between_conversions(program: Program, narrow: DType, rounding: Rounding = "even") -> Program:
    """Returns a program of a 16-bit format that computes by one of float32.

    On a CPU the conversions of bfloat16 are by its bits. XLA's own rounding takes eight
    instructions there and this one two, or five with ties to even. Ties up or down are as near: a
    result halfway has a float32 error of its own, on one side or the other. And bits are what XLA
    may not keep in more precision than the format has, where a guard takes its time in bfloat16. Of
    a nan whose lower 16 bits are set the rounding may make a zero. Only operations on bits give
    such a nan, and the special values that a certificate asks for would refuse it.

    Devices have instructions that convert. A guard costs a GPU nothing; on a TPU, where it does,
    the bits of the argument are taken and the result is left open: what follows in the same fusion
    may see the float32 number, which is nearer.

    Args:
        program: from float32 to float32; integers and float64 may be inside.
        narrow: bfloat16 or float16.
        rounding: for bfloat16; float16 is rounded by the processor, to even.

    Raises:
        ProgramError: the program does not take and give float32, or the format is another, or
            float16 is to be rounded in another way.
    """
    kinds = {parameter.dtype for parameter in program.parameters} | {program.dtype}
    if kinds != {F32}:
        names = ", ".join(sorted(kind.name for kind in kinds))
        raise ProgramError(f"program {program.name} takes or gives {names}; it has to be float32")
    if narrow not in (BF16, F16) or (narrow is F16 and rounding != "even"):
        raise ProgramError(f"no conversion to {narrow.name}, {rounding}: bfloat16, or float16 even")
    build = Builder(program.name, **{parameter.name: narrow for parameter in program.parameters})
    guarded = narrow is F16 or rounding == "guarded"
    widen = _from_guarded if guarded else _from_bits
    values = [widen(build, n) for n in range(len(program.parameters))]
    for row in program.body:
        operands = tuple(values[operand] for operand in row.operands)
        values.append(build.add_instruction(replace(row, operands=operands)))
    wide = values[program.result]
    if guarded or rounding == "open":
        result = build.apply("convert", wide, dtype=narrow)
        result = build.apply("guard", result) if guarded else result
    else:
        result = _to_bits(build, wide, rounding)
    return canonical(build.build(result))


def widened(program: Program) -> Program:
    """Returns the float32 program between the conversions of one that `between_conversions` made.

    Raises:
        ProgramError: the program does not compute in float32 alone between its ends.
    """
    count = len(program.parameters)

    def nearest(number: int) -> set[int]:
        """Parameters and float32 values that a value is made of, those before them left out."""
        found: set[int] = set()
        for operand in program.body[number - count].operands:
            is_end = operand < count or program.body[operand - count].dtype is F32
            found |= {operand} if is_end else nearest(operand)
        return found

    ends = nearest(program.result)
    first: dict[int, int] = {}
    for number, row in enumerate(program.body, count):
        made_of = nearest(number) if row.dtype is F32 and row.operands else set()
        if len(made_of) == 1 and min(made_of) < count:
            first.setdefault(min(made_of), number)
    numbers = {number: parameter for parameter, number in first.items()}
    body: list[Instruction] = []
    for number, row in enumerate(program.body, count):
        if number not in numbers and all(o in numbers for o in row.operands):
            numbers[number] = count + len(body)
            body.append(replace(row, operands=tuple(numbers[o] for o in row.operands)))
    if len(ends) != 1 or len(first) != count or not ends <= numbers.keys():
        raise ProgramError(f"program {program.name} is no float32 program between conversions")
    parameters = tuple(replace(parameter, dtype=F32) for parameter in program.parameters)
    return canonical(Program(program.name, parameters, tuple(body), numbers[ends.pop()]))


def narrowed(
    program: Program, source: Provenance, narrow: DType, rounding: Rounding = "even"
) -> tuple[Program, Provenance]:
    """Returns a float32 program between conversions, and its provenance, which tells its hash.

    Args, Raises: as `between_conversions`.
    """
    note = f"float32 program {content_hash(program)[:16]} between conversions"
    note = f"{note}; {source.note}" if source.note else note
    return between_conversions(program, narrow, rounding), replace(source, note=note)


def float32_bound(narrow: DType, max_ulp: float) -> float:
    """The error in ULP that a float32 program may have for a bound in a 16-bit format, at least 0.

    Rounding takes half a unit of the format, and more than `_SHARE` of one gains little speed.
    """
    return max(0.0, min(max_ulp - 0.5, _SHARE)) * 2.0 ** (F32.precision - narrow.precision)


def roundings(narrow: DType, platform: str = "cpu") -> tuple[Rounding, ...]:
    """Those that are cheap for a 16-bit format on a platform, in JAX's words."""
    return ("even",) if narrow is F16 else _CHEAP[platform]


def with_nearest_rounding(
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

    made = [narrowed(program, source, target.dtype, way) for way in roundings(target.dtype)]
    return made[0] if len(made) == 1 else min(made, key=error)


def _from_guarded(build: Builder, value: int) -> int:
    return build.apply("convert", build.apply("guard", value), dtype=F32)


def _from_bits(build: Builder, value: int) -> int:
    bits = build.apply("convert", build.apply("bitcast", value, dtype=U16), dtype=U32)
    return build.apply("bitcast", build.apply("shl", bits, build.const(16, U32)), dtype=F32)


def _to_bits(build: Builder, wide: int, rounding: Rounding) -> int:
    """The upper half of the bits, into which the rounding of the lower half carries."""
    bits, sixteen = build.apply("bitcast", wide, dtype=U32), build.const(16, U32)
    carry = build.const(0x8000 if rounding == "up" else 0x7FFF, U32)
    carried = build.apply("add", bits, carry)
    if rounding == "even":
        last = build.apply("shr_logical", bits, sixteen)
        carried = build.apply("add", carried, build.apply("and", last, build.const(1, U32)))
    upper = build.apply("shr_logical", carried, sixteen)
    return build.apply("bitcast", build.apply("convert", upper, dtype=U16), dtype=BF16)
