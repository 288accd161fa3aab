"""Which shipped program serves a request, and why: the fastest certified one within the bound."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xla_evo.errors import StoreError
from xla_evo.library.certificate import (
    Lowering,
    Proof,
    code_fingerprint,
    contracts,
    machine_identity,
    nearness,
    same_processor,
)
from xla_evo.library.loader import DATA, MODELLED, Entry, entries, joined
from xla_evo.library.published import published_ulp
from xla_evo.library.tuned import tuned_ratios, user_library
from xla_evo_lowering.backends import backend as backend_row
from xla_evo_lowering.backends import fingerprint as live_fingerprint
from xla_evo_lowering.dtypes import dtype as dtype_named

DEFAULT_ULP = 1.0
"""Without a bound: at most this, or what the built-in itself reaches, and faster than it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What was chosen for a request, and why.

    Attributes:
        function: name in the catalogue.
        dtype: format.
        entry: the program, None for the built-in.
        proof: of the program under the compiler it was proven with.
        exact_machine: whether that compiler is the one of the request; if not, the program is
            checked at the door before it is used.
        reasons: a line for each program that has a proof for the backend and lowering, one for
            those without, and the verdict.
    """

    function: str
    dtype: str
    entry: Entry | None
    proof: Proof | None
    exact_machine: bool
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        chosen = self.entry.name if self.entry else "the built-in"
        return "\n".join([f"{self.function} {self.dtype}: {chosen}", *self.reasons])


def choose(
    function: str,
    dtype: str = "float32",
    max_ulp: float | None = None,
    *,
    backend: str = "cpu",
    lowering: Lowering = "inline",
    most_accurate: bool = False,
    fingerprint: Mapping[str, str] | None = None,
    folder: Path = DATA,
) -> Choice:
    """Returns the fastest certified program within a bound.

    Args:
        function: name in the catalogue.
        dtype: format of input and output.
        max_ulp: largest error allowed, in ULP over the whole domain. Without it a program may be
            as wrong as the built-in, or 1 ULP, and must be faster than the built-in.
        backend: compiler target.
        lowering: how the program is to be put into the compiled code.
        most_accurate: prefer the smallest error to the shortest time.
        fingerprint: of the compiler; the live one when left out.
        folder: the library.

    Raises:
        TargetError: there is no such function.
        ConfigError: there is no such format.
        BackendError: there is no such backend.
        CertificateError: an entry is damaged.
    """
    dtype = dtype_named(dtype).name
    live = fingerprint or live_fingerprint(backend_row(backend))
    here = folder == DATA and lowering == "inline"
    ratios = tuned_ratios(function, dtype, live) if here else {}
    processor = live.get("device", "")
    reasons: list[str] = []
    found: list[tuple[Entry, Proof, bool, float]] = []
    unproven: list[str] = []
    for entry in _entries(function, dtype, backend, folder):
        proof, exact = best_proof(entry, lowering, backend, live)
        if proof is None:
            unproven.append(entry.name)
            continue
        timed = ratios.get(entry.certificate.program_hash)
        ratio = proof.ratio_on(processor) if timed is None else timed
        problem = _problem(entry, proof, ratio, max_ulp, backend, most_accurate=most_accurate)
        told = describe(proof, processor)
        told += "" if timed is None else f", {timed:.3g} times as tuned"
        reasons.append(f"{entry.name}: {told}{', ' + problem if problem else ''}")
        if not problem:
            found.append((entry, proof, exact, ratio))
    proven = bool(reasons)
    if unproven:
        named = unproven[0] if len(unproven) == 1 else f"{len(unproven)} programs"
        reasons.append(f"{named}: no proof for {lowering} on {backend}")
    if not found:
        what = f"{function} in {dtype}"
        if reasons and not proven:
            reasons.append(f"no program for {what} is proven for {lowering} on {backend}")
        else:
            reasons.append(_why_none(what, max_ulp, reasons))
        return Choice(
            function=function, dtype=dtype, entry=None, proof=None, exact_machine=False,
            reasons=tuple(reasons),
        )  # fmt: skip

    common = timed_all([proof for _, proof, _, _ in found], processor)

    def rank(item: tuple[Entry, Proof, bool, float]) -> tuple[bool, float, str]:
        entry, proof, exact, ratio = item
        if not ratios:
            ratio = proof.ratio_on(common)
        return (not exact, proof.max_ulp if most_accurate else -ratio, entry.name)

    entry, proof, exact, _ = min(found, key=rank)
    reasons.append(f"chosen: {entry.name}, the {'most accurate' if most_accurate else 'fastest'}")
    if not exact:
        reasons.append(
            "it was proven under another compiler or instruction set and is checked before use"
        )
    return Choice(
        function=function, dtype=dtype, entry=entry, proof=proof, exact_machine=exact,
        reasons=tuple(reasons),
    )  # fmt: skip


def best_proof(
    entry: Entry, lowering: Lowering, backend: str, live: Mapping[str, str]
) -> tuple[Proof | None, bool]:
    """Returns the proof nearest to a compiler, and whether it is of that very compiler.

    A proof with the same contraction of a*b + c is nearer than one without.
    """
    code = code_fingerprint(entry.program, lowering, live)
    unknown = {} if "native" in code else {"native": ""}
    proofs = entry.proofs(lowering, backend)
    for proof in proofs:
        if machine_identity({**proof.fingerprint, **unknown}) == machine_identity(code):
            return proof, True
    alike = [proof for proof in proofs if contracts(proof.fingerprint) == contracts(live)]
    return next(iter((*alike, *proofs)), None), False


def timed_all(proofs: Sequence[Proof], processor: str) -> str:
    """Returns the processor on which all proofs are timed, since ratios of two do not compare.

    Args:
        proofs: of programs that compete.
        processor: model name of the machine at hand, given back where they share none; of several
            the nearest to it is taken.
    """
    shared = [
        time.processor
        for time in (proofs[0].times if proofs else ())
        if all(
            any(same_processor(time.processor, other.processor) for other in proof.times)
            for proof in proofs
        )
    ]
    return max(shared, key=lambda name: nearness(name, processor), default=processor)


def describe(proof: Proof, processor: str) -> str:
    """Returns one line about a proof: its bound in words, and its time against the built-in.

    Args:
        proof: of a program.
        processor: model name of the machine at hand; that of the times is told if it is another.
    """
    text = proof.measurement.bound() + (", modelled" if proof.modelled else "")
    if proof.max_ulp > proof.measurement.bound_ulp:
        text += f", {proof.max_ulp:.3g} ULP beside other operations"
    time = proof.time_on(processor)
    if time and time.ratio:
        text += f", {time.ratio:.3g} times the built-in's speed"
        if not same_processor(time.processor, processor):
            text += f" on {time.processor}"
    elif proof.static_ratio:
        text += f", {proof.static_ratio:.3g} times the built-in's speed by static cost"
    return text


def _entries(function: str, dtype: str, backend: str, folder: Path) -> tuple[Entry, ...]:
    """The programs of a library, with the shipped ones those for a device and the user's."""
    found = entries(function, dtype, folder=folder)
    if folder != DATA:
        return found
    modelled = entries(function, dtype, backend, folder=MODELLED)
    return joined((*found, *own_entries(function, dtype), *modelled))


