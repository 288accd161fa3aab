"""Random programs as hypothesis strategies, input samples, and comparison by bits."""

import shutil
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import strategies as st

from xla_evo_lowering.dtypes import BOOL, DTYPES, F16, F32, I32, U32, DType, Kind
from xla_evo_lowering.generate import Generator, random_program, special_bits
from xla_evo_lowering.ops import OPS
from xla_evo_lowering.program import Builder, Program

TYPED = tuple(dtype for dtype in DTYPES if dtype.kind is not Kind.REAL)
MIX = (F16, F32, I32, U32, BOOL)

needs_compiler = pytest.mark.skipif(
    not any(shutil.which(name) for name in ("c++", "g++", "clang++")),
    reason="no C++ compiler on this machine",
)


def square_plus(constant: float = 1.5, name: str = "square_plus") -> Program:
    b = Builder(name, x=F32)
    return b.build(b.apply("add", b.apply("mul", 0, 0), b.const(constant, F32)))


@st.composite
def programs(draw, dtypes: Sequence[DType] = MIX, max_size: int = 16) -> Program:
    """Typed programs over some of `dtypes`, with every operation that fits them."""
    names = st.sampled_from(list(dtypes))
    chosen = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    settings = Generator(
        parameters=tuple(draw(st.lists(st.sampled_from(chosen), min_size=1, max_size=3))),
        result=draw(st.sampled_from(chosen)),
        dtypes=tuple(chosen),
        size=draw(st.integers(0, max_size)),
        specials=0.3,
    )
    return random_program(np.random.default_rng(draw(st.integers(0, 2**32))), settings)


REALS = Generator(
    parameters=(DTYPES[-1],),
    result=DTYPES[-1],
    dtypes=(DTYPES[-1],),
    weights=dict.fromkeys(("const", "add", "sub", "mul", "div"), 1.0),
)


def values(dtype: DType, count: int, seed: int = 0) -> np.ndarray:
    """Half specials and edges, the rest any bit pattern and numbers near 1."""
    rng = np.random.default_rng([seed, dtype.bits, len(dtype.name)])
    if dtype is BOOL:
        return rng.integers(0, 2, count).astype(bool)
    raw = np.dtype(f"u{dtype.bits // 8}")
    drawn = np.frombuffer(rng.bytes(count * dtype.bits // 8), raw).copy()
    half, quarter = count // 2, count // 4
    if dtype.is_float:
        drawn[:half] = rng.choice(np.array(special_bits(dtype), raw), half)
        near = (rng.normal(size=quarter) * 4).astype(dtype.numpy)
        drawn[half : half + quarter] = near.view(raw)
    else:
        top = 1 << (dtype.bits - 1)
        drawn[:half] = rng.choice(np.array([0, 1, top - 1, top, 2 * top - 1], raw), half)
        drawn[half : half + quarter] = rng.integers(0, 2 * dtype.bits, quarter)
    rng.shuffle(drawn)
    return drawn.view(dtype.numpy)


def ordinary(dtype: DType, count: int, seed: int = 0) -> np.ndarray:
    """Floats between about 1/100 and 100 in magnitude, where roundings show."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=count) * 2.0 ** rng.integers(-3, 4, count)).astype(dtype.numpy)


def same(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Elementwise: equal bits, or both NaN."""
    raw = np.dtype(f"u{first.dtype.itemsize}")
    equal = first.view(raw) == second.view(raw)
    if first.dtype.kind == "f" or first.dtype.name == "bfloat16":
        with np.errstate(invalid="ignore"):  # ml_dtypes warns on comparing some NaNs
            equal |= np.isnan(first) & np.isnan(second)
    return equal


def operand_types(name: str, dtype: DType) -> list[list[DType]]:
    """Every typing of an operation whose T (or S, for a comparison) is `dtype`."""
    row = OPS[name]
    if dtype.kind not in row.kinds or not row.operands:
        return []
    if row.converts:
        found = [[source] for source in TYPED]
        if name == "bitcast":
            return [[one] for [one] in found if one.bits == dtype.bits and BOOL not in (one, dtype)]
        return found
    return [[{"T": dtype, "S": dtype, "B": BOOL}[pattern] for pattern in row.operands]]
