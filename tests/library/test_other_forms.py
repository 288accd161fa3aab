"""Custom calls of shipped programs: the bits, the code and the measurement that prove them."""

from collections.abc import Sequence
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from xla_evo.errors import BackendError
from xla_evo.library import (
    CertificationError,
    Entry,
    add_proof,
    certificate,
    entries,
    prove_other_form,
    prove_same_bits,
    same_bits,
)
from xla_evo.library.certificate import (
    code_fingerprint,
    machine_identity,
)
from xla_evo.library.choice import best_proof
from xla_evo.library.same_bits import prove_swept_form
from xla_evo_lowering.backends import backend, fingerprint
from xla_evo_lowering.compile import Executable, input_buffer
from xla_evo_lowering.dtypes import F32
from xla_evo_lowering.native import ordinary_part
from xla_evo_lowering.stablehlo import as_function

from .programs import identity_program, program_for_exp

LIVE = fingerprint(backend("cpu"))


def identity(entry: Entry) -> tuple[tuple[str, str], ...]:
    """What decides the machine code of an entry's inlined form here."""
    return machine_identity(code_fingerprint(entry.program, "inline", LIVE))


def test_the_machine_code_of_a_custom_call_belongs_to_its_certificate(monkeypatch) -> None:
    entry = next(e for e in entries("exp", "float32") if e.proofs("custom_call"))
    here = {**entry.proofs("custom_call")[0].fingerprint, "native": ""}
    if machine_identity(here) != identity(entry):
        pytest.skip("proven with another compiler")
    assert not code_fingerprint(entry.program, "inline", LIVE).get("native")
    monkeypatch.setattr(certificate, "code_identity", lambda program: "built another way")
    proof, exact = best_proof(entry, "custom_call", "cpu", LIVE)
    assert proof is not None
    assert not exact
    again = replace(proof, fingerprint={**code_fingerprint(entry.program, "custom_call", LIVE)})
    renewed = add_proof(entry, again)
    assert best_proof(renewed, "custom_call", "cpu", LIVE) == (again, True)
    assert len(renewed.proofs("custom_call")) == len(entry.proofs("custom_call"))

    def no_compiler(program):
        raise BackendError("no C++ compiler found")

    # Then nothing is known of the code, and the lowering says what to install.
    monkeypatch.setattr(certificate, "code_identity", no_compiler)
    assert best_proof(renewed, "custom_call", "cpu", LIVE)[1]


def test_each_function_has_a_custom_call_in_the_formats_that_have_them() -> None:
    wanted = {(e.function, e.dtype) for e in entries() if e.program.dtype.bits >= 32}
    proven = {(e.function, e.dtype) for e in entries() if e.proofs("custom_call")}
    assert proven == wanted


def test_same_bits_are_demanded_beside_a_nan() -> None:
    entry = program_for_exp()
    if machine_identity(entry.proofs("inline")[0].fingerprint) != identity(entry):
        pytest.skip("no proof of the inlined form here to hold another form against")
    inlined = as_function(entry.program)

    def careless(x):
        return jnp.where(jnp.isnan(x).any(), inlined(x) * 2, inlined(x))

    with pytest.raises(CertificationError, match="custom_call gives"):
        prove_same_bits(entry, "custom_call", careless, time=False)


def test_a_form_of_other_bits_is_swept_and_must_not_depend_on_its_neighbours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry, swept = program_for_exp(), []
    monkeypatch.setattr(same_bits, "prove", lambda *_, **options: swept.append(options) or "swept")

    def other_bits(*_: object, **__: object) -> None:
        raise same_bits.DifferentBitsError("other bits")

    monkeypatch.setattr(same_bits, "prove_same_bits", other_bits)

    def careless(x):
        return jnp.where(jnp.isnan(x).any(), x * 2, x)

    with pytest.raises(CertificationError, match="custom_call gives"):
        prove_other_form(entry, "custom_call", careless, time=False)
    assert not swept
    for check in ("_hold_against", "_hold_at_ends"):
        monkeypatch.setattr(same_bits, check, lambda *_: None)
    assert prove_other_form(entry, "custom_call", careless, time=False) == "swept"
    assert [options["contexts"] for options in swept] == [False]


def test_forms_of_too_many_inputs_are_measured_by_themselves(monkeypatch) -> None:
    double, pair = entries("sinh", "float64")[0], entries("pow", "float32")[0]
    monkeypatch.setattr(same_bits, "_SAMPLES", 1 << 14)
    monkeypatch.setattr(same_bits, "prove", lambda *_, **__: "measured")

    def careless(x):
        return jnp.where(jnp.isnan(x).any(), x * 2, x)

    with pytest.raises(CertificationError, match="custom_call gives"):
        prove_other_form(double, "custom_call", careless, time=False)
    assert prove_other_form(double, "custom_call", jnp.sinh, time=False) == "measured"
    assert prove_other_form(pair, "custom_call", jnp.power, time=False) == "measured"


def swept_beside(
    form, blocks: Sequence[int] = (0x3F000000, 0xFF800000 - (1 << 16))
) -> same_bits.Beside:
    """A form of exp held against the inlined one over blocks of inputs that begin at patterns."""
    entry = program_for_exp()
    inlined = Executable.of_program(entry.program)
    beside = same_bits.Beside([entry], {entry.name: form})
    for first in blocks:
        inputs = input_buffer(1 << 17, np.float32)
        inputs.view(np.uint32)[:] = np.arange(first, first + (1 << 17))
        beside(0, inputs, inlined(inputs))
    return beside


