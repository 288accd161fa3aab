"""Drafts for the tests, and their exact meaning."""

import mpmath as mp
import numpy as np

from xla_evo.discovery.canonical import Draft, new_draft
from xla_evo.discovery.encoding import ADD


def make_draft(*rows):
    """A draft of rows (code, a, b) or (code, a, constant)."""
    draft = new_draft()
    for i, (code, a, other) in enumerate(rows):
        draft.op[i], draft.a[i] = code, a
        if code >= ADD:
            draft.b[i] = other
        else:
            draft.c[i] = other
    return draft


def random_draft(rng: np.random.Generator, n: int) -> Draft:
    draft = new_draft()
    for i in range(n):
        draft.op[i] = rng.integers(0, 8)
        draft.a[i] = rng.integers(0, i + 1)
        draft.b[i] = rng.integers(0, i + 1) if draft.op[i] >= ADD else 0
        draft.c[i] = rng.normal() * 2 if draft.op[i] < ADD else 0.0
    return draft


def draft_of(steps):
    """The arrays of steps; the inverse of `steps_of` up to double-double precision."""
    draft = new_draft()
    with mp.workdps(60):
        for i, step in enumerate(steps):
            draft.op[i], draft.a[i], draft.b[i] = step.code, step.a, step.b
            if step.constant:
                value = mp.mpf(step.constant)
                draft.c[i] = float(value)
                draft.cl[i] = float(value - mp.mpf(float(draft.c[i])))
    return draft


def exact(draft, n, x):
    """Value of a draft at x in mpmath, operands in any order; None at a division by zero."""
    values = {0: mp.mpf(x)}

    def value(v):
        if v not in values:
            i = v - 1
            u = value(int(draft.a[i]))
            k = mp.mpf(float(draft.c[i])) + mp.mpf(float(draft.cl[i]))
            code = int(draft.op[i])
            if code < ADD:
                values[v] = [u + k, u * k, k - u, k / u if u else mp.nan][code]
            else:
                w = value(int(draft.b[i]))
                values[v] = [u + w, u - w, u * w, u / w if w else mp.nan][code - ADD]
        return values[v]

    return value(n)
