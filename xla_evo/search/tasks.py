"""What a worker process does: screen, compile, time and prove. Runs where JAX may crash or hang.

Jobs are methods of `Tasks`; their arguments and results are plain data that can be pickled. A
worker keeps what it compiled, so that timing needs no second compilation.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xla_evo.accuracy.inputs import sample_inputs
from xla_evo.accuracy.kernels import compute_errors, format_constants
from xla_evo.scaffolds import scaffold as find_scaffold
from xla_evo.search.frame import Frame
from xla_evo.search.genome import Nodes
from xla_evo.search.points import (
    Points,
    around,
    fit_points,
    format_points,
    sample_size,
)
from xla_evo.search.screen import Screened, improve, improve_afresh, screen_batch
from xla_evo.targets.target import Target

if TYPE_CHECKING:
    from xla_evo.accuracy.measurement import ErrorMeasurement
    from xla_evo.proof import Examination

Report = Callable[[int, int], None]
_KEPT = 256
_WORST = 64
"""From how many of the worst inputs of a sample those next to them are taken."""
_AFRESH = 8
"""Sets of inputs that polishing meets one after the other."""
_CHECKED = 16
"""How many times the test points there are to check at; a scaffold has its pool."""
NANOSECONDS = "ns an element"


@dataclass(frozen=True, slots=True)
class Compiled:
    """What compiling and running one program gave.

    Attributes:
        code_hash: identity of the machine code of the timing loop.
        ulp: largest error of the compiled program over the sample.
        worst: input with that error.
        blobs: stage name to bytes.
        others: further inputs with large errors, the largest first.
    """

    code_hash: str
    ulp: float
    worst: float
    blobs: dict[str, bytes]
    others: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Timed:
    """Time of a candidate, of the built-in and of the loop's floor, one sample a round, in turn.

    Where nothing can be timed they hold one static cost each, and no floor.
    """

    candidate: tuple[float, ...]
    builtin: tuple[float, ...]
    floor: tuple[float, ...]
    elements: int
    unit: str = NANOSECONDS


_STORED_STAGES = ("stablehlo", "optimized", "object")


class Tasks:
    """The state of one worker.

    Args:
        target: what is sought.
        goal_ulp: polishing below this is of no use.
        test_count: inputs that every promising candidate meets.
        seed: of samples.
        scaffold: name of the scaffold whose hole genomes fill; empty when they are whole programs.
        contracts: whether the backend makes one operation of a*b + c.
        flush: whether it reads and writes subnormal numbers as zero.
    """

    def __init__(
        self, target: Target, goal_ulp: float, test_count: int, seed: int, scaffold: str = "",
        *, contracts: bool = True, flush: bool = True,
    ) -> None:  # fmt: skip
        self._contracts = contracts
        self._target = target
        self._seed = seed
        self._goal = goal_ulp
        self._size = sample_size(target)
        self._hard: tuple[float, ...] = ()
        self._frame: Frame | None = None
        if scaffold:
            frame = Frame(find_scaffold(scaffold), contracts=contracts, flush=flush)
            pool = frame.pool(target, seed)
            self._frame, self._fit_at, self._check_at = frame, frame.fit_points(pool), pool
            self._test_points = partial(frame.test_points, target, pool, test_count)
        else:
            self._fit_at = fit_points(target)
            self._check_at = format_points(target, _CHECKED * test_count, seed)
            self._test_points = partial(format_points, target, test_count, seed)
        self._test_at = self._test_points(())
        self._many: dict[int, Points] = {}
        self._loops: OrderedDict[str, Callable[..., Any]] = OrderedDict()
        self._sample: tuple[npt.NDArray[Any], npt.NDArray[np.float64]] | None = None

    def screen(
        self, batch: Sequence[tuple[Nodes, tuple[float, float], int]], hard_points: Sequence[float]
    ) -> tuple[list[Screened | None], dict[str, int]]:
        """Screens genomes; `hard_points` join the test points."""
        return screen_batch(
            batch, self._fit_at, self._tests(hard_points), self._goal, self._frame,
            contracts=self._contracts, check_at=self._check_at,
        )  # fmt: skip

    def refine(
        self, nodes: Nodes, rounded: Nodes, seed: int, tries: int, hard_points: Sequence[float]
    ) -> tuple[Nodes, float]:
        """Polishes for longer, from the fit and from the present constants; the better result."""
        tests = self._tests(hard_points)
        results = [
            improve_afresh(
                start, tests, self._afresh, tries, self._goal, seed, self._frame,
                contracts=self._contracts,
            )
            for start in (rounded, nodes)
        ]  # fmt: skip
        return min(results, key=lambda result: result[1])

    def _afresh(self, number: int) -> Points:
        """One of a few large sets of inputs, made when first asked for."""
        number %= _AFRESH
        if number not in self._many:
            seed = self._seed + 1 + number
            if self._frame is None:
                made = format_points(self._target, self._size.fresh, seed)
            else:
                made = self._frame.many(self._target, seed, self._size.fresh)
            self._many[number] = made
        return self._many[number]

    def retest(self, genomes: Sequence[Nodes], hard_points: Sequence[float]) -> list[float]:
        """Largest errors of rounded genomes at the test points that are known now."""
        tests = self._tests(hard_points)
        return [
            improve(nodes, tests, 0, self._goal, 0, self._frame, contracts=self._contracts)[1]
            for nodes in genomes
        ]

    def _tests(self, hard_points: Sequence[float]) -> Points:
        """The test points with the known hard points among them."""
        if tuple(hard_points) != self._hard:
            self._hard = tuple(hard_points)
            self._test_at = self._test_points(self._hard)
        return self._test_at

    def compile(self, name: str, text: str) -> Compiled:
        """Compiles a program's timing loop, keeps it, and measures its error on a sample."""
        from xla_evo_lowering.compile import SINGLE_THREAD, compile_stages
        from xla_evo_lowering.stablehlo import as_function
        from xla_evo_lowering.text import parse_program
        from xla_evo_lowering.timing import loop, loop_specs

        function = as_function(parse_program(text, source=name))
        stages = compile_stages(loop(function), loop_specs(self._target.dtype), SINGLE_THREAD)
        self._keep(name, stages.call)
        inputs, reference = self._inputs()
        ulp, worst, hard = self._errors(stages.call, inputs, reference)
        shape = self._size.near_rows, inputs.shape[1]
        most = min(self._size.near_most, shape[0] * shape[1])
        near = np.resize(around(hard, most, self._target), shape)
        reference = self._reference(near.reshape(-1))
        near_ulp, near_worst, _ = self._errors(stages.call, near, reference)
        if near_ulp > ulp:
            ulp, worst = near_ulp, near_worst
        kept = {stage: stages.texts[stage] for stage in _STORED_STAGES}
        return Compiled(stages.code_hash, ulp, worst, kept)

    def _errors(
        self, call: Callable[..., Any], inputs: npt.NDArray[Any], reference: npt.NDArray[np.float64]
    ) -> tuple[float, float, npt.NDArray[Any]]:
        """Largest error of a compiled loop, its input, and the inputs of the largest errors."""
        results = [np.asarray(call(np.stack([rows, rows]), np.int32(1))) for rows in inputs]
        form = format_constants(self._target.dtype, flush_to_zero=True)
        errors = compute_errors(np.concatenate(results), reference.reshape(-1), form)
        errors = np.where(np.isnan(errors), np.inf, errors)
        flat = inputs.reshape(-1)
        order = np.argpartition(-errors, _WORST)[:_WORST]
        worst = int(np.argmax(errors))
        return float(errors[worst]), float(flat[worst]), flat[order]

    def race(self, texts: dict[str, str], rounds: int) -> dict[str, Timed]:
        """Times several programs, the built-in and the floor all in turn, so that they compare."""
        from xla_evo_lowering.timing import time_loops

        loops = [self._loop(name, text) for name, text in texts.items()]
        fixed = [self._loop("floor"), self._loop("built-in")]
        timings = time_loops([*fixed, *loops], self._inputs()[0][:2], rounds=rounds)
        floor, builtin = (timing.samples_ns for timing in timings[:2])
        return {
            name: Timed(timing.samples_ns, builtin, floor, timing.elements)
            for name, timing in zip(texts, timings[2:], strict=True)
        }

    def _loop(self, name: str, text: str = "") -> Callable[..., Any]:
        """The compiled timing loop of a program, of the built-in or of the floor."""
        from xla_evo_lowering.stablehlo import as_function
        from xla_evo_lowering.text import parse_program
        from xla_evo_lowering.timing import compile_loop, floor_function

        if name not in self._loops:
            if name == "floor":
                function = floor_function
            elif name == "built-in":
                function = self._builtin()
            else:
                function = as_function(parse_program(text, source=name))
            self._keep(name, compile_loop(function, self._target.dtype))
        return self._loops[name]

    def prove(self, text: str, limit_ulp: float, report: Report) -> "ErrorMeasurement":
        """Sweeps every input of the domain; ends early when an error is above the limit."""
        from xla_evo.proof import sweep
        from xla_evo_lowering.text import parse_program

        return sweep(parse_program(text), self._target, limit_ulp=limit_ulp, report=report)

    def specials(self, text: str, max_ulp: float) -> tuple[str, ...]:
        """Checks special inputs alone; a line for each wrong result."""
        from xla_evo.proof import failed_specials
        from xla_evo_lowering.text import parse_program

        return failed_specials(parse_program(text), self._target, max_ulp=max_ulp)

    def examine(self, text: str, max_ulp: float) -> "Examination":
        """Checks special inputs and array lengths."""
        from xla_evo.proof import examine
        from xla_evo_lowering.text import parse_program

        return examine(parse_program(text), self._target, max_ulp=max_ulp)

    def prove_builtin(self, report: Report) -> "ErrorMeasurement":
        """Sweeps the built-in over every input of the domain."""
        from xla_evo.proof import sweep

        return sweep(self._builtin(), self._target, report=report)

    def _builtin(self) -> Callable[..., Any]:
        """What candidates are timed against; the loop's floor where JAX has no such function."""
        from xla_evo_lowering.timing import floor_function

        function = self._target.function
        return function.builtin_function() if function.builtin else floor_function

    def _keep(self, name: str, loop: Callable[..., Any]) -> None:
        self._loops[name] = loop
        while len(self._loops) > _KEPT:
            self._loops.pop(next(key for key in self._loops if key not in ("built-in", "floor")))

    def _inputs(self) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
        """Inputs of the compiled sample, shape (rows, elements), and their references.

        Uniform values come first: the timing loop runs on the first two rows, and the built-in's
        speed may depend on where its inputs lie.
        """
        if self._sample is None:
            from xla_evo.library.times import timed_range
            from xla_evo_lowering.timing import ELEMENTS

            target = self._target
            random = np.random.default_rng(self._seed)
            low, high = target.low, target.high
            if not np.isfinite([low, high]).all():
                low, high = timed_range(target.function.name)
            uniform = random.uniform(low, high, 2 * ELEMENTS)
            uniform = uniform.astype(target.dtype.numpy)
            hard_count = self._size.hard_rows * ELEMENTS
            hard = sample_inputs(target, hard_count, self._seed)
            # A subnormal input may be read as zero; the sweep takes either reading, this does not.
            hard = hard[(np.abs(hard) >= 2.0**target.dtype.emin) | (hard == 0)]
            hard = np.resize(hard, hard_count)
            ranges = ((low, high),) if self._frame is None else self._frame.scaffold.ranges
            more = [
                random.uniform(*ranges[row % len(ranges)], ELEMENTS).astype(target.dtype.numpy)
                for row in range(self._size.uniform_rows)
            ]
            inputs = np.concatenate([uniform, *more]).clip(target.low, target.high)
            inputs = np.concatenate([inputs, hard])
            self._sample = inputs.reshape(-1, ELEMENTS), self._reference(inputs)
        return self._sample

    def _reference(self, inputs: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """References of inputs, shape (n,); of an expression, which is slow, each number's once."""
        function = self._target.function
        if function.expression is None:
            return np.asarray(function.f64(inputs.astype(np.float64)), np.float64)
        bits, places = np.unique(inputs.view(np.uint32), return_inverse=True)
        distinct = bits.view(inputs.dtype).astype(np.float64)
        return np.asarray(function.f64(distinct), np.float64)[places]
