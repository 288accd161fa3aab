"""Certificates for devices that are not here, and their way to measured ones.

A program is compiled ahead of time, its compiled form evaluated on this CPU in the device's
arithmetic (`xla_evo_lowering.device_model`), over every input where `certify` meets every one, and
costed. Such a proof is marked modelled;
`use` does not follow it. On a machine with the device `certify_on_device` measures the same
program there, and what comes of it is followed.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import jax
import jaxlib.version

from xla_evo.accuracy.generated import generated
from xla_evo.accuracy.lengths import DEFAULT_LENGTHS
from xla_evo.accuracy.measurement import ErrorMeasurement
from xla_evo.accuracy.results import outside
from xla_evo.accuracy.specials import check_specials, special_inputs
from xla_evo.accuracy.sweep import measure_exhaustive_together, measure_sampled
from xla_evo.library.certificate import (
    Certificate,
    Proof,
    Provenance,
    StaticComparison,
    machine_identity,
)
from xla_evo.library.certify import CertificationError, add_proof, is_swept, measure_domain
from xla_evo.library.loader import Entry, program_text, text_hash
from xla_evo.proof import examine, executable
from xla_evo.targets.builtins import builtins_of
from xla_evo.targets.target import Target, make_target
from xla_evo_lowering.ahead import AheadOfTime
from xla_evo_lowering.backends import Backend, fingerprint
from xla_evo_lowering.canonical import canonical, content_hash
from xla_evo_lowering.costs import StaticCost, cost_and_model, static_cost
from xla_evo_lowering.device_model import DeviceModel
from xla_evo_lowering.errors import BackendError, CompileError
from xla_evo_lowering.live import live_device
from xla_evo_lowering.program import Program
from xla_evo_lowering.stablehlo import as_function

Report = Callable[[int, int], None]
Compiled = tuple[StaticCost, DeviceModel]
"""What `cost_and_model` gives for a program."""
Known = dict[tuple[str, bool, str], ErrorMeasurement]
"""What was modelled before, by model, flushing and target: kinds of a platform compile alike."""


def certify_modelled(
    program: Program,
    function: str,
    dtype: str,
    process: AheadOfTime,
    *,
    provenance: Provenance,
    max_ulp: float | None = None,
    samples: int = 0,
    known: Known | None = None,
    report: Report | None = None,
) -> Entry:
    """Models a program on a backend that is not here, over its whole domain; returns an entry.

    Args:
        program: takes and gives the format.
        function: name in the catalogue.
        dtype: the format.
        process: a running compiler of the backend.
        provenance: where the program came from.
        max_ulp: give up as soon as an error is certainly above it.
        samples: model so many inputs in place of every one; the proof then says sampled.
        known: what was modelled before, to which this is added.
        report: called with (inputs done, inputs in all).

    Raises:
        CertificationError: a special value is wrong, or an error is above `max_ulp`.
        BackendError: the program has no model or no cost there.
        CompileError: the compiler refused it.
    """
    proof = prove_modelled(
        canonical(program), make_target(function, dtype), process,
        max_ulp=max_ulp, samples=samples, known=known, report=report,
    )  # fmt: skip
    return modelled_entry(program, function, dtype, provenance, proof)


def modelled_entry(
    program: Program, function: str, dtype: str, provenance: Provenance, proof: Proof
) -> Entry:
    """Returns an entry of one proof that was made just now; takes what `certify_modelled` does."""
    target, form = make_target(function, dtype), canonical(program)
    certificate = Certificate(
        program_hash=content_hash(form), text_hash=text_hash(program_text(form)),
        function=function, dtype=target.dtype.name, low=target.low, high=target.high,
        provenance=provenance, proofs=(proof,),
        versions={
            "jax": jax.__version__, "jaxlib": jaxlib.version.__version__,
            "xla-evo": version("xla-evo"),
        },
    )  # fmt: skip
    return Entry(form, certificate)


def prove_modelled(
    program: Program,
    target: Target,
    process: AheadOfTime,
    *,
    max_ulp: float | None = None,
    samples: int = 0,
    known: Known | None = None,
    compiled: Compiled | None = None,
    report: Report | None = None,
) -> Proof:
    """Costs a program beside the built-ins and models it over its whole domain.

    Takes and raises what `certify_modelled` does; ``compiled`` is that of `compile_modelled`, if it
    was made before.
    """
    row = process.row
    cost, model = compiled or compile_modelled(program, target, process)
    run, flush = generated(model), row.flushes(target.dtype)
    failures = check_specials(
        run, target.function, target.dtype, target.low, target.high, flush_to_zero=flush
    )
    if failures:
        raise CertificationError(f"{target.describe()} on {row.name}: {failures[0]}")
    known = {} if known is None else known
    key = known_key(model, target, samples)
    if key in known:
        found = known[key]
    elif samples:
        found = measure_sampled(run, target, flush_to_zero=flush, samples=samples)
    else:
        found = measure_domain(run, target, flush_to_zero=flush, max_ulp=max_ulp, progress=report)
    if max_ulp is not None and found.bound_ulp > max_ulp:
        raise CertificationError(
            f"{target.describe()} on {row.name}: {found.max_ulp:.4g} ULP at"
            f" {found.worst_input_hex}, more than {max_ulp:g}"
        )
    known[key] = found
    builtins = builtin_costs(target, process)
    compared = StaticComparison(value=cost.value, unit=cost.unit, builtins=builtins)
    return replace(_proof(target, row, found), modelled=True, cost=compared)


def compile_modelled(program: Program, target: Target, process: AheadOfTime) -> Compiled:
    """Returns the static cost and the model of a program on a backend that is not here.

    Raises:
        BackendError: the program has no model or no cost there.
        CompileError: the compiler refused it.
    """
    types = (target.dtype,) * target.function.arity
    return cost_and_model(process.row, as_function(program), types, process)


def measure_models(
    models: Iterable[DeviceModel], target: Target, known: Known, *, flush_to_zero: bool
) -> None:
    """Measures on every input, in one pass, those models of one function that are not known yet.

    Left out are those with a result outside the function's, which `prove_modelled` refuses, and all
    where inputs are too many to measure every one.
    """
    wanted = {known_key(model, target): model for model in models}
    keys = [key for key in wanted if key not in known]
    if not keys or not is_swept(target):
        return
    refused: set[int] = set()

    def watch(number: int, inputs: Any, results: Any) -> None:
        if number not in refused and outside(target.function, inputs, results):
            refused.add(number)

    found = measure_exhaustive_together(
        [generated(wanted[key]) for key in keys], target,
        flush_to_zero=flush_to_zero, every_pattern=True, watch=watch,
    )  # fmt: skip
    known.update(
        (key, replace(one, seconds=one.seconds / len(keys)))
        for number, (key, one) in enumerate(zip(keys, found, strict=True))
        if number not in refused
    )


def known_key(model: DeviceModel, target: Target, samples: int = 0) -> tuple[str, bool, str]:
    """Returns where `Known` has the measurement of a model."""
    return model.code_hash, model.flush, f"{target.describe()} {samples}"


def builtin_costs(target: Target, process: AheadOfTime) -> dict[str, float]:
    """Returns the static cost of each built-in by name, the default first.

    Empty where the function has none, or the backend's compiler cannot compile the default, or what
    it made of it has no cost.
    """
    types = (target.dtype,) * target.function.arity
    found: dict[str, float] = {}
    for name, builtin in builtins_of(target).items():
        try:
            found[name] = static_cost(process.row, builtin, types, process).value
        except (BackendError, CompileError):
            break
    return found


def certify_on_device(entry: Entry, device: str, *, report: Report | None = None) -> Entry:
    """Measures an entry on a device of this machine; the proof takes the place of a modelled one.

    Args:
        entry: a program, modelled or proven elsewhere.
        device: ``cuda``, ``tpu`` or a row of the backend table that the device must be.
        report: called with (inputs done, inputs in all).

    Raises:
        BackendError: this machine has no such device.
        CertificationError: it does not hold there what was modelled, or proven elsewhere.
        CompileError: the compiler refused it.
    """
    found, row = live_device(device)
    target, claimed = make_target(entry.function, entry.dtype), device_proof(entry, row)
    bound = claimed.max_ulp if claimed else max(p.max_ulp for p in entry.certificate.proofs)
    error = measure_domain(
        executable(entry.program, target, row.name), target,
        flush_to_zero=row.flushes(target.dtype), max_ulp=bound, progress=report,
    )  # fmt: skip
    examination = examine(entry.program, target, max_ulp=bound, backend_name=row.name)
    if error.bound_ulp > bound or not examination.holds:
        wrong = (*examination.specials, examination.lengths)
        reason = next(filter(None, wrong), f"{error.bound()}, modelled {bound:.4g}")
        raise CertificationError(f"{entry.name} on {found.device_kind}: {reason}")
    fresh = replace(
        _proof(target, row, error),
        lengths_checked=len(DEFAULT_LENGTHS), cost=claimed.cost if claimed else None,
    )  # fmt: skip
    return add_proof(entry, fresh)


def device_proof(entry: Entry, row: Backend) -> Proof | None:
    """The proof of an entry under the compiler that is at hand for a backend, or None."""
    live = machine_identity(fingerprint(row))
    found = entry.proofs("inline", row.name)
    return next((one for one in found if machine_identity(one.fingerprint) == live), None)


def _proof(target: Target, row: Backend, measurement: ErrorMeasurement) -> Proof:
    specials = special_inputs(target.function, target.dtype, target.low, target.high)
    return Proof(
        lowering="inline", fingerprint=fingerprint(row), measurement=measurement,
        specials_checked=len(specials), lengths_checked=0,
    )  # fmt: skip
