"""The scalar types of programs: one row a type, with the numbers that rounding needs.

``real`` stands for the real numbers (rounding is not the subject); it has no NumPy dtype.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any

import ml_dtypes
import numpy as np

from xla_evo_lowering.errors import ConfigError


class Kind(Enum):
    """What a type holds; operations are typed by kind."""

    FLOAT = "float"
    SIGNED = "signed"
    UNSIGNED = "unsigned"
    BOOL = "bool"
    REAL = "real"


@dataclass(frozen=True, slots=True, kw_only=True)
class DType:
    """One scalar type.

    Attributes:
        name: NumPy's name, e.g. ``float32``; ``real`` for the real numbers.
        short: name in program text, e.g. ``f32``; as in StableHLO, but ``bool`` for ``i1``.
        kind: what it holds.
        bits: width, 0 for ``real``.
        precision: significand bits with the hidden one (p), 0 when not a float.
        emin: exponent of the smallest normal number, 2**emin.
        emax: exponent of the largest binade, [2**emax, 2**(emax+1)).
    """

    name: str
    short: str
    kind: Kind
    bits: int
    precision: int = 0
    emin: int = 0
    emax: int = 0

    @property
    def numpy(self) -> np.dtype[Any]:
        """NumPy dtype of this type; `ConfigError` for ``real``, which has none."""
        if self.kind is Kind.REAL:
            raise ConfigError("real numbers have no NumPy dtype; choose float64 to evaluate them")
        return np.dtype(ml_dtypes.bfloat16) if self.name == "bfloat16" else np.dtype(self.name)

    @property
    def is_float(self) -> bool:
        """True for the binary floating-point formats."""
        return self.kind is Kind.FLOAT

    @property
    def is_integer(self) -> bool:
        """True for signed and unsigned integers."""
        return self.kind in (Kind.SIGNED, Kind.UNSIGNED)

    @property
    def exponent_bits(self) -> int:
        """Width of the exponent field of a float."""
        return self.bits - self.precision

    @property
    def mantissa_bits(self) -> int:
        """Width of the stored fraction of a float."""
        return self.precision - 1

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, in another process too, is the row itself: rows are compared with ``is``."""
        return dtype, (self.name,)

    def __repr__(self) -> str:
        return self.short


def _float(name: str, short: str, bits: int, precision: int, emax: int) -> DType:
    return DType(
        name=name, short=short, kind=Kind.FLOAT, bits=bits,
        precision=precision, emin=1 - emax, emax=emax,
    )  # fmt: skip


def _integer(kind: Kind, bits: int) -> DType:
    letter, stem = ("i", "int") if kind is Kind.SIGNED else ("u", "uint")
    return DType(name=f"{stem}{bits}", short=f"{letter}{bits}", kind=kind, bits=bits)


F16 = _float("float16", "f16", 16, 11, 15)
BF16 = _float("bfloat16", "bf16", 16, 8, 127)
F32 = _float("float32", "f32", 32, 24, 127)
F64 = _float("float64", "f64", 64, 53, 1023)
I16, I32, I64 = (_integer(Kind.SIGNED, bits) for bits in (16, 32, 64))
U16, U32, U64 = (_integer(Kind.UNSIGNED, bits) for bits in (16, 32, 64))
BOOL = DType(name="bool", short="bool", kind=Kind.BOOL, bits=1)
REAL = DType(name="real", short="real", kind=Kind.REAL, bits=0)

DTYPES: tuple[DType, ...] = (F16, BF16, F32, F64, I16, I32, I64, U16, U32, U64, BOOL, REAL)
FLOATS: tuple[DType, ...] = tuple(dtype for dtype in DTYPES if dtype.is_float)
_BY_NAME = {key: dtype for dtype in DTYPES for key in (dtype.name, dtype.short)}


def dtype(name: "str | DType | np.dtype[Any] | type[Any]") -> DType:
    """Returns the row for a name (``float32`` or ``f32``), a NumPy dtype or a scalar type.

    Raises:
        ConfigError: no such type.
    """
    if isinstance(name, DType):
        return name
    key = name if isinstance(name, str) else np.dtype(name).name
    if key not in _BY_NAME:
        known = ", ".join(row.name for row in DTYPES)
        raise ConfigError(f"unknown dtype {key!r}; choose one of {known}")
    return _BY_NAME[key]
