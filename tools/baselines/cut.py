"""Cuts scaffolds out of programs: a hole in place of what depends on one value alone.

python tools/baselines/cut.py erfc/float32/8c29d7d30dc40c0a
python tools/baselines/cut.py erfc > xla_evo/scaffolds/data/erfc.prog

The first prints the parts of a program that could be evolved: from which value to which, of how
many operations, and the range of what goes in over a sample of inputs. The second prints a scaffold
of the table below, which says where its hole was; a row in `xla_evo.scaffolds.catalogue` says what
the hole approximates.
"""

import argparse
import re
import sys
from dataclasses import dataclass

import numpy as np

from xla_evo.accuracy.inputs import sample_inputs
from xla_evo.accuracy.sweep import sample_pairs
from xla_evo.library import Entry, entries
from xla_evo.scaffolds.scaffold import HOLE
from xla_evo.targets.target import make_target
from xla_evo_lowering.interpret import evaluate
from xla_evo_lowering.program import Instruction, Parameter, Program
from xla_evo_lowering.text import print_program

_ARITHMETIC = ("add", "sub", "mul", "div", "fma", "neg", "guard")
CUTS = {
    "atan-wide": ("atan/float32/7c8743545eca9952", 11, 45),
    "atan2": ("atan2/float32/7692bd3529bc180b", 24, 58),
    "atan2-short": ("atan2/float32/3ea861f0cd6392b2", 39, 68),
    "cosh": ("cosh/float32/c0f868e2e15c2eae", 22, 36),
    "digamma": ("digamma/float32/3647bb9a168631c3", 44, 58),
    "erf-inv": ("erf_inv/float32/93e74df5653c86b9", 16, 42),
    "erf-fast": ("erf/float32/0d65a8f3a75f1ef0", 11, 27),
    "erfc-fast": ("erfc/float32/3c7fc15e610b0f0b", 50, 68),
    "exp-fast": ("exp/float32/cc7678151b92c7fc", 13, 29),
    "exp2-wide": ("exp2/float32/a872fcca80bacd73", 11, 33),
    "gelu-fast": ("gelu/float32/cd04a660aa23dbd0", 45, 63),
    "gelu-tanh-fast": ("gelu_tanh/float32/96cf25af1444a86c", 33, 49),
    "lgamma": ("lgamma/float32/d3cb734c25848d36", 106, 116),
    "lgamma-branch": ("lgamma/float32/2fca5b64e177a196", 191, 217),
    "log-sigmoid": ("log_sigmoid/float32/069a499af3a4e961", 65, 89),
    "logistic-fast": ("logistic/float32/f07b2366758dfb87", 28, 44),
    "pow": ("pow/float32/5488fdc89615e558", 81, 103),
    "pow-single": ("pow/float32/c5e79a6de9e85cac", 72, 91),
    "silu-fast": ("silu/float32/517192e7af7ebff6", 18, 34),
    "sinh": ("sinh/float32/bca5b2e61e311eaf", 23, 30),
    "softplus": ("softplus/float32/aa6762c1f4d97d4c", 62, 86),
}
"""Name of a scaffold to a program that ships, what went into the hole, and what came out."""

_SAMPLES = 1 << 16
_LEAST = 3
"""Operations that are worth a search."""


@dataclass(frozen=True)
class Part:
    """Values of a program that depend on one other and constants alone.

    Attributes:
        source: number of that value.
        result: number of the last of them, which is used elsewhere.
        operations: how many of them count.
    """

    source: int
    result: int
    operations: int


def parts(program: Program) -> list[Part]:
    """The parts of a program by their size, largest first; each ends where others use it."""
    found = []
    for source, dtype in enumerate(program.types):
        if not dtype.is_float:
            continue
        inside = _inside(program, source)
        for result in sorted(inside):
            users = _users(program, result)
            if program.types[result] is not dtype or users <= inside:
                continue
            needed = _needed(program, result, source)
            size = sum(program.instruction(value).op not in ("const", "guard") for value in needed)
            if size >= _LEAST:
                found.append(Part(source, result, size))
    return sorted(found, key=lambda part: -part.operations)


