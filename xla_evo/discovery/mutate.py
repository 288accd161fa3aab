"""Mutations: small changes of a structure, with starting constants that keep what was good.

Each builds a draft from a parent and returns its number of operations, or -1 where the change
cannot be made. Insertions start neutral (x + 0, x * 1, x + 0 * y) in about half the cases, so that
the fit begins at the parent's error.
"""

from typing import Final

import numpy as np

from xla_evo._numba import njit
from xla_evo._random import below, normal, uniform
from xla_evo.discovery.canonical import Draft
from xla_evo.discovery.encoding import (
    ADD,
    ADDC,
    DIV,
    MAX_OPS,
    MULC,
    RDIVC,
    RSUBC,
    SUB,
    Ints,
    Reals,
    Words,
)  # fmt: skip

INSERT_ONE: Final = 0
INSERT_TWO: Final = 1
REMOVE: Final = 2
REWIRE: Final = 3
CHANGE: Final = 4
SWAP: Final = 5
GRAFT: Final = 6


@njit
def load(d: Draft, op: Ints, a: Ints, b: Ints, c: Reals, cl: Reals, n: int, at: int) -> None:
    """Copies a program to operations ``at ...`` of a draft, its own operands shifted along."""
    for i in range(n):
        d.op[at + i] = op[i]
        d.a[at + i] = a[i] + at if a[i] > 0 else 0
        d.b[at + i] = b[i] + at if b[i] > 0 else 0
        d.c[at + i] = c[i]
        d.cl[at + i] = cl[i]


@njit
def _open_gap(d: Draft, n: int, at: int, width: int) -> None:
    for i in range(n - 1, at - 1, -1):
        d.op[i + width] = d.op[i]
        d.a[i + width] = d.a[i] + width if d.a[i] > at else d.a[i]
        d.b[i + width] = d.b[i] + width if d.b[i] > at else d.b[i]
        d.c[i + width] = d.c[i]
        d.cl[i + width] = d.cl[i]


@njit
def _random_constant(rng: Words) -> float:
    value = np.exp(normal(rng) * 1.2)
    return value if uniform(rng) < 0.6 else -value


@njit
def _unary(d: Draft, i: int, source: int, rng: Words, neutral: bool) -> None:
    code = below(rng, 4)
    d.op[i], d.a[i], d.b[i], d.cl[i] = code, source, 0, 0.0
    if neutral and code == ADDC:
        d.c[i] = 0.0
    elif neutral and code == MULC:
        d.c[i] = 1.0
    else:
        d.c[i] = _random_constant(rng)


@njit
def _binary(d: Draft, i: int, source: int, other: int, rng: Words) -> None:
    d.op[i] = ADD + below(rng, 4)
    d.c[i] = 0.0
    d.cl[i] = 0.0
    if uniform(rng) < 0.5:
        d.a[i], d.b[i] = source, other
    else:
        d.a[i], d.b[i] = other, source


@njit
def _attach(d: Draft, total: int, at: int, slot: int, old: int, new: int, rng: Words) -> None:
    """Feeds value ``new`` to the operation behind the edge, or to all later users of ``old``."""
    every = uniform(rng) < 0.3
    for i in range(at, total):
        if (i == at and slot == 0) or (every and d.a[i] == old):
            d.a[i] = new
        if d.op[i] >= ADD and ((i == at and slot == 1) or (every and d.b[i] == old)):
            d.b[i] = new


@njit
def insert(d: Draft, n: int, rng: Words, width: int) -> int:
    """Puts one or two operations on an edge."""
    at = below(rng, n + 1)
    slot = 0
    source = n
    if at < n:
        if d.op[at] >= ADD and uniform(rng) < 0.5:
            slot = 1
            source = d.b[at]
        else:
            source = d.a[at]
    _open_gap(d, n, at, width)
    other = below(rng, at + 1)
    last = at + width
    if width == 1:
        if uniform(rng) < 0.4:
            _unary(d, at, source, rng, uniform(rng) < 0.7)
        else:
            _binary(d, at, source, other, rng)
    else:
        draw = uniform(rng)
        if draw < 0.35:
            d.op[at] = MULC if uniform(rng) < 0.5 else RDIVC
            d.a[at], d.b[at], d.c[at], d.cl[at] = other, 0, 0.0, 0.0
            d.op[at + 1], d.a[at + 1], d.b[at + 1] = ADD, source, at + 1
            d.c[at + 1] = 0.0
        elif draw < 0.6:
            _unary(d, at, other, rng, False)
            _binary(d, at + 1, source, at + 1, rng)
        elif draw < 0.8:
            _binary(d, at, other, below(rng, at + 1), rng)
            _binary(d, at + 1, source, at + 1, rng)
        else:
            if uniform(rng) < 0.5:
                _unary(d, at, source, rng, True)
            else:
                _binary(d, at, source, other, rng)
            if uniform(rng) < 0.5:
                _unary(d, at + 1, at + 1, rng, True)
            else:
                _binary(d, at + 1, at + 1, below(rng, at + 2), rng)
    if at < n:
        _attach(d, n + width, last, slot, source, last, rng)
    return n + width


