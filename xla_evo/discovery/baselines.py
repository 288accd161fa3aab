"""What is known without search, for the same function and domain, at every number of operations.

Taylor and Pade about the middle of the domain; the minimax polynomial, counted in Horner's and in
Knuth's and Eve's form; minimax rationals, counted in Horner's form and as a continued fraction; and
for exp and exp2 the even-part quotient (H + x) / (H - x), H even, with squarings.

Counts of operations (constants are free, leading coefficients of denominators are one):
polynomial of degree d: 2d (Horner), d + floor(d/2) + 2 (Knuth, "Evaluation of polynomials by
computer", CACM 5, 1962; Eve, "The evaluation of polynomials", Numer. Math. 6, 1964); rational of
degrees p over q: 2(p + q) (Horner), 3 min(p, q) + 2 |p - q| (continued fraction).
"""

import math
from collections.abc import Iterator

import mpmath as mp

from xla_evo.discovery.canonical import Draft, new_draft
from xla_evo.discovery.config import DiscoveryConfig
from xla_evo.discovery.encoding import (
    ADD,
    ADDC,
    DIV,
    MAX_OPS,
    MUL,
    MULC,
    RDIVC,
    RSUBC,
    SUB,
)  # fmt: skip
from xla_evo.discovery.evolve import new_bench
from xla_evo.discovery.fit import fit
from xla_evo.discovery.minimax import Finisher
from xla_evo.discovery.reference import DIGITS, Reference, chebyshev, fitting_nodes
from xla_evo.discovery.remez import horner, polynomial_error, remez
from xla_evo.discovery.selection import finished
from xla_evo.targets.reliable import Mp

Baselines = dict[str, dict[int, float]]
"""By name of the method: the least error with at most so many operations."""

Row = tuple[str, int, float]
"""Name of the method, operations, error."""

POINTS = 301


