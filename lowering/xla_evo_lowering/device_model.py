"""What a program computes on a device that is not here: its compiled form, evaluated on this CPU.

The model is read from the compiler's own output: the optimised HLO has what XLA made of the
program, and the device code (PTX, final bundles) tells whether each operation is one whose rounding
is known. It is evaluated with NumPy, operation by operation, so nothing is contracted. Results from
it are *modelled*: they hold for the arithmetic as written down in `ARITHMETIC`, not by measurement.

Source for GPU: NVIDIA, Parallel Thread Execution ISA, "Floating-Point Instructions": add.rn, sub.rn
and mul.rn round to nearest even, are never contracted, and without ``.ftz`` keep subnormal numbers.
For TPU no public document defines the vector unit's arithmetic; what is assumed is said there.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from xla_evo_lowering.backends import Backend
from xla_evo_lowering.canonical import content_hash
from xla_evo_lowering.contraction import contract
from xla_evo_lowering.errors import BackendError
from xla_evo_lowering.hlo import program_of_hlo
from xla_evo_lowering.interpret import evaluate
from xla_evo_lowering.program import Program

Array = np.ndarray[Any, Any]

_CHUNK = 1 << 14  # values of one chunk stay in the cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """What is known of a platform's arithmetic.

    Attributes:
        stage: stage with the device code.
        unknown: regular expression of operations there whose results are not defined to the bit.
        lacks: operations of the op table that are compiled to such, so that a search leaves them.
        known: what is documented, one line.
        assumed: what is not, one line; empty when nothing is assumed.
    """

    stage: str
    unknown: str
    lacks: frozenset[str]
    known: str
    assumed: str


ARITHMETIC: Mapping[str, Arithmetic] = {
    "cpu": Arithmetic(
        stage="optimized", unknown=r"(?!)", lacks=frozenset(),
        known="IEEE 754 round to nearest even; a*b + c contracted where there is FMA (see"
              " `contraction`); subnormal float32 flushed to zero",
        assumed="which product of two LLVM contracts",
    ),
    "cuda": Arithmetic(
        stage="ptx",
        unknown=r"\b(?:\w+\.approx|div\.full|fma|mad|min|max)(?:\.r[nz])?(?:\.ftz)?\.f\d+\b"
                r"|\.ftz\b|\bcall\b|\bbra\b",
        lacks=frozenset({"div", "sqrt", "rsqrt"}),
        known="add.rn, sub.rn and mul.rn of PTX: round to nearest even, never contracted, subnormal"
              " float32 kept; division and square root are approximate (div.full, sqrt.approx)",
        assumed="",
    ),
    "tpu": Arithmetic(
        stage="llo",
        unknown=r"\bv(?:rcp|rsqrt|pow2|log2|tanh|sigshft|sinq|cosq|erf|pop\.eup|fma|mac|madd)\b",
        lacks=frozenset({"div", "sqrt", "rsqrt"}),
        known="the final bundles have one vadd, vsub or vmul for each addition and product;"
              " division and square root are estimates with corrections",
        assumed="vadd, vsub and vmul of float32 round to nearest even, and subnormal float32 is"
                " read and written as zero; no public document says so",
    ),
}  # fmt: skip
"""The rows by platform. Programs that use an unknown operation have no model."""


@dataclass(frozen=True, slots=True)
class DeviceModel:
    """A program as a backend compiled it; calling it evaluates it on float arrays.

    Attributes:
        program: operations that the device does, in order, products contracted where it does.
        flush: whether subnormal numbers are read and written as zero.
    """

    program: Program
    flush: bool

    @property
    def code_hash(self) -> str:
        """Identity of the device code: what it was made of."""
        return content_hash(self.program)

    def __call__(self, *arrays: Array) -> Array:
        """Evaluates on 1-D arrays of the parameters' dtypes; safe from several threads."""
        size = arrays[0].size
        out = np.empty(size, self.program.dtype.numpy)
        for start in range(0, size, _CHUNK):
            part = slice(start, min(start + _CHUNK, size))
            pieces = (array[part] for array in arrays)
            out[part] = evaluate(self.program, *pieces, flush=self.flush)
        return out


def device_model(row: Backend, texts: Mapping[str, bytes]) -> DeviceModel:
    """Returns the model of what was compiled.

    Args:
        row: a backend.
        texts: stages of one compilation for it; the optimised HLO and the device code.

    Raises:
        BackendError: the device does something whose result is not known to the bit.
    """
    arithmetic = ARITHMETIC[row.platform]
    if arithmetic.stage not in texts or "optimized" not in texts:
        raise BackendError(f"{row.name}: the compiler did not write {arithmetic.stage}; no model")
    code = _without_selected_minima(texts[arithmetic.stage].decode(errors="replace"))
    unknown = re.search(arithmetic.unknown, code)
    if unknown is not None:
        raise BackendError(
            f"{row.name}: the result of {unknown[0].strip()} is not known to the bit; no model"
        )
    program = program_of_hlo(texts["optimized"].decode())
    return DeviceModel(contract(program) if row.contracts else program, row.flushes_subnormals)


_MINIMUM = re.compile(r"^[ \t]+(?:min|max)\.f64\s+(%\w+), ([%\w]+), ([%\w]+);\n", re.MULTILINE)


def _without_selected_minima(code: str) -> str:
    """PTX without those min.f64 and max.f64 whose result nan replaces where an operand is nan.

    Alone they give the other operand then; what is left orders -0 below +0, as HLO does. float32
    has ``min.NaN`` for both.
    """

    def kept(match: re.Match[str]) -> str:
        result, *operands = match.groups()
        registers = [operand for operand in operands if operand.startswith("%")]
        first, last = re.escape(registers[0]), re.escape(registers[-1])
        selected = re.search(
            rf"\bselp\.f64\s+%\w+, 0d7FF8000000000000, {re.escape(result)}, (%\w+);", code
        )
        tested = selected and re.search(
            rf"\bsetp\.nan\.f64\s+{re.escape(selected[1])}, {first}, {last};", code
        )
        alone = len(re.findall(rf"{re.escape(result)}\b", code)) == 2
        return "" if tested and alone else match[0]

    return _MINIMUM.sub(kept, code)
