"""What one program is worth on one backend: its cost there, and its error there.

On this machine's CPU programs have certificates and are timed in turn. For a backend that is not
here the cost is static and the error comes from the model of its arithmetic, on a sample and then,
where that holds the bound, on every bit pattern. Everything is kept in the store.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xla_evo.accuracy.generated import generated
from xla_evo.accuracy.specials import check_specials
from xla_evo.accuracy.sweep import measure_exhaustive, measure_sampled
from xla_evo.errors import BackendError, CompileError
from xla_evo.library.certificate import Proof
from xla_evo.library.choice import best_proof
from xla_evo.library.loader import Entry
from xla_evo.library.modelled import device_proof
from xla_evo.library.times import timed_range
from xla_evo.search.keys import MODELLED
from xla_evo.store import Key, Store
from xla_evo.targets.builtins import builtins_of
from xla_evo.targets.target import Target, make_target
from xla_evo_lowering import timing
from xla_evo_lowering.ahead import AheadOfTime
from xla_evo_lowering.backends import Backend, fingerprint
from xla_evo_lowering.canonical import content_hash
from xla_evo_lowering.costs import cost_and_model, static_cost
from xla_evo_lowering.program import Program
from xla_evo_lowering.stablehlo import as_function

_SAMPLES, _SWEPT_AT_ONCE = 1 << 18, 1 << 23
_ROUNDS, _LINE = 21, 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """A program on a backend.

    Attributes:
        name: of the program, for tables.
        program: its content hash; the built-in's name for a built-in.
        cost: less is faster; None where it cannot be had.
        unit: of the cost.
        max_ulp: largest error known, None where nothing is known.
        known: how: ``certified``, ``modelled`` (every bit pattern), ``modelled, sampled`` or empty.
        problem: why it cannot be used there; empty when it can.
    """

    name: str
    program: str
    cost: float | None
    unit: str
    max_ulp: float | None
    known: str
    problem: str

    def within(self, max_ulp: float) -> bool:
        """Whether it can be used there and no error above the bound is known."""
        error = self.max_ulp
        return not self.problem and self.cost is not None and error is not None and error <= max_ulp

    def holds(self, max_ulp: float) -> bool:
        """Whether it may be chosen for a bound: every bit pattern is within it."""
        return self.within(max_ulp) and self.known in ("certified", "modelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A program that may be chosen.

    Attributes:
        name: for tables.
        program: the program.
        entry: of the library, None for one that is not certified.
    """

    name: str
    program: Program
    entry: Entry | None = None

    @property
    def hash(self) -> str:
        """Content hash of the program."""
        return content_hash(self.program)

    @property
    def origin(self) -> str:
        """Where the program came from, as its certificate says."""
        return self.entry.certificate.provenance.kind if self.entry else "found by tune"


def assess_here(
    target: Target, contenders: Sequence[Contender], row: Backend
) -> tuple[list[Assessment], list[Assessment]]:
    """Times certified programs and the built-in in turn on this machine.

    Args:
        target: the function over its whole domain.
        contenders: the programs; those without a certificate for this machine are not timed.
        row: the live backend.

    Returns:
        Assessments of the programs and of the built-ins, costs in nanoseconds an element.
    """
    live = fingerprint(row)
    proofs = [
        best_proof(item.entry, "inline", row.name, live) if item.entry else (None, False)
        for item in contenders
    ]
    builtins = builtins_of(target)
    low, high = timed_range(target.function.name)
    random = np.random.default_rng(0)
    xs = random.uniform(low, high, (timing.ROWS, timing.ELEMENTS)).astype(target.dtype.numpy)
    functions = [
        *builtins.values(),
        *(as_function(item.program) for item, (proof, _) in zip(contenders, proofs, strict=True)
          if proof is not None),
    ]  # fmt: skip
    loops = [timing.compile_loop(function, target.dtype) for function in functions]
    times = iter(timing.time_loops(loops, xs, rounds=_ROUNDS))
    unit = "ns an element"
    own = [
        Assessment(
            name=name, program=name, cost=next(times).best_ns, unit=unit, max_ulp=None, known="",
            problem="",
        )
        for name in builtins
    ]  # fmt: skip
    found = [
        Assessment(
            name=item.name, program=item.hash, unit=unit,
            cost=next(times).best_ns if proof else None,
            max_ulp=proof.max_ulp if proof else None,
            known="certified" if proof and proof.measurement.exhaustive else "",
            problem="" if proof else "not certified there",
        )
        for item, (proof, _) in zip(contenders, proofs, strict=True)
    ]  # fmt: skip
    return found, own


def assess_ahead(
    target: Target,
    contenders: Sequence[Contender],
    row: Backend,
    max_ulp: float,
    store: Store,
    report: Callable[[str], None] = lambda line: None,
) -> tuple[list[Assessment], list[Assessment]]:
    """Costs and models programs for a backend that is not here; see `assess_here`.

    Raises:
        BackendError: the backend's plugin is missing or does not start.
    """
    process: list[AheadOfTime] = []
    proofs = [device_proof(item.entry, row) for item in contenders if item.entry]
    # What costs no less than a program that is known to hold is not worth a sweep.
    enough = min(
        (one.cost.value for one in proofs if one and one.cost and one.max_ulp <= max_ulp),
        default=math.inf,
    )

    def compiler() -> AheadOfTime:
        if not process:
            process.append(AheadOfTime(row))
        return process[0]

    try:
        own = [
            _builtin(target, name, function, row, compiler, store)
            for name, function in builtins_of(target).items()
        ]
        found = [
            _modelled(target, item, row, max_ulp, enough, compiler, store, report)
            for item in contenders
        ]
    finally:
        for one in process:
            one.close()
    return found, own


