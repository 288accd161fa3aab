"""Static cost on TPU: VLIW bundles of the compute body, from the final schedule.

A TPU core issues one bundle a cycle. The function is applied to its own result two and four times
and both bodies are compiled: what the longer one has more is arithmetic alone, since loads, stores,
copies and set-up are the same in both. The array is sixteen vector registers, which the compiler
unrolls fully, so that the schedule overlaps sixteen independent chains as it does in a long loop.

Limits: bundles are counted, stalls inside a bundle (dynamic latency) are not; a function whose body
the compiler does not unroll is costed on eight registers and smaller stacks, with less overlap;
`estimated_cycles` in the HLO is not used, since it sees only memory for small bodies. Costs order
programs; they are not times.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
from jax import lax

from xla_evo_lowering.ahead import AheadOfTime, lower_for
from xla_evo_lowering.dtypes import DType
from xla_evo_lowering.errors import BackendError

REGISTER_ELEMENTS = 1024  # 8 sublanes of 128 lanes of 32 bits

# (vector registers, shallow stack, deep stack), tried in order until the body is unrolled.
_PLANS = ((16, 2, 4), (8, 1, 2), (1, 1, 2))

_BUNDLE = re.compile(r"^\s*0x[0-9a-f]+\s+[A-Z, ]*:\s*\{(.*)$", re.MULTILINE)
_OPERATION = re.compile(r"(?:^|;;|=)\s*([a-z]\w*)(?:\.\w+)?(?=[\s.(])")
SLOTS: tuple[tuple[str, str], ...] = (
    ("transcendental", r"v(pow2|exp2|log2|rcp|rsqrt|tanh|sigshft|sinq?|cosq?|erf|pop)"),
    ("load", r"vld\w*"),
    ("store", r"vst\w*"),
    ("cross-lane", r"v(rot|perm|xlane|broadcast)\w*"),
    ("mask", r"vm(and|or|xor|neg|mov)"),
    ("vector", r"v\w+"),
    ("scalar", r"\w+"),
)
"""Slot name and the operations that go there; the first match counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TpuCost:
    """What 1,024 elements (one vector register) cost.

    Attributes:
        bundles: VLIW bundles, which is cycles without stalls.
        slots: operations by slot.
        registers: vector registers that were scheduled together.
    """

    bundles: float
    slots: Mapping[str, float]
    registers: int


def stacked(function: Callable[..., Any], depth: int) -> Callable[..., Any]:
    """Returns `function` applied `depth` times; a guard keeps the compiler from joining them."""

    def apply(first: jax.Array, *rest: jax.Array) -> jax.Array:
        info = jax.numpy.finfo(first.dtype)
        for _ in range(depth):
            first = lax.reduce_precision(function(first, *rest), info.nexp, info.nmant)
        return first

    return apply


def slot_of(name: str) -> str:
    """Returns the slot of a bundle that an operation takes, by its name without a type."""
    return next(slot for slot, pattern in SLOTS if re.fullmatch(pattern, name))


def count_bundles(llo: str) -> tuple[int, Counter[str]]:
    """Returns the bundles of a final schedule and the operations in them by slot."""
    bundles = _BUNDLE.findall(llo)
    slots: Counter[str] = Counter()
    for bundle in bundles:
        for name in _OPERATION.findall(re.sub(r"/\*.*?\*/", "", bundle)):
            slots[slot_of(name)] += 1
    return len(bundles), slots


def tpu_cost(
    process: AheadOfTime, function: Callable[..., Any], dtypes: tuple[DType, ...]
) -> TpuCost:
    """Costs a function whose result has the type of its first argument.

    Args:
        process: a running compiler of a TPU backend.
        function: a function of arrays, elementwise.
        dtypes: types of its arguments.

    Raises:
        BackendError: the schedule cannot be read, or the body is never unrolled.
        CompileError: the compiler refused it.
    """
    for registers, shallow, deep in _PLANS:
        elements = registers * REGISTER_ELEMENTS
        specs = [jax.ShapeDtypeStruct((elements,), dtype.numpy) for dtype in dtypes]
        counted = [
            count_bundles(_schedule(process, stacked(function, depth), specs))
            for depth in (shallow, deep)
        ]
        (few, few_slots), (many, many_slots) = counted
        # An outlined or rolled body has hardly more bundles for twice the work.
        if many - few > 0.25 * (deep - shallow) * registers:
            applications = (deep - shallow) * registers
            many_slots.subtract(few_slots)
            return TpuCost(
                bundles=(many - few) / applications,
                slots={slot: many_slots[slot] / applications for slot, _ in SLOTS},
                registers=registers,
            )
    raise BackendError("the TPU compiler did not unroll the body; its bundles cannot be counted")


def _schedule(process: AheadOfTime, function: Callable[..., Any], specs: Any) -> str:
    texts = process.compile(lower_for(process.row, function, specs))
    if "llo" not in texts:
        raise BackendError("this version of libtpu does not write its final bundles")
    return texts["llo"].decode()
