"""A scaffold: a program with a hole.

A function over its whole range is a range reduction, an approximation on a small interval, and a
reconstruction. The first and the last are written once, by hand, as a program text with a second
parameter ``hole``; the approximation between them is what a search evolves. The frozen part and
the evolved part stay apart in provenance: such a program is "from scaffold S", never "from
scratch".
"""

import re
from dataclasses import dataclass
from functools import cached_property

from xla_evo.errors import ConfigError, ProgramError
from xla_evo_lowering.dtypes import DType
from xla_evo_lowering.program import Instruction, Program
from xla_evo_lowering.text import parse_program

HOLE = "hole"
_DEFINITION = re.compile(r"^\s*%(\w+)\s*:", re.MULTILINE)


@dataclass(frozen=True)
class Scaffold:
    """Range reduction and reconstruction of one function.

    Attributes:
        name: as typed on the command line.
        function: name in the catalogue of functions.
        text: program text with the inputs of the function and ``hole``, in that order; the value
            named ``%r`` is what the hole is applied to.
        expression: mpmath expression in ``x`` of what the hole approximates.
        low: least value of ``%r``.
        high: greatest value of ``%r``.
        ranges: intervals of inputs where results are worth most test points; none where there is
            more than one input, since the search takes functions of one.
        note: the method, and its source.
    """

    name: str
    function: str
    text: str
    expression: str
    low: float
    high: float
    ranges: tuple[tuple[float, float], ...]
    note: str

    @cached_property
    def program(self) -> Program:
        """The program with the hole as its last parameter."""
        program = parse_program(self.text, source=f"scaffold {self.name}")
        if len(program.parameters) < 2 or program.parameters[-1].name != HOLE:
            raise ConfigError(f"scaffold {self.name} must have an input and the parameter {HOLE}")
        return program

    @property
    def inputs(self) -> int:
        """How many inputs the function has; the hole is the value of this number."""
        return len(self.program.parameters) - 1

    @cached_property
    def feed(self) -> int:
        """Number of the value that goes into the hole.

        Raises:
            ConfigError: the text does not define ``%r``, or it depends on the hole.
        """
        names = _DEFINITION.findall(self.text)
        if "r" not in names:
            raise ConfigError(f"scaffold {self.name} does not define %r, the input of the hole")
        value = len(self.program.parameters) + names.index("r")
        if value in dependents(self.program, self.inputs):
            raise ConfigError(f"scaffold {self.name}: the input of the hole depends on the hole")
        return value

    @property
    def dtype(self) -> DType:
        """Format of the hole."""
        return self.program.parameters[-1].dtype

    def evolved(self, hole: Program) -> range:
        """Which instructions of the filled program come from the hole, counted from 0."""
        before = len(self.program.body) - len(dependents(self.program, self.inputs)) + 1
        return range(before, before + len(hole.body))

    def fill(self, hole: Program) -> Program:
        """Returns the whole program with `hole`, a program of one input, in its place.

        Raises:
            ProgramError: the hole's format is another one.
        """
        if hole.parameters[0].dtype is not self.dtype or hole.dtype is not self.dtype:
            raise ProgramError(
                f"the hole of scaffold {self.name} takes and gives {self.dtype.short}, not"
                f" {hole.parameters[0].dtype.short} and {hole.dtype.short}"
            )
        frame, inputs = self.program, self.inputs
        late = dependents(frame, inputs)
        body: list[Instruction] = []
        moved = {number: number for number in range(inputs)}

        def add(instruction: Instruction, numbers: dict[int, int], value: int) -> None:
            operands = tuple(numbers[operand] for operand in instruction.operands)
            body.append(Instruction(instruction.op, instruction.dtype, operands, instruction.value))
            numbers[value] = inputs + len(body) - 1

        for value, instruction in enumerate(frame.body, start=inputs + 1):
            if value not in late:
                add(instruction, moved, value)
        inner = {0: moved[self.feed]}
        for value, instruction in enumerate(hole.body, start=1):
            add(instruction, inner, value)
        moved[inputs] = inner[hole.result]
        for value, instruction in enumerate(frame.body, start=inputs + 1):
            if value in late:
                add(instruction, moved, value)
        return Program(self.function, frame.parameters[:-1], tuple(body), moved[frame.result])


def dependents(program: Program, value: int) -> set[int]:
    """Numbers of all values that depend on a value, itself among them."""
    found = {value}
    for number, instruction in enumerate(program.body, start=len(program.parameters)):
        if found.intersection(instruction.operands):
            found.add(number)
    return found