def _inside(program: Program, source: int) -> set[int]:
    """Values that are arithmetic of a source and constants, the source not among them."""
    known = {source}
    constants = set()
    for value, instruction in enumerate(program.body, len(program.parameters)):
        if instruction.op == "const":
            constants.add(value)
        elif (
            instruction.op in _ARITHMETIC
            and set(instruction.operands) <= known | constants
            and known.intersection(instruction.operands)
        ):
            known.add(value)
    return known - {source}


def _users(program: Program, value: int) -> set[int]:
    """Values that are made of one; the caller of the program counts as -1."""
    first = len(program.parameters)
    users = {n for n, row in enumerate(program.body, first) if value in row.operands}
    return users | ({-1} if value == program.result else set())


def _needed(program: Program, value: int, *given: int) -> set[int]:
    """What a value is computed from, itself among it, when some values are given."""
    needed, open_values = set(), [value]
    while open_values:
        value = open_values.pop()
        if value in needed or value in given or value < len(program.parameters):
            continue
        needed.add(value)
        open_values += program.instruction(value).operands
    return needed


def scaffold_text(program: Program, source: int, result: int) -> str:
    """The text of the scaffold that is left of a program."""
    kept = _needed(program, program.result, result) | _needed(program, source)
    inputs = len(program.parameters)
    numbers = {**{n: n for n in range(inputs)}, result: inputs}
    parameters = (*program.parameters, Parameter(HOLE, program.types[result]))
    frame = _renumbered(program, kept, numbers, parameters, program.result)
    text = print_program(frame, comments=False)
    return re.sub(rf"%{numbers[source] - inputs - 1}\b", "%r", text)


def hole(program: Program, source: int, result: int) -> Program:
    """What was in the hole, as a program of one input."""
    kept = _needed(program, result, source)
    parameters = (Parameter("x", program.types[source]),)
    return _renumbered(program, kept, {source: 0}, parameters, result)


def _renumbered(
    program: Program,
    kept: set[int],
    numbers: dict[int, int],
    parameters: tuple[Parameter, ...],
    result: int,
) -> Program:
    """The values of a program that are kept, as one of other parameters; fills in their numbers."""
    body = []
    for value in sorted(kept):
        row = program.instruction(value)
        operands = tuple(numbers[operand] for operand in row.operands)
        body.append(Instruction(row.op, row.dtype, operands, row.value))
        numbers[value] = len(parameters) + len(body) - 1
    return Program(program.name, parameters, tuple(body), numbers[result])


def _range(entry: Entry, value: int) -> tuple[float, float]:
    """The ends of what a value is over a sample of inputs."""
    program, target = entry.program, make_target(entry.function, entry.dtype)
    one = target.function.arity == 1
    inputs = (sample_inputs(target, _SAMPLES),) if one else sample_pairs(target, _SAMPLES)
    before = program.body[: value - len(program.parameters) + 1]
    found = evaluate(Program("given", program.parameters, before, value), *inputs, flush=True)
    finite = found[np.isfinite(found)]
    return float(finite.min()), float(finite.max())


def main() -> int:
    """Prints the parts of an entry, or a scaffold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "what", help="a scaffold of the table, or the first digits of a program's hash, or its name"
    )
    what = parser.parse_args().what
    wanted, *part = CUTS.get(what, (what,))
    found = [
        entry
        for entry in entries()
        if entry.name.startswith(wanted) or entry.name.rpartition("/")[2].startswith(wanted)
    ]
    if len(found) != 1:
        parser.error(f"no scaffold of the table is {what}, and {len(found)} programs are, not one")
    (entry,) = found
    if part:
        print(scaffold_text(entry.program, *part), end="")
        return 0
    print("source  result  operations  format  least  greatest")
    for row in parts(entry.program):
        low, high = _range(entry, row.source)
        kind = entry.program.types[row.source].short
        print(row.source, row.result, row.operations, kind, f"{low:.9g}  {high:.9g}", sep="  ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
