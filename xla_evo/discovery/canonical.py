"""Canonical form: structures that compute the same functions become one, with fewer operations.

Constants are folded into one another where the algebra of +, -, x, / allows it and pushed towards
the result, equal subexpressions become one, dead operations go, and the operations are numbered by
a walk from the result in which the operands of a commutative operation have a fixed order. The
constants are carried along, so that the function computed does not change.
"""

from typing import Any, NamedTuple

import numpy as np

from xla_evo._numba import njit
from xla_evo.discovery.encoding import (
    ADD,
    ADDC,
    DIV,
    MUL,
    MULC,
    RDIVC,
    RSUBC,
    SUB,
    Ints,
    Longs,
    Reals,
    Words,
)  # fmt: skip

WIDE = 48
"""Room for a program while it is being built."""


class Draft(NamedTuple):
    """A program under construction: operands may point forward, the result comes last."""

    op: Ints
    a: Ints
    b: Ints
    c: Reals
    cl: Reals


class Walk(NamedTuple):
    """Memory of the canonical form."""

    spare: Draft
    uses: Longs
    number: Longs
    stack: Longs
    key: Words


def new_draft() -> Draft:
    """Returns an empty draft."""
    row = np.zeros
    return Draft(row(WIDE, np.int8), row(WIDE, np.int8), row(WIDE, np.int8), row(WIDE), row(WIDE))


def new_walk() -> Walk:
    """Returns the memory that `canonical` needs."""
    row = np.zeros
    return Walk(
        new_draft(), row(WIDE, np.int64), row(WIDE, np.int64), row(4 * WIDE, np.int64),
        row(WIDE + 1, np.uint64),
    )  # fmt: skip


@njit
def _mix(h: Any, v: Any) -> Any:
    h = (h ^ v) * np.uint64(0xBF58476D1CE4E5B9)
    h ^= h >> np.uint64(29)
    h *= np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(32))


@njit
def structure_key(d: Draft, n: int) -> np.uint64:
    """Hash of a canonical structure, constants left out; never 0."""
    h = np.uint64(0x9E3779B97F4A7C15 + n)
    for i in range(n):
        second = d.b[i] if d.op[i] >= ADD else 0
        h = _mix(h, np.uint64(1 + d.op[i] + 16 * d.a[i] + 1024 * second))
    return h | np.uint64(1)


@njit
def _walk(d: Draft, n: int, w: Walk, by_key: bool) -> int:
    """Renumbers in post-order from the result into ``w.spare``; merges equal operations."""
    for i in range(n):
        w.number[i] = -1
    out = w.spare
    count = 0
    top = 0
    w.stack[0] = n - 1
    while top >= 0:
        i = w.stack[top]
        if w.number[i] >= 0:
            top -= 1
            continue
        binary = d.op[i] >= ADD
        first = d.a[i]
        second = d.b[i] if binary else d.a[i]
        if (
            binary
            and by_key
            and (d.op[i] == ADD or d.op[i] == MUL)
            and w.key[first] > w.key[second]
        ):
            first, second = second, first
        if first > 0 and w.number[first - 1] < 0:
            top += 1
            if top >= 3 * WIDE:
                return -1
            w.stack[top] = first - 1
            continue
        if second > 0 and w.number[second - 1] < 0:
            top += 1
            if top >= 3 * WIDE:
                return -1
            w.stack[top] = second - 1
            continue
        left = 0 if first == 0 else w.number[first - 1] + 1
        right = 0 if second == 0 else w.number[second - 1] + 1
        if binary and not by_key and (d.op[i] == ADD or d.op[i] == MUL) and left > right:
            left, right = right, left
        found = -1
        if binary:
            for m in range(count):
                if out.op[m] == d.op[i] and out.a[m] == left and out.b[m] == right:
                    found = m
                    break
        if found < 0:
            found = count
            out.op[count] = d.op[i]
            out.a[count] = left
            out.b[count] = right if binary else 0
            out.c[count] = d.c[i]
            out.cl[count] = d.cl[i]
            count += 1
        w.number[i] = found
        top -= 1
    for i in range(count):
        d.op[i] = out.op[i]
        d.a[i] = out.a[i]
        d.b[i] = out.b[i]
        d.c[i] = out.c[i]
        d.cl[i] = out.cl[i]
    return count


@njit
def _keys(d: Draft, n: int, w: Walk) -> None:
    w.key[0] = np.uint64(12345)
    for i in range(n):
        left = w.key[d.a[i]]
        if d.op[i] < ADD:
            w.key[i + 1] = _mix(left, np.uint64(77 + d.op[i]))
            continue
        right = w.key[d.b[i]]
        if d.op[i] == ADD or d.op[i] == MUL:
            both = (left + right) ^ (left * right)
        else:
            both = _mix(left, right + np.uint64(3))
        w.key[i + 1] = _mix(both, np.uint64(770 + d.op[i]))


@njit
def _set_constant(d: Draft, i: int, value: Any) -> None:
    d.c[i] = value
    d.cl[i] = 0.0


