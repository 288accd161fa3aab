"""erf of float64 to less than 1 ULP: one polynomial, whose coefficients are chosen by intervals."""

import functools

import mpmath as mp
from expression import Value, horner_over_tree, selected, sign_of, with_sign
from fit import fit
from octaves import at_most

from xla_evo_lowering.dtypes import DType

_NEAR, _FAR, _END = 0.90625, 1.484375, 5.93
_HALF, _MIDDLE, _CENTRE = _NEAR**2 / 2, (_NEAR + _FAR) / 2, 2.25
"""What the polynomials are about; the last is right of where its error would show."""
_TERMS = 16
"""Of the first two polynomials; the last has one more."""


@functools.cache
def _fits() -> tuple[tuple[float, ...], ...]:
    """(erf(a) / a - 1 in a^2, erf(a) in a, the eighth root of erfc(a) in a)."""

    def near(v):
        a = mp.sqrt(v + _HALF)
        return mp.erf(a) / a - 1 if a else 2 / mp.sqrt(mp.pi) - 1

    def far(v):
        return mp.erfc(v + _CENTRE) ** (mp.mpf(1) / 8)

    terms, reach = range(_TERMS), _FAR - _MIDDLE
    found = (
        fit(near, -_HALF, _HALF, terms, weight=lambda v: 1 / (1 + near(v))),
        fit(lambda v: mp.erf(v + _MIDDLE), -reach, reach, terms),
        fit(
            far, _FAR - _CENTRE, _END - _CENTRE, range(_TERMS + 1),
            weight=lambda v: 8 * far(v) ** 7,
        ),
    )  # fmt: skip
    return tuple(one.numerator for one in found)


def erf(x: Value, working: DType, bits: float) -> Value:
    """A + a p(a^2) below 0.9, p(a), and 1 - p(a)^8 above 1.5."""
    a = at_most(abs(x), _END)
    near, far = a < _NEAR, a > _FAR
    v = near.where(a * a - _HALF, far.where(a - _CENTRE, a - _MIDDLE))
    first, second, third = _fits()
    inner = *selected(near, x, first, second), 0.0
    terms = [far.where(x.constant(one), other) for one, other in zip(third, inner, strict=True)]
    p = horner_over_tree(v, terms, 3)
    square = p * p
    fourth = square * square
    # A product with p would leave the normal numbers before the result does.
    tiny = a < 2.0**-960
    base = near.where(tiny.where(a * 2.0**60, a), 1.0)
    y = near.where(p, -fourth) * near.where(base, fourth) + base
    y = tiny.where(y * 2.0**-60, (near | far).where(y, p))
    return with_sign(y, sign_of(x))