def knuth_eve_operations(degree: int) -> int:
    """Operations of a polynomial with adapted coefficients, never more than Horner's."""
    return min(2 * degree, degree + degree // 2 + 2)


def rational_operations(p: int, q: int, *, continued_fraction: bool) -> int:
    """Operations of a rational function of degrees p over q."""
    if continued_fraction:
        return 3 * min(p, q) + 2 * abs(p - q)
    return 2 * (p + q)


def baselines(config: DiscoveryConfig, reference: Reference, finisher: Finisher) -> Baselines:
    """Computes all that apply, up to the most operations of the settings."""
    most = config.max_ops
    found: list[Row] = []
    symmetry = config.target().symmetry
    with mp.workdps(DIGITS):
        found += _polynomials(reference, most)
        series = _series(reference, _middle(reference), most + 4)
        if series is not None:
            found += _taylor_and_pade(reference, series, most)
            found += _rationals(reference, finisher, series, most)
        if symmetry != "none" and not config.low < 0 < config.high:
            parity = 1 if symmetry == "odd" else 0
            found += _polynomials_in_square(reference, most, parity)
            found += _rationals_in_square(reference, finisher, most, parity)
    if config.function in ("exp", "exp2"):
        found += _even_part_quotients(config, finisher, most)
    return _best_up_to(found, most)


def _best_up_to(found: list[Row], most: int) -> Baselines:
    table: Baselines = {}
    for name, operations, error in found:
        row = table.setdefault(name, {})
        for n in range(operations, most + 1):
            row[n] = min(error, row.get(n, math.inf))
    return {name: {n: float(e) for n, e in sorted(row.items())} for name, row in table.items()}


def _error(reference: Reference, numerator: list[Mp], denominator: list[Mp]) -> float:
    """Greatest weighted error of a quotient of polynomials in x; inf at a pole."""
    worst = mp.mpf(0)
    sign = 0
    for x in chebyshev(reference.low, reference.high, POINTS):
        value, weight = reference.at(float(x))
        point = mp.mpf(float(x))
        bottom = horner(denominator, point)
        if bottom == 0 or (sign and (bottom > 0) != (sign > 0)):
            return math.inf
        sign = 1 if bottom > 0 else -1
        worst = max(worst, abs(horner(numerator, point) / bottom - value) * weight)
    return float(worst)


def _middle(reference: Reference) -> Mp:
    return (mp.mpf(reference.low) + reference.high) / 2


def _series(reference: Reference, center: Mp, degree: int) -> list[Mp] | None:
    """Taylor coefficients about a point; None where the function has none there."""
    try:
        with mp.workdps(2 * DIGITS):
            terms = mp.taylor(lambda x: reference.exact(x)[0], center, degree)
    except (ZeroDivisionError, ValueError):
        return None
    return terms if all(mp.isfinite(term) for term in terms) else None


def _shifted(coefficients: list[Mp], middle: Mp) -> list[Mp]:
    """Coefficients in x of a polynomial in x - middle."""
    result: list[Mp] = [mp.mpf(0)] * len(coefficients)
    for k, value in enumerate(coefficients):
        for j in range(k + 1):
            result[j] += value * mp.binomial(k, j) * (-middle) ** (k - j)
    return result


def _polynomials(reference: Reference, most: int) -> Iterator[Row]:
    for degree in range(1, most + 1):
        if knuth_eve_operations(degree) > most:
            return
        error = polynomial_error(reference, remez(reference, range(degree + 1)))
        yield "minimax polynomial (Horner)", 2 * degree, error
        yield "minimax polynomial (Knuth-Eve)", knuth_eve_operations(degree), error


def _degrees(most: int) -> Iterator[tuple[int, int]]:
    for p in range(most):
        for q in range(1, most):
            small = rational_operations(p, q, continued_fraction=True) <= most
            if small and 2 * (p + q) <= MAX_OPS and abs(p - q) <= 2:
                yield p, q


def _pade(series: list[Mp], p: int, q: int, middle: Mp) -> tuple[list[Mp], list[Mp]] | None:
    try:
        top, bottom = mp.pade(series, p, q)
    except ZeroDivisionError:
        return None
    return _shifted(top, middle), _shifted(bottom, middle)


def _taylor_and_pade(reference: Reference, series: list[Mp], most: int) -> Iterator[Row]:
    middle = _middle(reference)
    for degree in range(1, most // 2 + 1):
        terms = _shifted(series[: degree + 1], middle)
        yield "Taylor (Horner)", 2 * degree, _error(reference, terms, [mp.mpf(1)])
    for p, q in _degrees(most):
        pair = _pade(series, p, q, middle)
        if pair is not None:
            cost = rational_operations(p, q, continued_fraction=True)
            yield "Pade (continued fraction)", cost, _error(reference, *pair)


def _rationals(
    reference: Reference, finisher: Finisher, series: list[Mp], most: int
) -> Iterator[Row]:
    for p, q in _degrees(most):
        draft = _rational_draft(_pade(series, p, q, _middle(reference)))
        if draft is not None:
            error = _minimax(*draft, finisher)
            for name, fraction in (("Horner", False), ("continued fraction", True)):
                cost = rational_operations(p, q, continued_fraction=fraction)
                yield f"minimax rational ({name})", cost, error


def _polynomials_in_square(reference: Reference, most: int, parity: int) -> Iterator[Row]:
    for degree in range(1, most):
        cost = 1 + parity + knuth_eve_operations(degree)
        if cost > most:
            return
        error = polynomial_error(reference, remez(reference, range(parity, 2 * degree + 2, 2)))
        yield "minimax polynomial in x*x (Horner)", 1 + parity + 2 * degree, error
        yield "minimax polynomial in x*x (Knuth-Eve)", cost, error


def _rationals_in_square(
    reference: Reference, finisher: Finisher, most: int, parity: int
) -> Iterator[Row]:
    series = _series(reference, mp.mpf(0), 2 * most + 5)
    if series is None:
        return
    zero = mp.mpf(0)
    for p, q in _degrees(most - 1 - parity):
        draft = _rational_draft(_pade(series[parity::2], p, q, zero), parity)
        if draft is not None:
            error = _minimax(*draft, finisher)
            cost = 1 + parity + rational_operations(p, q, continued_fraction=True)
            yield "minimax rational in x*x (continued fraction)", cost, error


class _Code:
    """Writes a draft operation by operation."""

    def __init__(self) -> None:
        self.draft: Draft = new_draft()
        self.n = 0

    def add(self, code: int, a: int, b: int = 0, constant: Mp | None = None) -> int:
        d, i = self.draft, self.n
        d.op[i], d.a[i], d.b[i] = code, a, b
        if constant is not None:
            d.c[i] = float(constant)
            d.cl[i] = float(constant - mp.mpf(float(d.c[i])))
        self.n += 1
        return self.n


def _horner(code: _Code, x: int, coefficients: list[Mp], *, monic: bool) -> int:
    """Adds a polynomial of degree one or more; a monic one saves a product."""
    *rest, lead = coefficients
    value = x if monic else code.add(MULC, x, constant=lead)
    value = code.add(ADDC, value, constant=rest.pop())
    while rest:
        value = code.add(ADDC, code.add(MUL, value, x), constant=rest.pop())
    return value


def _rational_draft(
    pair: tuple[list[Mp], list[Mp]] | None, parity: int | None = None
) -> tuple[Draft, int] | None:
    """The quotient with a monic denominator; None where a leading coefficient is zero.

    With a parity it is a quotient in x*x, times x where the parity is 1.
    """
    if pair is None or pair[0][-1] == 0 or pair[1][-1] == 0:
        return None
    top, bottom = ([value / pair[1][-1] for value in part] for part in pair)
    code = _Code()
    x = 0 if parity is None else code.add(MUL, 0, 0)
    below = _horner(code, x, bottom, monic=True)
    if len(top) == 1:
        value = code.add(RDIVC, below, constant=top[0])
    else:
        value = code.add(DIV, _horner(code, x, top, monic=False), below)
    if parity == 1:
        code.add(MUL, value, 0)
    return (code.draft, code.n) if code.n <= MAX_OPS else None


def _minimax(draft: Draft, n: int, finisher: Finisher) -> float:
    """Fits the constants of a given structure from where they are."""
    reference = finisher.reference
    problem = reference.problem(fitting_nodes(reference.low, reference.high))
    scratch = new_bench(problem).scratch
    error = fit(
        draft.op, draft.a, draft.b, draft.c, draft.cl, n, problem.weight, scratch,
        200, 1e300, 0, 1e-4, 1e300,
    )  # fmt: skip
    return finished(draft, n, error, finisher)[1].error


def _even_part_quotients(config: DiscoveryConfig, finisher: Finisher, most: int) -> Iterator[Row]:
    """(H(z) + t) / (H(z) - t) with z = t*t, squared s times, t = x or x - middle."""
    rate = mp.log(2) if config.function == "exp2" else mp.mpf(1)
    middle = (mp.mpf(config.low) + config.high) / 2
    for shifted in (False, True):
        for degree in range(3):
            for squarings in range(5):
                k = rate / 2**squarings
                even = [2 / k, k / 6, -(k**3) / 360][: degree + 1]
                code = _Code()
                t = code.add(ADDC, 0, constant=-middle) if shifted else 0
                if degree == 0:
                    top = code.add(ADDC, t, constant=even[0])
                    bottom = code.add(RSUBC, t, constant=even[0])
                else:
                    h = _horner(code, code.add(MUL, t, t), even, monic=False)
                    top, bottom = code.add(ADD, h, t), code.add(SUB, h, t)
                value = code.add(DIV, top, bottom)
                for _ in range(squarings):
                    value = code.add(MUL, value, value)
                if shifted:
                    code.add(MULC, value, constant=mp.exp(rate * middle))
                if code.n <= most:
                    yield (
                        "even-part quotient with squarings", code.n,
                        _minimax(code.draft, code.n, finisher),
                    )  # fmt: skip