@njit
def _fold(d: Draft, i: int, p: int) -> bool:
    """Folds operation ``i`` on a constant over operation ``p`` on a constant."""
    outer, inner = d.op[i], d.op[p]
    ci, cp = d.c[i], d.c[p]
    if outer == MULC and inner == MULC:
        _set_constant(d, i, ci * cp)
    elif outer == MULC and inner == RDIVC:
        d.op[i] = RDIVC
        _set_constant(d, i, ci * cp)
    elif outer == RDIVC and inner == MULC:
        _set_constant(d, i, ci / cp)
    elif outer == RDIVC and inner == RDIVC:
        d.op[i] = MULC
        _set_constant(d, i, ci / cp)
    elif outer == ADDC and inner == ADDC:
        _set_constant(d, i, ci + cp)
    elif outer == ADDC and inner == RSUBC:
        d.op[i] = RSUBC
        _set_constant(d, i, ci + cp)
    elif outer == RSUBC and inner == ADDC:
        _set_constant(d, i, ci - cp)
    elif outer == RSUBC and inner == RSUBC:
        d.op[i] = ADDC
        _set_constant(d, i, ci - cp)
    else:
        return False
    d.a[i] = d.a[p]
    return True


@njit
def _exchange(d: Draft, i: int, p: int) -> bool:
    """Brings operation ``i`` on a constant and ``p``, used by it alone, into a fixed order."""
    outer, inner = d.op[i], d.op[p]
    ci, cp = d.c[i], d.c[p]
    if outer == MULC and (inner == ADDC or inner == RSUBC):  # noqa: SIM109
        d.op[p] = MULC
        _set_constant(d, p, ci if inner == ADDC else -ci)
        d.op[i] = ADDC
        _set_constant(d, i, ci * cp)
        return True
    if outer == RSUBC and inner == MULC:
        d.op[i] = ADDC
        _set_constant(d, p, -cp)
        return True
    return False


@njit
def _push(d: Draft, i: int, p: int, first: bool) -> bool:
    """Moves the constant of ``p``, used by operation ``i`` alone, behind ``i``.

    ``first`` tells whether ``p`` is the first operand. Afterwards ``p`` has no constant.
    """
    outer, inner = d.op[i], d.op[p]
    u = d.a[p]
    v = d.b[i] if first else d.a[i]
    cp = d.c[p]
    new_outer, new_inner, value = ADDC, ADD, cp
    left, right = u, v
    if outer == ADD and inner == ADDC:
        pass
    elif outer == ADD and inner == RSUBC:
        new_inner, left, right = SUB, v, u
    elif outer == SUB and inner == ADDC:
        new_inner = SUB
        if not first:
            left, right, value = v, u, -cp
    elif outer == SUB and inner == RSUBC:
        if first:
            new_outer = RSUBC
        else:
            value = -cp
    elif outer == MUL and inner == MULC:
        new_outer, new_inner = MULC, MUL
    elif outer == MUL and inner == RDIVC:
        new_outer, new_inner, left, right = MULC, DIV, v, u
    elif outer == DIV and inner == MULC:
        new_outer, new_inner = MULC, DIV
        if not first:
            left, right, value = v, u, 1.0 / cp
    elif outer == DIV and inner == RDIVC:
        new_inner = MUL
        if first:
            new_outer = RDIVC
        else:
            new_outer, value = MULC, 1.0 / cp
    else:
        return False
    d.op[p], d.a[p], d.b[p] = new_inner, left, right
    d.op[i], d.a[i], d.b[i] = new_outer, p + 1, 0
    _set_constant(d, i, value)
    return True


@njit
def _rewrite(d: Draft, n: int, w: Walk) -> int:
    """One pass of the algebra: how many rewrites, -1 where a result is constant."""
    for i in range(n):
        w.uses[i] = 0
    for i in range(n):
        if d.a[i] > 0:
            w.uses[d.a[i] - 1] += 1
        if d.op[i] >= ADD and d.b[i] > 0:
            w.uses[d.b[i] - 1] += 1
    for i in range(n):
        p = d.a[i] - 1
        if d.op[i] < ADD:
            if p >= 0 and d.op[p] < ADD:
                if _fold(d, i, p):
                    return 1
                if w.uses[p] == 1 and _exchange(d, i, p):
                    return 1
            continue
        q = d.b[i] - 1
        if p == q:
            if d.op[i] == SUB or d.op[i] == DIV:
                return -1
            if d.op[i] == ADD:
                d.op[i] = MULC
                _set_constant(d, i, 2.0)
                return 1
            if p >= 0 and d.op[p] == MULC and w.uses[p] == 2:
                value = d.c[p] * d.c[p]
                d.op[p], d.b[p] = MUL, d.a[p]
                d.op[i], d.b[i] = MULC, 0
                _set_constant(d, i, value)
                return 1
            continue
        if p >= 0 and d.op[p] < ADD and w.uses[p] == 1 and _push(d, i, p, True):
            return 1
        if q >= 0 and d.op[q] < ADD and w.uses[q] == 1 and _push(d, i, q, False):
            return 1
    return 0


@njit
def canonical(d: Draft, n: int, w: Walk) -> int:
    """Brings a draft into canonical form in place; returns its operations, -1 to reject it."""
    for _ in range(64):
        n = _walk(d, n, w, False)
        if n <= 0:
            return n
        changed = _rewrite(d, n, w)
        if changed < 0:
            return -1
        if changed == 0:
            break
    _keys(d, n, w)
    n = _walk(d, n, w, True)
    for i in range(n):
        value = d.c[i]
        if d.op[i] < ADD and not (abs(value) < 1e100):
            return -1
    return n
