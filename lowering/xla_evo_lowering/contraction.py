"""FMA contraction: what LLVM makes of ``a*b + c`` on CPU, written out as a program.

XLA's CPU backend compiles with floating-point fusion allowed, so a product whose only use is a sum
loses its own rounding, though no HLO operation asks for it. `contract` makes that explicit.

Source: LLVM's ``DAGCombiner::visitFADDForFMACombine`` and ``visitFSUBForFMACombine``, and the
rules of InstCombine for signs, which run before them and decide which of two products comes first.
Held against the compiled bits of thousands of random programs, see
tests/lowering/test_contraction.py.
"""

from typing import NamedTuple

from xla_evo_lowering.canonical import canonical
from xla_evo_lowering.dtypes import F16, F32, F64
from xla_evo_lowering.program import Instruction, Program

_CONTRACTED = (F32, F64)
"""16-bit operations are done in float32 and rounded one by one, but see `contract`."""


class _Signed(NamedTuple):
    """A value or its negation; the negation costs no rounding and is looked through."""

    value: int
    negative: bool = False

    def negated(self, *, when: bool = True) -> "_Signed":
        return _Signed(self.value, self.negative != when)


class _Node(NamedTuple):
    """An instruction whose operands carry their signs; parameters have the op ``parameter``."""

    instruction: Instruction
    operands: tuple[_Signed, ...]


class _Signs:
    """Lifts negations out of products and drops guards, as InstCombine would; shares equals."""

    def __init__(self, program: Program) -> None:
        self.nodes: list[_Node] = []
        self._known: dict[_Node, int] = {}
        self._uses = program.use_counts()
        values: list[_Signed] = []
        for number, parameter in enumerate(program.parameters):
            values.append(self._add(Instruction("parameter", parameter.dtype, (), number), ()))
        for instruction in program.body:
            operands = tuple(values[operand] for operand in instruction.operands)
            values.append(self._lift(instruction, operands))
        self.result = values[program.result]

    def _add(self, instruction: Instruction, operands: tuple[_Signed, ...]) -> _Signed:
        bare = Instruction(instruction.op, instruction.dtype, (), instruction.value)
        node = _Node(bare, operands)
        if node not in self._known:
            self._known[node] = len(self.nodes)
            self.nodes.append(node)
        return _Signed(self._known[node])

    def _lift(self, instruction: Instruction, operands: tuple[_Signed, ...]) -> _Signed:
        if instruction.op == "guard":
            return operands[0]
        if not instruction.dtype.is_float:
            return self._add(instruction, operands)
        if instruction.op == "neg":
            return operands[0].negated()
        if instruction.op == "abs":
            return self._magnitude(instruction, operands[0])
        if instruction.op in ("min", "max") and operands[0] == operands[1]:
            return operands[0]
        if instruction.op == "mul" and not any(map(self._is_constant, operands)):
            return self._product(instruction, operands)
        return self._add(instruction, operands)

    def _magnitude(self, instruction: Instruction, operand: _Signed) -> _Signed:
        """``abs(-a)`` is ``abs(a)``; a magnitude and a square are their own magnitudes."""
        inner = self.nodes[operand.value]
        square = inner.instruction.op == "mul" and inner.operands[0] == inner.operands[1]
        if square or inner.instruction.op == "abs":
            return _Signed(operand.value)
        return self._add(instruction, (_Signed(operand.value),))

    def _is_constant(self, operand: _Signed) -> bool:
        return self.nodes[operand.value].instruction.op == "const"

    def _product(self, instruction: Instruction, operands: tuple[_Signed, ...]) -> _Signed:
        """``-a * b`` is ``-(a * b)``, and ``abs(a) * abs(b)`` is ``abs(a * b)``."""
        first, second = (self.nodes[operand.value] for operand in operands)
        once = [self._uses[operand] == 1 for operand in instruction.operands]
        negative = operands[0].negative != operands[1].negative
        bare = [_Signed(operand.value) for operand in operands]
        if first.instruction.op == second.instruction.op == "abs" and (
            first is second or any(once)
        ):
            inner = self._add(instruction, (first.operands[0], second.operands[0]))
            if first is second:
                return inner.negated(when=negative)
            return self._magnitude(Instruction("abs", instruction.dtype), inner).negated(
                when=negative
            )
        return self._add(instruction, (bare[0], bare[1])).negated(when=negative)


def _ranks(nodes: list[_Node]) -> list[int]:
    """Ranks as LLVM's Reassociate pass gives them: depth, and the place of a load or division."""
    uses = (operand.value for _, operands in nodes for operand in operands)
    loads = [value for value in uses if nodes[value].instruction.op == "parameter"]
    places = {value: place for place, value in enumerate(dict.fromkeys(loads))}
    ranks: list[int] = []
    for number, (instruction, operands) in enumerate(nodes):
        if instruction.op == "const":
            ranks.append(0)
        elif instruction.op == "parameter":
            ranks.append(1 + places.get(number, 0))
        elif instruction.op == "div":
            ranks.append(len(nodes) + number)
        else:
            ranks.append(1 + max((ranks[operand.value] for operand in operands), default=0))
    return ranks