_NOTHING: Mapping[str, Any] = {
    "cost": None, "unit": "", "max_ulp": None, "known": "", "problem": "",
}  # fmt: skip


def _key(target: Target, row: Backend, program: str) -> Key:
    return Key.of(
        "assessment", form=MODELLED, program=program, function=target.function.name,
        dtype=target.dtype.name,
        domain=f"{target.low.hex()} {target.high.hex()}", **fingerprint(row),
    )  # fmt: skip


def _assessment(name: str, program: str, value: Mapping[str, Any]) -> Assessment:
    cost, error = value["cost"], value["max_ulp"]
    return Assessment(
        name=name, program=program, cost=None if cost is None else float(cost),
        unit=str(value["unit"]), max_ulp=None if error is None else float(error),
        known=str(value["known"]), problem=str(value["problem"]),
    )  # fmt: skip


def _builtin(
    target: Target, name: str, function: Any, row: Backend,
    compiler: Callable[[], AheadOfTime], store: Store,
) -> Assessment:  # fmt: skip
    key = _key(target, row, name)
    entry = store.get(key)
    if entry is not None:
        return _assessment(name, name, entry.value)
    value = dict(_NOTHING)
    try:
        cost = static_cost(row, function, (target.dtype,), compiler())
        value.update(cost=cost.value, unit=cost.unit)
    except (BackendError, CompileError) as error:
        value["problem"] = str(error)[:_LINE]
    store.put(key, value)
    return _assessment(name, name, value)


def _modelled(
    target: Target, item: Contender, row: Backend, max_ulp: float, enough: float,
    compiler: Callable[[], AheadOfTime], store: Store, report: Callable[[str], None],
) -> Assessment:  # fmt: skip
    proof = device_proof(item.entry, row) if item.entry else None
    if proof is not None and proof.cost is not None:
        return Assessment(
            name=item.name, program=item.hash, cost=proof.cost.value, unit=proof.cost.unit,
            max_ulp=proof.max_ulp, known=_known(proof), problem="",
        )  # fmt: skip
    missing = {dtype.name for dtype in item.program.types if dtype.is_float} - {
        dtype.name for dtype in row.formats
    }
    if missing:
        problem = f"it computes in {', '.join(sorted(missing))}, which is not there"
        return _assessment(item.name, item.hash, {**_NOTHING, "problem": problem})
    key = _key(target, row, item.hash)
    entry = store.get(key)
    if entry is not None:
        kept = _assessment(item.name, item.hash, entry.value)
        # A sample that holds a wider bound than before has still to be swept.
        sampled = (kept.max_ulp or 0.0) <= max_ulp and (kept.cost or 0.0) < enough
        if kept.problem or kept.known == "modelled" or not sampled:
            return kept
    value = dict(_NOTHING)
    try:
        function = as_function(item.program)
        cost, model = cost_and_model(row, function, (target.dtype,), compiler())
    except (BackendError, CompileError) as error:
        value["problem"] = str(error)[:_LINE]
    else:
        value.update(cost=cost.value, unit=cost.unit)
        worth = cost.value < enough
        value.update(_error(target, generated(model), row, max_ulp, report, item.name, worth))
    store.put(key, value)
    return _assessment(item.name, item.hash, value)


def _known(proof: Proof) -> str:
    how = "modelled" if proof.modelled else "certified"
    return how if proof.measurement.exhaustive else f"{how}, sampled"


def _error(
    target: Target, run: Any, row: Backend, max_ulp: float, report: Callable[[str], None],
    name: str, worth: bool,
) -> dict[str, Any]:  # fmt: skip
    flush = row.flushes(target.dtype)
    failures = check_specials(
        run, target.function, target.dtype, target.low, target.high, flush_to_zero=flush
    )
    if failures:
        return {"problem": f"a special input is wrong: {failures[0]}"}
    if target.count() > _SWEPT_AT_ONCE:
        sampled = measure_sampled(run, target, flush_to_zero=flush, samples=_SAMPLES)
        if sampled.max_ulp > max_ulp or not worth:
            return {"max_ulp": _finite(sampled.max_ulp), "known": "modelled, sampled"}
        report(f"{name} for {row.name}: modelling every input")
    whole = make_target(target.function.name, target.dtype.name)
    every = (target.low, target.high) == (whole.low, whole.high)
    swept = measure_exhaustive(
        run, target, flush_to_zero=flush, every_pattern=every, limit_ulp=max_ulp
    )
    if not swept.exhaustive:
        return {"max_ulp": _finite(swept.max_ulp), "known": "modelled, sampled"}
    return {"max_ulp": _finite(swept.bound_ulp), "known": "modelled"}


def _finite(error: float) -> float:
    """An error as JSON has it; wrong infinities and nan are beyond every bound."""
    return error if math.isfinite(error) else 1e300
