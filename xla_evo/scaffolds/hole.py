"""Takes the hole out of a program again that was made in a scaffold."""

from collections.abc import Iterable, Iterator
from itertools import permutations

from xla_evo.scaffolds.scaffold import Scaffold, dependents
from xla_evo_lowering.canonical import canonical, content_hash
from xla_evo_lowering.ops import OPS
from xla_evo_lowering.program import Instruction, Parameter, Program

_Values = frozenset[int]
"""Numbers of values of a program."""


def hole_of(frame: Scaffold, program: Program) -> Program | None:
    """Returns what fills the hole of a scaffold in a program, None where it is not of the scaffold.

    Names do not count: `Scaffold.fill` gives a program of the same content again.
    """
    whole = canonical(program)
    outer = canonical(frame.program)
    if (
        whole.types[: frame.inputs] != outer.types[: frame.inputs]
        or len(whole.parameters) != frame.inputs
    ):
        return None
    matching = _Matching(outer, whole, frame.inputs)
    feed = matching.value_of(_fed(frame))
    if feed is None:
        return None
    for value in sorted(matching.holes(outer.result, whole.result)):
        hole = _between(whole, feed, value, frame)
        if hole is not None and content_hash(frame.fill(hole)) == content_hash(whole):
            return hole
    return None


def _fed(frame: Scaffold) -> Program:
    """The scaffold's program as far as the input of the hole."""
    return canonical(
        Program(frame.function, frame.program.parameters, frame.program.body, frame.feed)
    )


class _Matching:
    """Which values of a program can be the hole of a scaffold's."""

    def __init__(self, outer: Program, whole: Program, inputs: int) -> None:
        """Both are canonical.

        Args:
            outer: of the scaffold; its value ``inputs`` is the hole.
            whole: the other program.
            inputs: what both have.
        """
        self._outer, self._whole, self._inputs = outer, whole, inputs
        self._late = dependents(outer, inputs)
        self._known: dict[object, int] = {}
        self._whole_ids = self._identify(whole)
        self._outer_ids = self._identify(outer)
        self._all: _Values = frozenset(range(len(whole.types)))
        self._found: dict[tuple[int, int], _Values] = {}

    def _identify(self, program: Program) -> list[int]:
        """A number for each value, the same for values that are computed in the same way."""
        ids = [
            self._known.setdefault(("parameter", number), len(self._known))
            for number in range(len(program.parameters))
        ]
        for item in program.body:
            operands = min(tuple(ids[number] for number in order) for order in _orders(item))
            key = (item.op, item.dtype, item.value, operands)
            ids.append(self._known.setdefault(key, len(self._known)))
        return ids

    def value_of(self, part: Program) -> int | None:
        """Number of the program's value that is computed as a part of the scaffold says."""
        wanted = self._identify(part)[part.result]
        return self._whole_ids.index(wanted) if wanted in self._whole_ids else None

    def holes(self, outer: int, whole: int) -> _Values:
        """Values that make a value of the scaffold, if they are its hole, one of the program."""
        if outer == self._inputs:
            return frozenset({whole})
        if outer not in self._late:
            return self._all if self._outer_ids[outer] == self._whole_ids[whole] else frozenset()
        if (outer, whole) not in self._found:
            self._found[outer, whole] = frozenset(self._operands_match(outer, whole))
        return self._found[outer, whole]

    def _operands_match(self, outer: int, whole: int) -> Iterator[int]:
        if whole < self._inputs:
            return
        one = self._outer.body[outer - self._inputs - 1]
        other = self._whole.body[whole - self._inputs]
        if (one.op, one.dtype, len(one.operands)) != (other.op, other.dtype, len(other.operands)):
            return
        for order in _orders(other):
            left = self._all
            for a, b in zip(one.operands, order, strict=True):
                left &= self.holes(a, b)
            yield from left


def _orders(item: Instruction) -> Iterable[tuple[int, ...]]:
    """Orders of its operands that mean the same."""
    if not OPS[item.op].commutative:
        return (item.operands,)
    return [(*two, *item.operands[2:]) for two in permutations(item.operands[:2])]


def _between(program: Program, feed: int, result: int, frame: Scaffold) -> Program | None:
    """The part of a program from one value to another; None where it needs a third."""
    inputs = len(program.parameters)
    needed, pending = {feed}, [result]
    while pending:
        value = pending.pop()
        if value in needed:
            continue
        if value < inputs:
            return None
        needed.add(value)
        pending += program.body[value - inputs].operands
    numbers, body = {feed: 0}, list[Instruction]()
    for value in sorted(needed - {feed}):
        item = program.body[value - inputs]
        operands = tuple(numbers[operand] for operand in item.operands)
        body.append(Instruction(item.op, item.dtype, operands, item.value))
        numbers[value] = len(body)
    if program.types[feed] is not frame.dtype or program.types[result] is not frame.dtype:
        return None
    return Program(frame.function, (Parameter("x", frame.dtype),), tuple(body), numbers[result])