class _Contractor:
    """Lays the nodes out again, with ``fma`` where a product feeds one sum."""

    def __init__(self, program: Program, *, half: bool) -> None:
        self._program = program
        self._contracted = (F16, *_CONTRACTED) if half else _CONTRACTED
        signs = _Signs(program)
        self._nodes = signs.nodes
        self._result = signs.result
        self._body: list[Instruction] = []
        self._moved: list[int] = []
        self._ranks = _ranks(self._nodes)
        self._flips: list[bool] = []
        self._uses = [0] * len(self._nodes)
        live = {self._result.value}
        self._uses[self._result.value] += 1
        for number in reversed(range(len(self._nodes))):
            for operand in self._nodes[number].operands if number in live else ():
                self._uses[operand.value] += 1
                live.add(operand.value)
        for number in range(len(self._nodes)):
            self._flips.append(self._is_flipped(number))

    def run(self) -> Program:
        for node in self._nodes:
            instruction, operands = node
            if instruction.op == "parameter":
                self._moved.append(len(self._moved))
                continue
            sums = instruction.op in ("add", "sub") and instruction.dtype in self._contracted
            fused = self._sum(instruction, *operands) if sums else None
            if fused is None:
                moved = tuple(self._materialise(operand) for operand in operands)
                value = instruction.value
                fused = self._append(Instruction(instruction.op, instruction.dtype, moved, value))
            self._moved.append(fused)
        result = self._materialise(self._result)
        return canonical(
            Program(self._program.name, self._program.parameters, tuple(self._body), result)
        )

    def _append(self, instruction: Instruction) -> int:
        self._body.append(instruction)
        return len(self._program.parameters) + len(self._body) - 1

    def _materialise(self, operand: _Signed) -> int:
        value = self._moved[operand.value]
        if not operand.negative:
            return value
        dtype = self._nodes[operand.value].instruction.dtype
        return self._append(Instruction("neg", dtype, (value,)))

    def _is_flipped(self, value: int) -> bool:
        """True for a product of an odd number of negative constants, used once.

        Reassociate makes them positive, and the sum around the product a difference or back.
        """
        node = self._nodes[value]
        if node.instruction.op not in ("mul", "div") or self._uses[value] != 1:
            return False
        odd = False
        for operand in node.operands:
            inner = self._nodes[operand.value].instruction
            if inner.op == "const":
                bits = inner.value if isinstance(inner.value, int) else 0
                odd ^= bool(bits >> (inner.dtype.bits - 1))
            else:
                odd ^= self._flips[operand.value]
        return odd

    def _sum(self, instruction: Instruction, left: _Signed, right: _Signed) -> int | None:
        """The ``fma`` that a sum becomes, None when no product of it may be contracted."""
        subtracts = instruction.op == "sub"
        terms = [left, right.negated(when=subtracts)]
        # -a + b is made b - a, and -a - -b too; -a - b stays.
        if left.negative and (not subtracts or right.negative):
            terms.reverse()
        if not (left.negative or right.negative):
            if not subtracts and self._flips[left.value] and not self._flips[right.value]:
                terms.reverse()  # -c a + b is made b - c a
            elif subtracts == self._flips[right.value] and (
                self._ranks[right.value] < self._ranks[left.value]
            ):
                terms.reverse()
        for product, other in (terms, terms[::-1]):
            node = self._nodes[product.value]
            if node.instruction.op != "mul" or self._uses[product.value] != 1:
                continue
            first, second = node.operands
            operands = (
                self._materialise(first.negated(when=product.negative)),
                self._materialise(second),
                self._materialise(other),
            )
            return self._append(Instruction("fma", instruction.dtype, operands))
        return None


def contract(program: Program, *, half: bool = False) -> Program:
    """Returns what the vector loop computes: products that feed one sum made ``fma``.

    A product with a second use keeps its rounding, also when the uses see it negated or guarded.
    Of two products in one sum the one of lower rank is contracted (LLVM's Reassociate puts it
    first), and of equal ranks the first, where ``b - a``, ``-a + b`` and
    ``-a - -b`` all have ``b`` first; a product with a negative constant counts as ``-a`` with a
    positive one. Guards stop none of it and are dropped, since they have no
    further meaning.

    Not modelled: what XLA's algebraic simplifier does before (guards stop most of that); sums of a
    value with itself; subnormal constants behind a guard, which jaxlib 0.10 reads as zero at run
    time and 0.12 folds as they are, as is done here; the loop over the elements that do not fill a
    vector, which may contract the other of two products.

    Args:
        program: as written.
        half: the machine has float16 arithmetic (AVX512-FP16), so that its products are contracted.
    """
    return _Contractor(canonical(program), half=half).run()
