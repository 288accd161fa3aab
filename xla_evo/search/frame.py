"""How a scaffold meets the compiled kernels: everything before the hole is given, the rest is tape.

What does not depend on the hole is computed once for all test points, contracted as the compiler
contracts it. The hole and the reconstruction behind it form one tape, so that a candidate's error
is that of the whole function: the product that ends a hole may be fused with a sum behind it.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from xla_evo.accuracy.inputs import sample_inputs
from xla_evo.errors import ConfigError
from xla_evo.scaffolds.scaffold import Scaffold, dependents
from xla_evo.search.genome import (
    BOOLEAN,
    CONST,
    DIVISION,
    FLOAT,
    INT,
    LE,
    LT,
    TO_SINGLE,
    Node,
    Nodes,
    Tape,
    code_of,
    constant_node,
    contracted,
    to_tape,
)
from xla_evo.search.kernels import WIDE, forward
from xla_evo.search.points import FIT_POINTS, Points, make_points
from xla_evo.targets.expression import function_from_expression
from xla_evo.targets.ordering import from_ordinal, ordinal
from xla_evo.targets.target import Target
from xla_evo_lowering.contraction import contract
from xla_evo_lowering.dtypes import BOOL, F32, F64, I32, U32, DType
from xla_evo_lowering.interpret import evaluate
from xla_evo_lowering.program import Instruction, Program

Floats = npt.NDArray[np.float64]

_TYPES: dict[DType, int] = {F32: FLOAT, F64: FLOAT, I32: INT, U32: INT, BOOL: BOOLEAN}
_SWAPPED = {"gt": LT, "ge": LE}
_POOL = 16384
_STEP = 2.0**-7
_NEUTRAL = 1e-9
_RANGE_SHARE = 0.75
_MARGIN = 2.0**-10
"""How far outside its interval, relative to its ends, rounding may put an input of the hole."""
_EXTREME, _GROUPS, _CLIMBS, _BESIDE = 256, 16, 6, 8
"""The search for the ends: inputs to begin with, groups of them, steps of each, neighbours kept."""
_NEXT = np.arange(-_BESIDE, _BESIDE + 1)
_STEPS = np.concatenate([-(2 ** np.arange(4, 19)), _NEXT, 2 ** np.arange(4, 19)])
_END_TESTS = 32


class Frame:
    """A scaffold as the kernels see it.

    Args:
        scaffold: range reduction and reconstruction.
        contracts: whether the backend makes one operation of a*b + c.
        flush: whether it reads and writes subnormal numbers as zero.

    Raises:
        ConfigError: the reconstruction uses types or operations that the kernels lack.
    """

    def __init__(self, scaffold: Scaffold, *, contracts: bool = True, flush: bool = True) -> None:
        self.scaffold = scaffold
        self._contracts = contracts
        self._flush = flush
        self._program = scaffold.program
        self._uses = self._program.use_counts()
        self._ranks = _program_ranks(self._program)
        self._late = self._late_values()
        self._given: list[int] = [scaffold.feed]
        self._suffix: list[tuple[Node, bool]] = []
        self._places: dict[int, int] = {}
        for value in self._late:
            self._add(value)
        self._wide = scaffold.dtype is F64
        self._before = [self._program_of(value) for value in self._given]
        self._ideal: dict[float, float] = {}
        self._last: tuple[list[object], Tape] | None = None

    def _program_of(self, value: int) -> Program:
        """What computes a given value, as the backend computes it."""
        body = self._program.body[: max(0, value - 1)]
        program = Program("given", self._program.parameters, body, value)
        return contract(program) if self._contracts else program

    def _late_values(self) -> list[int]:
        """What comes after the hole, and products before it that a sum behind it may take in."""
        late = dependents(self._program, 1) - {1}
        taken: set[int] = set()
        for value in late:
            instruction = self._instruction(value)
            if instruction.op in ("add", "sub"):
                taken.update(map(self._bare, instruction.operands))
        moved = {
            value
            for value in taken - late
            if value > 1
            and self._instruction(value).op == "mul"
            and self._uses[value] == 1
            and value != self.scaffold.feed
        }
        return sorted(late | moved)

    def _instruction(self, value: int) -> Instruction:
        return self._program.body[value - 2]

    def _bare(self, value: int) -> int:
        """The value under guards, which do nothing in the model."""
        while value > 1 and self._instruction(value).op == "guard":
            value = self._instruction(value).operands[0]
        return value

    def _add(self, value: int) -> None:
        instruction = self._instruction(value)
        if instruction.op == "guard":
            return
        types = self._program.types
        kind = self._type(instruction.dtype)
        operands = tuple(self._type(types[operand]) for operand in instruction.operands)
        source = types[instruction.operands[0]]
        names = instruction.operands
        if instruction.op == "convert" and {instruction.dtype, source} == {F32, F64}:
            code = TO_SINGLE
        elif instruction.op in _SWAPPED:
            code, names = _SWAPPED[instruction.op], names[::-1]
        else:
            signature = kind, operands
            if instruction.op == "select":  # the kernel takes either type
                signature = FLOAT, (BOOLEAN, FLOAT, FLOAT)
            found = code_of(instruction.op, *signature)
            if found is None:
                raise ConfigError(
                    f"scaffold {self.scaffold.name}: {instruction.op} of {instruction.dtype.short}"
                    " cannot stand behind the hole"
                )
            code = found
        places = [self._place(self._bare(operand)) for operand in names]
        padded = (*places, 0, 0, 0)
        item = Node(code, kind, padded[0], padded[1], padded[2])
        self._places[value] = len(self._suffix)
        self._suffix.append((item, instruction.dtype is F64))

    def _type(self, dtype: DType) -> int:
        if dtype not in _TYPES:
            raise ConfigError(
                f"scaffold {self.scaffold.name}: {dtype.short} cannot stand behind the hole"
            )
        return _TYPES[dtype]

    def _place(self, value: int) -> int:
        """A number that `_behind` resolves: given rows from 0, the hole -1, suffix nodes below."""
        if value == 1:
            return -1
        if value in self._places:
            return -2 - self._places[value]
        instruction = self._instruction(value) if value > 1 else None
        if instruction is not None and instruction.op == "const":
            item = constant_node(instruction, self._type(instruction.dtype))
            self._places[value] = len(self._suffix)
            self._suffix.append((item, instruction.dtype is F64))
            return -2 - self._places[value]
        if value not in self._given:
            self._type(self._program.types[value])
            self._given.append(value)
        return self._given.index(value)

    @property
    def given(self) -> int:
        """Number of rows that are computed before the hole."""
        return len(self._given)

    def tape(self, nodes: Nodes) -> Tape:
        """The hole and all behind it, contracted; only constants of the hole are free.

        What is contracted depends on operations and signs alone, so the tape of the same genome
        with other constants, which screening asks for next, differs in these.
        """
        form: list[object] = [
            item if item.code != CONST else (item.type, item.value < 0) for item in nodes
        ]
        if self._last is None or self._last[0] != form:
            self._last = form, self._made(nodes)
        made = self._last[1]
        constants = made.constants.copy()
        constants[: len(nodes)] = [item.value for item in nodes]
        return Tape(made.code, made.operands, constants, made.free)

    def _made(self, nodes: Nodes) -> Tape:
        first = self.given
        hole = [self._shift(item) for item in nodes]
        last = first + len(hole) - 1 if hole else 0
        suffix = self._behind(last, first + len(hole))
        both = (*hole, *suffix)
        whole = to_tape(contracted(both, self._given_ranks()) if self._contracts else both)
        wide = [self._wide] * len(hole) + [flag for _, flag in self._suffix]
        for index, (item, flag) in enumerate(zip((*hole, *suffix), wide, strict=True)):
            if flag and item.type == FLOAT:
                whole.code[index] += WIDE
        free = whole.free[whole.free < (0 if self._wide else len(hole))]
        return Tape(whole.code, whole.operands, whole.constants, free)

    def _given_ranks(self) -> list[int]:
        return [self._ranks[value] for value in self._given]

    def _behind(self, hole: int, start: int) -> list[Node]:
        """What is behind the hole that gives value `hole`, numbered from `start`."""

        def number(place: int) -> int:
            return place if place >= 0 else hole if place == -1 else start - 2 - place

        return [
            item
            if item.code == CONST
            else item._replace(a=number(item.a), b=number(item.b), c=number(item.c))
            for item, _ in self._suffix
        ]

    def _shift(self, item: Node) -> Node:
        """A node of a hole with its values numbered behind the given rows."""
        moved = [operand + self.given - 1 if operand else 0 for operand in (item.a, item.b, item.c)]
        return item if item.code == CONST else item._replace(a=moved[0], b=moved[1], c=moved[2])

    def rows(self, x: npt.NDArray[Any]) -> Floats:
        """What is given at inputs `x` of shape (points,), as float64 of shape (given, points)."""
        parameter = self._program.parameters[0]
        inputs = np.asarray(x, np.float64).astype(parameter.dtype.numpy)
        hole = np.zeros(inputs.size, self.scaffold.dtype.numpy)
        rows = np.empty((self.given, inputs.size))
        for row, program in enumerate(self._before):
            result = evaluate(program, inputs, hole, flush=self._flush)
            rows[row] = result.view(np.int32) if result.dtype == np.uint32 else result
        return rows

    def ideal(self, rows: Floats) -> Floats:
        """What the hole should give, shape (points,); each of its inputs is evaluated once."""
        inputs: list[float] = rows[0].tolist()
        missing = [r for r in dict.fromkeys(inputs) if r not in self._ideal]
        if missing:
            function = function_from_expression(self.scaffold.expression)
            self._ideal.update(zip(missing, function.f64(np.array(missing)).tolist(), strict=True))
        return np.array([self._ideal[r] for r in inputs])

    def run(self, rows: Floats, hole: Floats) -> Floats:
        """The function over the reals when the hole gives `hole`; both of shape (points,)."""
        first = self.given + 1
        suffix = self._behind(self.given, first)
        tape = to_tape(contracted(suffix, (*self._given_ranks(), 2)))
        values = np.empty((first + len(suffix), hole.size))
        values[:first] = np.concatenate([rows, hole[None]])
        forward(tape.code, tape.operands, tape.constants, values, False)
        return values[-1]

    def pool(self, target: Target, seed: int, size: int = _POOL) -> Points:
        """About `size` inputs where the hole matters, with the function's values and weights.

        Raises:
            ConfigError: the hole matters for no input of the target's domain.
        """
        random = np.random.default_rng(seed)
        drawn = self._drawn(target, random, int(_RANGE_SHARE * size))
        hard = sample_inputs(target, size - drawn.size, seed).astype(np.float64)
        x = np.unique(np.concatenate([drawn, hard]).astype(target.dtype.numpy))
        pool = self.select(target, x.astype(np.float64))
        if not pool.x.size:
            raise ConfigError(
                f"scaffold {self.scaffold.name}: its hole matters nowhere from {target.low:g} to"
                f" {target.high:g}; give a wider domain"
            )
        return pool.join(self.select(target, np.setdiff1d(self._ends(target, pool), pool.x)))

    def _drawn(self, target: Target, random: np.random.Generator, size: int) -> Floats:
        """About `size` numbers of the scaffold's ranges, as far as these are in the domain."""
        ends = [
            (max(low, target.low), min(high, target.high)) for low, high in self.scaffold.ranges
        ]
        met = [(low, high) for low, high in ends if low < high]
        count = size // max(1, len(met))
        return np.concatenate([np.empty(0), *(random.uniform(*end, count) for end in met)])

    def _ends(self, target: Target, pool: Points) -> Floats:
        """Inputs next to those that give the hole its least and greatest input, shape (points,).

        A fit is worst at the ends, and a few inputs alone meet them: of log1p, -1/4, where the
        exponent changes. Random ones stop short of these.
        """
        found: list[Floats] = []
        for sign in (-1.0, 1.0):
            extreme = np.sort(np.argsort(sign * pool.rows[0])[-_EXTREME:])
            groups = np.array_split(extreme, min(_GROUPS, extreme.size))
            found += [self._climb(target, pool.take(group), sign) for group in groups]
        return np.concatenate(found)

    def _climb(self, target: Target, points: Points, sign: float) -> Floats:
        """Goes from the point of the greatest `sign` times input of the hole to a greater one."""
        place = 0
        for _ in range(_CLIMBS):
            at = ordinal(float(points.x[np.argmax(sign * points.rows[0])]), target.dtype)
            if at == place:
                break
            place = at
            points = self.select(target, _beside(target, place, _STEPS))
        return _beside(target, place, _NEXT)

    def many(self, target: Target, seed: int, size: int) -> Points:
        """About `size` inputs of the scaffold's ranges that give the hole an input in its interval.

        Where the domain is beside all ranges they are of the domain.
        Unlike the pool they are not weighed by what the hole should give, which takes mpmath a
        thousand times as long as all the rest.
        """
        random = np.random.default_rng(seed)
        drawn = self._drawn(target, random, size)
        drawn = drawn if drawn.size else sample_inputs(target, size, seed)
        x = np.unique(drawn.astype(target.dtype.numpy)).astype(np.float64)
        points = make_points(target, x[self._is_normal(target, x)])
        rows = self.rows(points.x)
        inside = self._is_inside(rows[0])
        return Points(points.x, points.reference, points.weight, rows).take(inside)

    def _is_normal(self, target: Target, x: Floats) -> npt.NDArray[np.bool_]:
        """Where function and input are normal numbers."""
        least, overflow = 2.0**target.dtype.emin, 2.0 ** (target.dtype.emax + 1)
        size = np.abs(np.asarray(target.function.f64(x), np.float64))
        return (size >= least) & (size < overflow) & (np.abs(x) >= least)

    def _is_inside(self, r: Floats) -> npt.NDArray[np.bool_]:
        """Where an input of the hole is in its interval, or rounding has put it next to it."""
        low, high = self.scaffold.low, self.scaffold.high
        return (r >= low - _MARGIN * abs(low)) & (r <= high + _MARGIN * abs(high))

    def select(self, target: Target, x: Floats) -> Points:
        """Those of the inputs where function and input are normal and the hole matters."""
        points = make_points(target, x[self._is_normal(target, x)])
        rows = self.rows(points.x)
        matters = (self._sensitivity(points, rows) > _NEUTRAL) & self._is_inside(rows[0])
        return Points(points.x, points.reference, points.weight, rows).take(matters)

    def _sensitivity(self, points: Points, rows: Floats) -> Floats:
        """Units of error in the result for a relative error of the hole, times the hole's value."""
        ideal = self.ideal(rows)
        with np.errstate(all="ignore"):
            moved = self.run(rows, ideal * (1 + _STEP)) - self.run(rows, ideal)
            change = np.abs(moved) * points.weight / _STEP
        return np.where(np.isfinite(change), change, 0.0)

    def fit_points(self, pool: Points) -> Points:
        """Where the hole is fitted over the reals.

        For each part of its interval that is the input where an error of the hole counts most;
        weighted errors are in ULP of the whole function.
        """
        ideal = self.ideal(pool.rows)
        with np.errstate(all="ignore"):
            weight = self._sensitivity(pool, pool.rows) / np.abs(ideal)
        usable = np.isfinite(weight) & (weight > 0)
        r = pool.rows[0]
        low, high = self.scaffold.low, self.scaffold.high
        edges = (low + high) / 2 - (high - low) / 2 * np.cos(
            np.arange(FIT_POINTS + 1) / FIT_POINTS * np.pi
        )
        part = np.clip(np.searchsorted(edges, r, side="right") - 1, 0, FIT_POINTS - 1)
        chosen = [
            index[np.argmax(weight[index])]
            for number in range(FIT_POINTS)
            if (index := np.flatnonzero(usable & (part == number))).size
        ]
        chosen += [index for index in (np.argmin(r), np.argmax(r)) if usable[index]]
        at = np.unique(chosen)
        return Points(r[at], ideal[at], weight[at])

    def test_points(
        self, target: Target, pool: Points, count: int, near: Iterable[float] = ()
    ) -> Points:
        """Inputs that every promising candidate meets: a part of the pool, and known hard ones.

        That part has the inputs at both ends of the hole's interval.
        """
        order = np.argsort(pool.rows[0])
        ends = [order[:_END_TESTS], order[-_END_TESTS:]]
        chosen = np.random.default_rng(0).permutation(pool.x.size)[:count]
        known = pool.take(np.unique(np.concatenate([chosen, *ends])))
        return known.join(self.select(target, np.setdiff1d(np.fromiter(near, np.float64), known.x)))


def _beside(target: Target, place: int, steps: npt.NDArray[np.int64]) -> Floats:
    """The inputs of the domain at some distances, in places of the format, from one of them."""
    ends = ordinal(target.low, target.dtype), ordinal(target.high, target.dtype)
    places = np.unique(np.clip(place + steps, *ends))
    return from_ordinal(places, target.dtype).astype(np.float64)


def _program_ranks(program: Program) -> list[int]:
    """Ranks as LLVM's Reassociate pass gives them, see `genome.contracted`; guards have none."""
    ranks = [1] * len(program.parameters)
    for number, instruction in enumerate(program.body):
        deepest = max((ranks[operand] for operand in instruction.operands), default=-1)
        if instruction.op == "const":
            ranks.append(0)
        elif instruction.op == "div":
            ranks.append(DIVISION + number)
        else:
            ranks.append(deepest + (instruction.op not in ("neg", "guard")))
    return ranks
