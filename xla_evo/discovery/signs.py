"""Signs of a record's constants: ``x + 361.6 / x`` instead of ``x - (-361.6) / x``.

Turning the sign of a value costs no operation where those that use it can take it up: a sum becomes
a difference, a constant changes its sign, a product hands it on. Rounding is symmetric, so that
the result does not change in any arithmetic.
"""

from dataclasses import replace

from xla_evo.discovery.encoding import ADD, ADDC, DIV, MUL, MULC, RDIVC, RSUBC, SUB
from xla_evo.discovery.formula import Step, Steps


def fewer_minus_signs(steps: Steps) -> Steps:
    """Returns steps of the same values up to sign, with as few negative constants as can be had."""
    found = steps
    improved = True
    while improved:
        improved = False
        for value in range(1, len(steps)):
            turned = _turned(found, value)
            if turned is not None and _negatives(turned) < _negatives(found):
                found, improved = turned, True
    return found


def _negatives(steps: Steps) -> int:
    """Negative constants; ``a + c`` reads well with either sign."""
    return sum(s.constant.startswith("-") and s.code != ADDC for s in steps)


def _opposite(literal: str) -> str:
    return literal.removeprefix("-") if literal.startswith("-") else f"-{literal}"


def _turned_source(step: Step) -> Step | None:
    """The operation with the result of opposite sign, from the same operands."""
    if step.code in (MULC, RDIVC):
        return replace(step, constant=_opposite(step.constant))
    if step.code in (ADDC, RSUBC):
        code = RSUBC if step.code == ADDC else ADDC
        return replace(step, code=code, constant=_opposite(step.constant))
    return Step(SUB, step.b, step.a) if step.code == SUB else None


def _turned(steps: Steps, value: int) -> Steps | None:
    """The steps with one value of opposite sign; None where the result would change its own."""
    source = _turned_source(steps[value - 1])
    if source is None:
        return None
    found = list(steps)
    found[value - 1] = source
    turned = {value}
    for i in range(value, len(steps)):
        step = steps[i]
        left, right = step.a in turned, step.code >= ADD and step.b in turned
        if not (left or right):
            continue
        if step.code in (MULC, RDIVC):
            found[i] = replace(step, constant=_opposite(step.constant))
        elif step.code in (ADDC, RSUBC):
            found[i] = replace(step, code=RSUBC if step.code == ADDC else ADDC)
        elif step.code in (MUL, DIV):
            if left != right:
                turned.add(i + 1)
        elif left and right:
            turned.add(i + 1)
        elif step.code == ADD:
            found[i] = Step(SUB, step.b, step.a) if left else Step(SUB, step.a, step.b)
        elif right:
            found[i] = Step(ADD, step.a, step.b)
        else:
            found[i] = Step(ADD, step.a, step.b)
            turned.add(i + 1)
    return None if len(steps) in turned else tuple(found)
