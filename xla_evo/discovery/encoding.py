"""Programs as small integer arrays: what the compiled search works on.

A program of ``n`` operations is three ``int8`` rows ``op``, ``a``, ``b`` and two ``float64`` rows
``c`` and ``cl`` (a constant is the unevaluated sum ``c + cl``). Operand 0 is the input x; operand
``i + 1`` is the result of operation ``i``; the last operation is the result. An operation has at
most one constant, which is all that is needed: an operation on two constants is a constant.
"""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int8]
Longs: TypeAlias = NDArray[np.int64]
Words: TypeAlias = NDArray[np.uint64]
Reals: TypeAlias = NDArray[np.float64]

ADDC: Final = 0  # a + c
MULC: Final = 1  # a * c
RSUBC: Final = 2  # c - a
RDIVC: Final = 3  # c / a
ADD: Final = 4
SUB: Final = 5
MUL: Final = 6
DIV: Final = 7


MAX_OPS: Final = 16
"""Most operations of a program, and so most constants."""

NODES: Final = 32
"""Chebyshev nodes of the fit."""

ROWS: Final = NODES + MAX_OPS
"""Rows of the damped least squares problem: one a node, one a constant."""
