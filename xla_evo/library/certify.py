"""Makes certificates: compiles a program, sweeps every input, and writes down what was found."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import jax
import jaxlib.version
import numpy as np

from xla_evo.accuracy.directed import measure_directed, measure_pairs
from xla_evo.accuracy.lengths import DEFAULT_LENGTHS, check_length_invariance
from xla_evo.accuracy.measurement import ErrorMeasurement
from xla_evo.accuracy.results import outside
from xla_evo.accuracy.specials import check_specials, special_inputs
from xla_evo.accuracy.sweep import (
    Watch,
    measure_exhaustive,
    measure_exhaustive_together,
    measure_inputs,
    measure_sampled,
    sample_pairs,
)
from xla_evo.errors import XlaEvoError
from xla_evo.library.branching import changed_by_branch
from xla_evo.library.certificate import (
    Certificate,
    Lowering,
    Proof,
    Provenance,
    code_fingerprint,
    machine_identity,
)
from xla_evo.library.contexts import changed_beside, measure_contexts
from xla_evo.library.loader import Entry, program_text, text_hash
from xla_evo.library.times import time_ratio
from xla_evo.targets.target import Target, make_target
from xla_evo_lowering.backends import backend as backend_row
from xla_evo_lowering.backends import fingerprint
from xla_evo_lowering.canonical import canonical, content_hash
from xla_evo_lowering.compile import SINGLE_THREAD, Executable
from xla_evo_lowering.compile import Function as Graph
from xla_evo_lowering.dtypes import F64
from xla_evo_lowering.program import Program
from xla_evo_lowering.stablehlo import as_function

DOOR_SAMPLES = 1 << 20
"""Inputs that a program is checked on where it was not certified, see `integration.door`."""
_SAMPLES = 1 << 24
_BUILTIN_SAMPLES = 1 << 22
_BINADE_SAMPLES = 1 << 20


class CertificationError(XlaEvoError, RuntimeError):
    """A program does not have the property that was to be certified."""


def certify(
    program: Program,
    function: str,
    dtype: str = "float32",
    *,
    provenance: Provenance,
    max_ulp: float | None = None,
    time: bool = True,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Entry:
    """Compiles a program for the live CPU, measures it over its whole domain and returns an entry.

    Every bit pattern of the format is met for functions of one argument and at most 32 bits; a
    program of float64 or two arguments is sampled, its worst inputs searched around, and its
    certificate says so.

    Args:
        program: takes and gives the format.
        function: name in the catalogue.
        dtype: the format.
        provenance: where the program came from.
        max_ulp: give up as soon as an error is certainly above it.
        time: also time it against the built-in.
        threads: of the sweep; one per processor when left out.
        progress: called with (inputs done, inputs in all).

    Raises:
        CertificationError: a special value is wrong, a result depends on the array's length, on
            what else is in it or on a subtraction that follows, one lies outside those of the
            function, or an error is above `max_ulp`.
        TargetError: there is no such function.
        CompileError: XLA refused it.
    """
    target = make_target(function, dtype)
    form = canonical(program)
    builtin_max = _builtin_error(target)
    proof = prove(
        form, target, "inline", as_function(form),
        max_ulp=max_ulp, time=time, threads=threads, progress=progress,
    )  # fmt: skip
    certificate = Certificate(
        program_hash=content_hash(form),
        text_hash=text_hash(program_text(form)),
        function=function,
        dtype=target.dtype.name,
        low=target.low,
        high=target.high,
        provenance=provenance,
        proofs=(proof,),
        builtin_max_ulp=builtin_max,
        versions={
            "jax": jax.__version__,
            "jaxlib": jaxlib.version.__version__,
            "xla-evo": version("xla-evo"),
        },
    )
    return Entry(form, certificate)


def is_swept(target: Target) -> bool:
    """Whether all inputs of a target are measured."""
    return target.dtype.bits <= 32 and target.function.arity == 1


def prove(
    program: Program,
    target: Target,
    lowering: Lowering,
    graph: Graph,
    *,
    max_ulp: float | None = None,
    time: bool = True,
    contexts: bool = True,
    measurement: ErrorMeasurement | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Proof:
    """Measures one compiled form of a program and returns what was found.

    A sweep shares its inputs out over threads, so that XLA is kept from sharing out each call too;
    at many lengths the program gives the same bits either way.

    Args:
        program: the program.
        target: what it computes.
        lowering: how ``graph`` computes it.
        graph: the program as a function of JAX arrays.
        max_ulp: give up as soon as an error is certainly above it.
        time: also time it against the built-in.
        contexts: also measure it in `xla_evo.library.contexts`, where it takes one argument, and
            demand there the result that it has alone.
        measurement: of the whole domain, if it was made of ``graph`` just now.
        threads: of the sweep.
        progress: called with (inputs done, inputs in all).

    Raises:
        CertificationError: as `certify`.
    """
    row = backend_row("cpu")
    types = [parameter.dtype for parameter in program.parameters]
    run = Executable(graph, types)
    flush = backend_row("cpu").flushes(target.dtype)
    _check_specials(run, target, flush_to_zero=flush)
    contexts = contexts and target.function.arity == 1
    changed = changed_beside(graph, target) if contexts else ""
    if changed:
        raise CertificationError(
            f"{target.describe()}: {changed}: the product that the program ends in is contracted"
            " into what follows; end it in another operation, such as a max with a constant below"
            " all results"
        )
    changed = changed_by_branch(program, graph, target) if lowering == "inline" else ""
    if changed:
        raise CertificationError(f"{target.describe()}: {changed}")
    # Measuring in contexts keeps one core busy, and so does compiling for many lengths.
    with ThreadPoolExecutor(1) as pool:
        measured = contexts and pool.submit(measure_contexts, graph, target, flush_to_zero=flush)
        violation = check_length_invariance(run, target, each=run.each)
    if violation is not None:
        raise CertificationError(f"{target.describe()}: {violation}")
    if measurement is None:
        alone = Executable(graph, types, SINGLE_THREAD)
        measurement = measure_domain(
            alone, target,
            flush_to_zero=flush, max_ulp=max_ulp, threads=threads, progress=progress,
        )  # fmt: skip
    if max_ulp is not None and measurement.bound_ulp > max_ulp:
        raise CertificationError(
            f"{target.describe()}: {measurement.max_ulp:.4g} ULP at {measurement.worst_input_hex},"
            f" more than {max_ulp:g}"
        )
    return Proof(
        lowering=lowering,
        fingerprint=code_fingerprint(program, lowering, fingerprint(row)),
        measurement=measurement,
        specials_checked=len(
            special_inputs(target.function, target.dtype, target.low, target.high)
        ),
        lengths_checked=len(DEFAULT_LENGTHS),
        contexts=measured.result() if measured else {},
        times=(time_ratio(graph, target),) if time else (),
    )


def measure_domain(
    run: Callable[..., Any],
    target: Target,
    *,
    flush_to_zero: bool,
    max_ulp: float | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ErrorMeasurement:
    """Measures a function over its whole domain, as `certify` says, every input where it can be.

    Args:
        run: takes and gives arrays, safe to call from several threads.
        target: what it computes.
        flush_to_zero: whether subnormal numbers are read and written as zeros.
        max_ulp: give up as soon as an error is certainly above it.
        threads: of the sweep.
        progress: called with (inputs done, inputs in all).

    Raises:
        CertificationError: a result lies outside those of the function.
    """
    beyond: list[str] = []

    def watched(*inputs: Any) -> Any:
        results = run(*inputs)
        if target.function.arity == 1 and not beyond:
            problem = outside(target.function, inputs[0], np.asarray(results))
            beyond.extend([problem] if problem else [])
        return results

    flush = flush_to_zero
    if is_swept(target):
        found = measure_exhaustive(
            watched, target, flush_to_zero=flush, threads=threads, limit_ulp=max_ulp,
            progress=progress, every_pattern=True,
        )  # fmt: skip
    elif target.dtype is F64 and target.function.pair is not None:
        found = measure_directed(
            watched, target, flush_to_zero=flush, threads=threads, progress=progress
        )
    elif target.function.arity == 1:
        found = measure_sampled(watched, target, flush_to_zero=flush, samples=_SAMPLES)
    else:
        # What the door will sample elsewhere is part of what is certified.
        first, second = zip(
            *(sample_pairs(target, n) for n in (_SAMPLES, DOOR_SAMPLES)), strict=True
        )
        pair = np.concatenate(first), np.concatenate(second)
        found = measure_pairs(watched, target, pair, flush_to_zero=flush, threads=threads)
    if beyond:
        raise CertificationError(f"{target.describe()}: {beyond[0]}")
    return found


def sweep_together(
    entries: Sequence[Entry],
    *,
    others: Mapping[str, Graph] | None = None,
    threads: int | None = None,
    watch: Watch | None = None,
) -> dict[str, ErrorMeasurement]:
    """Measures the inlined programs of one function and format in one pass over all inputs.

    Args:
        entries: what ships, of one function and format.
        others: further functions to measure, by names of their own; they come after the programs.
        threads: of the sweep.
        watch: as for `measure_exhaustive_together`.

    Returns:
        Name of an entry, or of another function, to its measurement, which says its share of the
        time; empty where the inputs are too many to measure all.
    """
    if not entries:
        return {}
    target = make_target(entries[0].function, entries[0].dtype)
    if not is_swept(target):
        return {}
    graphs = [(entry.name, as_function(entry.program)) for entry in entries]
    graphs += (others or {}).items()
    found = measure_exhaustive_together(
        [Executable(graph, [target.dtype], SINGLE_THREAD) for _, graph in graphs], target,
        flush_to_zero=backend_row("cpu").flushes(target.dtype), every_pattern=True, threads=threads,
        watch=watch,
    )  # fmt: skip
    return {
        name: replace(one, seconds=one.seconds / len(found))
        for (name, _), one in zip(graphs, found, strict=True)
    }


def add_proof(entry: Entry, proof: Proof) -> Entry:
    """Returns an entry with a proof added, in the place of an older one of the same machine.

    Code of the same machine that an older source of a custom call gave is replaced too. Times of
    the very same code on other processors are kept, and on this one where the proof has none.
    """
    proofs = entry.certificate.proofs
    for other in proofs:
        same = machine_identity(other.fingerprint) == machine_identity(proof.fingerprint)
        if same and other.lowering == proof.lowering:
            proof = replace(proof, times=other.with_times(proof.times).times)
    older = [
        other.lowering == proof.lowering
        and _without_source(other.fingerprint) == _without_source(proof.fingerprint)
        for other in proofs
    ]
    place = older.index(True) if any(older) else len(older)
    after = [other for other, old in zip(proofs, older, strict=True) if not old][place:]
    proofs = (*proofs[:place], proof, *after)
    return Entry(entry.program, replace(entry.certificate, proofs=proofs))


def _without_source(fingerprint: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return machine_identity({**fingerprint, "native": ""})


def _check_specials(run: Executable, target: Target, *, flush_to_zero: bool) -> None:
    failures = check_specials(
        run, target.function, target.dtype, target.low, target.high, flush_to_zero=flush_to_zero
    )
    if failures:
        raise CertificationError(f"{target.describe()}: {failures[0]}")


def _builtin_error(target: Target) -> float | None:
    if not target.function.builtin:
        return None
    run = Executable(target.function.builtin_function(), [target.dtype] * target.function.arity)
    flush = backend_row("cpu").flushes(target.dtype)
    found = measure_sampled(run, target, flush_to_zero=flush, samples=_BUILTIN_SAMPLES)
    worst = found.max_ulp
    if target.dtype.bits == 32 and target.function.arity == 1 and np.isfinite(worst):
        inputs = _binades_of([point.input for point in found.worst_inputs], target)
        worst = max(worst, measure_inputs(run, target, inputs, flush_to_zero=flush).max_ulp)
    return worst if np.isfinite(worst) else None


def _binades_of(points: Sequence[object], target: Target) -> np.ndarray[Any, Any]:
    """Inputs of the binades of the worst points: a sample of all binades is thin in each.

    Of tanh, say, such a sample showed 4.12 ULP, where all inputs give 4.90.
    """
    found = np.array([point for point in points if isinstance(point, float)], np.float32)
    binades = np.unique(found.view(np.uint32) >> 23)
    fractions = np.random.default_rng(0).integers(0, 1 << 23, _BINADE_SAMPLES, np.uint32)
    inputs = ((binades[:, None] << 23) | fractions).ravel().view(np.float32)
    return inputs[(inputs >= target.low) & (inputs <= target.high)]