def own_entries(function: str, dtype: str) -> tuple[Entry, ...]:
    """Returns the programs of the user's library; none of a user without a home folder."""
    try:
        folder = user_library()
    except StoreError:
        return ()
    return entries(function, dtype, folder=folder)


def _problem(
    entry: Entry,
    proof: Proof,
    ratio: float,
    max_ulp: float | None,
    backend: str,
    *,
    most_accurate: bool,
) -> str | None:
    if proof.modelled:
        return "not measured (xla-evo verify --all --backend, on a machine with the device)"
    if max_ulp is not None:
        return f"above {max_ulp:g} ULP" if proof.max_ulp > max_ulp else None
    if proof.max_ulp > max(DEFAULT_ULP, builtin_ulp(entry, backend)):
        return "less accurate than the built-in"
    if not most_accurate and ratio <= 1.0:
        return "not faster than the built-in (ask for a bound in ULP to use it)"
    return None


def builtin_ulp(entry: Entry, backend: str) -> float:
    """Returns the error of the built-in that an entry competes with, in ULP.

    On the CPU it was measured with the program; infinite where the built-in is. On devices it is
    the published one, and `DEFAULT_ULP` where none is published.
    """
    if backend == "cpu":
        measured = entry.certificate.builtin_max_ulp
        return math.inf if measured is None else measured
    published = published_ulp(entry.function, entry.dtype, backend)
    return DEFAULT_ULP if published is None else published


def _why_none(what: str, max_ulp: float | None, reasons: list[str]) -> str:
    if not reasons:
        return f"the library has no program for {what}; the built-in stays"
    if max_ulp is not None:
        return f"no program for {what} is within {max_ulp:g} ULP"
    return "no program is faster at the built-in's accuracy; the built-in stays"


def explain(
    function: str,
    dtype: str = "float32",
    max_ulp: float | None = None,
    *,
    backend: str = "cpu",
    lowering: Lowering = "inline",
    folder: Path = DATA,
) -> str:
    """Returns which program `choose` takes for a request and why, a line a program."""
    return str(choose(function, dtype, max_ulp, backend=backend, lowering=lowering, folder=folder))