def test_forms_are_held_against_what_a_sweep_has_at_hand() -> None:
    entry = program_for_exp()
    inlined = as_function(entry.program)
    assert not swept_beside(inlined).differences
    # Any nan will do for a nan.
    nans = swept_beside(lambda x: jnp.where(jnp.isnan(x), -inlined(x), inlined(x)))
    assert not nans.differences

    def wrong_once(x):
        return inlined(x) * jnp.where(x == 0.50390625, 2, 1).astype(x.dtype)

    assert "for 0.50390625, not" in swept_beside(wrong_once).differences[entry.name]

    def careless(x):
        return jnp.where(jnp.isnan(x).any(), inlined(x) * 2, inlined(x))

    assert "for 0.5, not" in swept_beside(careless).differences[entry.name]


def test_inputs_none_of_which_is_computed_apart_are_run_once() -> None:
    inlined = as_function(program_for_exp().program)

    def more_beside_a_nan(x):
        return jnp.where(jnp.isnan(x).any(), 2 * inlined(x) + 1, inlined(x))

    edge = int(np.float32(80.0).view(np.uint32))  # exp computes inputs up to 87 apart
    assert swept_beside(more_beside_a_nan, [edge]).differences
    beyond = int(np.float32(-100.0).view(np.uint32))
    assert not swept_beside(more_beside_a_nan, [beyond]).differences


def test_a_form_that_is_swept_is_run_near_a_nan_on_every_input() -> None:
    entry = program_for_exp()
    inlined = as_function(entry.program)

    def twice(x):
        return 2 * inlined(x)

    def careless(x):
        return jnp.where(jnp.isnan(x).any(), twice(x) + 1, twice(x))

    beyond = int(np.float32(-100.0).view(np.uint32))  # none of these is computed apart
    inputs = np.arange(beyond, beyond + (1 << 17), dtype=np.uint32).view(np.float32)
    for form, differs in ((twice, False), (careless, True)):
        beside = same_bits.Beside([entry], {}, {"alone": form})
        beside(0, inputs, Executable.of_program(entry.program)(inputs))
        beside(1, inputs, Executable(twice, [F32])(inputs))
        assert list(beside.differences) == ["alone"] * differs


def test_a_form_that_was_swept_is_proven_by_that(monkeypatch) -> None:
    entry = program_for_exp()
    monkeypatch.setattr(same_bits, "prove", lambda *_, measurement, **__: measurement)
    form = as_function(entry.program)
    assert prove_swept_form(entry, "custom_call", form, "measured", "") == "measured"
    with pytest.raises(same_bits.DifferentBitsError, match="custom_call gives 1 for 2"):
        prove_swept_form(entry, "custom_call", form, "measured", "1 for 2")


def test_what_a_sweep_found_is_not_looked_for_again(monkeypatch) -> None:
    entry = program_for_exp()
    if machine_identity(entry.proofs("inline")[0].fingerprint) != identity(entry):
        pytest.skip("no proof of the inlined form here to hold another form against")
    for check in ("_hold_against", "_hold_at_ends", "check_length_invariance"):
        monkeypatch.setattr(same_bits, check, lambda *_, **__: None)
    wrong = as_function(identity_program())
    assert prove_same_bits(entry, "custom_call", wrong, time=False, difference="").lowering
    with pytest.raises(same_bits.DifferentBitsError, match="custom_call gives 1 for 2"):
        prove_same_bits(entry, "custom_call", wrong, time=False, difference="1 for 2")
    monkeypatch.setattr(same_bits, "prove", lambda *_, **__: "measured")
    made = prove_other_form(entry, "custom_call", wrong, time=False, difference="1 for 2")
    assert made == "measured"


def test_same_bits_are_demanded() -> None:
    entry = program_for_exp()
    wrong = as_function(identity_program())
    if machine_identity(entry.proofs("inline")[0].fingerprint) != identity(entry):
        with pytest.raises(CertificationError, match="no exhaustive proof"):
            prove_same_bits(entry, "custom_call", wrong, time=False)
        return
    with pytest.raises(CertificationError, match="custom_call gives"):
        prove_same_bits(entry, "custom_call", wrong, time=False)


@pytest.mark.parametrize("function", ["exp", "log"])
@pytest.mark.parametrize("greatest", [True, False])
def test_inputs_computed_apart_are_held_against_each_other_next_to_their_ends(
    function, greatest, monkeypatch
) -> None:
    entry = next(e for e in entries(function, "float32") if ordinary_part(e.program))
    apart, inlined = ordinary_part(entry.program), as_function(entry.program)
    assert apart is not None
    monkeypatch.setattr(same_bits, "prove", lambda *_, measurement, **__: measurement)

    def form(x, wrong):
        mask, base = jnp.uint32(apart.mask), jnp.uint32(apart.base)
        far = (lax.bitcast_convert_type(x, jnp.uint32) & mask) - base
        near = apart.span - far <= 1000 if greatest else far <= 1000
        return inlined(x) * jnp.where(near & (far <= apart.span).all(), wrong, 1)

    def careless(x):
        return form(x, 2)

    with pytest.raises(same_bits.DifferentBitsError, match="custom_call gives"):
        prove_swept_form(entry, "custom_call", careless, "measured", "")
    assert prove_swept_form(entry, "custom_call", lambda x: form(x, 1), "m", "") == "m"
    if machine_identity(entry.proofs("inline")[0].fingerprint) == identity(entry):
        with pytest.raises(same_bits.DifferentBitsError, match="custom_call gives"):
            prove_same_bits(entry, "custom_call", careless, time=False, difference="")
