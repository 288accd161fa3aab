"""Constants of a record: rounded to the fewest digits that keep its error, and what they are worth.

Constants are rounded one by one and the others fitted again. A redundant constant thereby becomes a
short one.
"""

from dataclasses import dataclass

import mpmath as mp

from xla_evo.discovery.canonical import Draft, new_draft
from xla_evo.discovery.encoding import ADD, ADDC, MUL, MULC, RDIVC, RSUBC, SUB
from xla_evo.discovery.evolve import GAUSS_NEWTON, copy_constants, new_bench, slide
from xla_evo.discovery.fit import fit
from xla_evo.discovery.formula import Step, Steps, compile_steps, decimal_literal
from xla_evo.discovery.minimax import NOISE, Finisher, Fit
from xla_evo.discovery.reference import chebyshev
from xla_evo.targets.reliable import Mp

LOSS = 0.01
"""How much the error may grow by shorter constants, as a part of it."""
MOST_DIGITS = 33


def steps_of(d: Draft, n: int, digits: list[int] | None = None) -> Steps:
    """Returns the steps of a draft with constants of so many digits, by operation."""
    steps: list[Step] = []
    with mp.workdps(60):
        for i in range(n):
            code, a, b = int(d.op[i]), int(d.a[i]), int(d.b[i])
            if code >= ADD:
                steps.append(Step(code, a, b))
                continue
            value = mp.mpf(float(d.c[i])) + mp.mpf(float(d.cl[i]))
            count = MOST_DIGITS if digits is None else digits[i]
            steps.append(Step(code, a, 0, decimal_literal(value, count)))
    return tuple(steps)


def _put(d: Draft, i: int, value: Mp) -> None:
    d.c[i] = float(value)
    d.cl[i] = float(value - mp.mpf(float(d.c[i])))


def shorten(d: Draft, n: int, state: Fit, finisher: Finisher) -> Steps:
    """Rounds the constants of a finished program, in place, and returns its steps.

    The greatest error on the dense grid grows by at most `LOSS`, or stays within `NOISE`.
    """
    problem = state.weighted()
    bench = new_bench(problem)
    start = finisher.error(d, n)
    places = [i for i in range(n) if d.op[i] < ADD]
    digits = [0] * n
    frozen = 0
    trial = new_draft()
    for i in range(n):
        trial.op[i], trial.a[i], trial.b[i] = d.op[i], d.a[i], d.b[i]
    for number, place in enumerate(places):
        allowed = max(start * (1 + LOSS * (number + 1) / len(places)), NOISE)
        with mp.workdps(60):
            exact = mp.mpf(float(d.c[place])) + mp.mpf(float(d.cl[place]))
            for count in range(1, MOST_DIGITS + 1):
                copy_constants(d, trial, n)
                _put(trial, place, mp.mpf(decimal_literal(exact, count)))
                mask = frozen | 1 << number
                if number < len(places) - 1 and count < MOST_DIGITS:
                    error = fit(
                        trial.op, trial.a, trial.b, trial.c, trial.cl, n, problem.weight,
                        bench.scratch, 12, 1e300, mask, 1e-3, start,
                    )  # fmt: skip
                    slide(trial, n, error, problem, bench, 6, mask, GAUSS_NEWTON)
                if finisher.error(trial, n) <= allowed or count == MOST_DIGITS:
                    copy_constants(trial, d, n)
                    digits[place] = count
                    break
        frozen |= 1 << number
    return steps_of(d, n, digits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What the constants of a program are worth.

    Attributes:
        constants: number of constants.
        independent: how many of them matter on their own: the rank of the derivative.
        redundant: groups of constants (c1, c2, ...) that can move together without any change.
        weak: (sensitivity, group) of directions along which the result hardly changes, sensitivity
            in units of that of a single constant.
    """

    constants: int
    independent: int
    redundant: tuple[tuple[str, ...], ...]
    weak: tuple[tuple[float, tuple[str, ...]], ...]

    def text(self) -> str:
        """Lines for a person."""
        lines = [f"{self.constants} constants, {self.independent} independent"]
        for group in self.redundant:
            lines.append(f"redundant: {', '.join(group)} can move together without any change")
        for size, group in self.weak:
            lines.append(
                f"weak: {', '.join(group)} nearly make up for one another; moved together they"
                f" change the result by {size:.1e} of what one alone does"
            )
        return "\n".join(lines)


def explain(steps: Steps, low: float, high: float) -> Explanation:
    """Finds redundant and weak parameters from the derivative in 120 digits on 40 points."""
    with mp.workdps(120):
        rows = [_gradient(steps, mp.mpf(float(x))) for x in chebyshev(low, high, 40)]
        count = len(rows[0])
        if count == 0:
            return Explanation(constants=0, independent=0, redundant=(), weak=())
        norms = [mp.sqrt(mp.fsum(row[k] ** 2 for row in rows)) for k in range(count)]
        gram = mp.matrix(count, count)
        for i in range(count):
            for j in range(count):
                total = mp.fsum(row[i] * row[j] for row in rows)
                gram[i, j] = total / (norms[i] * norms[j])
        values, vectors = mp.eigsy(gram)
        redundant: list[tuple[str, ...]] = []
        weak: list[tuple[float, tuple[str, ...]]] = []
        for m in range(count):
            group = tuple(
                f"c{k + 1}" for k in range(count) if abs(vectors[k, m]) > 0.05
            )  # fmt: skip
            if values[m] < mp.mpf(10) ** -70:
                redundant.append(group)
            elif values[m] < mp.mpf(10) ** -12:
                weak.append((float(mp.sqrt(values[m])), group))
        return Explanation(
            constants=count, independent=count - len(redundant),
            redundant=tuple(redundant), weak=tuple(weak),
        )  # fmt: skip


def _gradient(steps: Steps, x: Mp) -> list[Mp]:
    """Derivative of the result by each constant at a point, by reverse-mode differentiation."""
    values = compile_steps(steps, mp.mpf)(x)
    adjoint = [mp.mpf(0)] * len(values)
    adjoint[-1] = mp.mpf(1)
    found: list[Mp] = []
    for i in range(len(steps) - 1, -1, -1):
        step, g, u, out = steps[i], adjoint[i + 1], values[steps[i].a], values[i + 1]
        if step.code == ADDC:
            by_u, by_c = g, g
        elif step.code == MULC:
            by_u, by_c = g * mp.mpf(step.constant), g * u
        elif step.code == RSUBC:
            by_u, by_c = -g, g
        elif step.code == RDIVC:
            by_u, by_c = -g * out / u, g / u
        else:
            v = values[step.b]
            if step.code == ADD:
                by_u, by_v = g, g
            elif step.code == SUB:
                by_u, by_v = g, -g
            elif step.code == MUL:
                by_u, by_v = g * v, g * u
            else:
                by_u, by_v = g / v, -g * out / v
            adjoint[step.b] += by_v
            adjoint[step.a] += by_u
            continue
        adjoint[step.a] += by_u
        found.append(by_c)
    return found[::-1]
