"""What an operation stands beside in the graph, as far as a lowering rule can see: its operands.

XLA's CPU compiler gives reductions and the elementwise operations around them to a library
(YNNPACK), which computes a softmax in one kernel. A program inlined in place of its exp is a loop
of its own between two kernels, and slower (`tools/bench_plugin.py networks`, within 1 ULP).
What comes after an operation does not exist yet when it is lowered: a sum over exp(x) is not seen.
"""

from collections.abc import Sequence
from typing import Any

KEPT_AFTER_REDUCTIONS = frozenset({"exp"})
"""Functions whose built-in is the faster one where it is computed from a reduction (CPU)."""
_ELEMENTWISE = frozenset(
    f"stablehlo.{name}"
    for name in (
        "abs", "add", "broadcast_in_dim", "divide", "exponential", "is_finite", "log", "maximum",
        "minimum", "multiply", "negate", "power", "reshape", "select", "sqrt", "subtract",
    )
)  # fmt: skip
_MOST = 64
"""Operations that are looked at: a long chain is no longer one kernel."""


def follows_reduction(operands: Sequence[Any]) -> bool:
    """Returns whether values are computed from a reduction by elementwise operations alone.

    Args:
        operands: MLIR values.
    """
    pending, seen = list(operands), 0
    while pending and seen < _MOST:
        owner: Any = pending.pop().owner
        name = getattr(owner, "name", "")  # the owner of a function's argument is a block
        if name == "stablehlo.reduce":
            return True
        if name in _ELEMENTWISE:
            pending.extend(owner.operands)
            seen += 1
    return False