@njit
def remove(d: Draft, n: int, rng: Words) -> int:
    """Replaces an operation by one of its operands."""
    if n < 2:
        return -1
    i = below(rng, n)
    replacement = d.a[i]
    if d.op[i] >= ADD and uniform(rng) < 0.5:
        replacement = d.b[i]
    for m in range(i + 1, n):
        if d.a[m] == i + 1:
            d.a[m] = replacement
        if d.b[m] == i + 1:
            d.b[m] = replacement
    return n if i < n - 1 else replacement


@njit
def rewire(d: Draft, n: int, rng: Words) -> int:
    """Feeds another earlier value to an operand."""
    i = below(rng, n)
    if d.op[i] >= ADD and uniform(rng) < 0.5:
        d.b[i] = below(rng, i + 1)
    else:
        d.a[i] = below(rng, i + 1)
    return n


@njit
def change(d: Draft, n: int, rng: Words) -> int:
    """Gives an operation another code, at times with the other number of operands."""
    i = below(rng, n)
    code = below(rng, 8)
    if code == d.op[i]:
        return -1
    if code >= ADD and d.op[i] < ADD:
        d.b[i] = below(rng, i + 1)
        if uniform(rng) < 0.5:
            d.a[i], d.b[i] = d.b[i], d.a[i]
    elif code < ADD and d.op[i] >= ADD:
        if uniform(rng) < 0.5:
            d.a[i] = d.b[i]
        d.b[i] = 0
        d.c[i] = _random_constant(rng)
        d.cl[i] = 0.0
    d.op[i] = code
    return n


@njit
def swap(d: Draft, n: int, rng: Words) -> int:
    """Exchanges the operands of a - or /, or the codes of two operations."""
    i = below(rng, n)
    if uniform(rng) < 0.5:
        code = d.op[i]
        if code == SUB or code == DIV:  # noqa: SIM109
            d.a[i], d.b[i] = d.b[i], d.a[i]
            return n
        if code == ADDC:
            d.op[i] = RSUBC
            return n
        if code == MULC:
            d.op[i] = RDIVC
            return n
        if code == RSUBC:
            d.op[i] = ADDC
            return n
        if code == RDIVC:
            d.op[i] = MULC
            return n
    m = below(rng, n)
    if d.op[i] == d.op[m] or (d.op[i] < ADD) != (d.op[m] < ADD):
        return -1
    d.op[i], d.op[m] = d.op[m], d.op[i]
    d.c[i], d.c[m] = d.c[m], d.c[i]
    d.cl[i], d.cl[m] = d.cl[m], d.cl[i]
    return n


@njit
def graft(
    d: Draft, n: int, op: Ints, a: Ints, b: Ints, c: Reals, cl: Reals, donor: int, rng: Words
) -> int:
    """Feeds a value of another program to an operand; what it needs comes along."""
    value = below(rng, donor) + 1
    if n + value > 2 * MAX_OPS:
        return -1
    for i in range(n - 1, -1, -1):
        d.op[i + value] = d.op[i]
        d.a[i + value] = d.a[i] + value if d.a[i] > 0 else 0
        d.b[i + value] = d.b[i] + value if d.b[i] > 0 else 0
        d.c[i + value] = d.c[i]
        d.cl[i + value] = d.cl[i]
    load(d, op, a, b, c, cl, value, 0)
    i = value + below(rng, n)
    if uniform(rng) < 0.15:
        total = n + value
        d.op[total] = ADD + below(rng, 4)
        d.a[total], d.b[total] = total, value
        d.c[total] = 0.0
        if uniform(rng) < 0.5:
            d.a[total], d.b[total] = value, total
        return total + 1
    if d.op[i] >= ADD and uniform(rng) < 0.5:
        d.b[i] = value
    else:
        d.a[i] = value
    return n + value
