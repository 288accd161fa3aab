"""Scaffolds for GPUs and TPUs: float32 alone, without division and without contraction of a*b + c.

To add one is to add a row and its text in ``data``. On a GPU subnormal numbers are numbers; on a
TPU there is no float64, and a division is an estimate with corrections whose bits no document
tells.
"""

_GRADUAL = (
    "the power of two as a factor, in two steps of which the second, exact in the normal range,"
    " rounds once where the result is subnormal"
)
_SCALED = "subnormal inputs times 2^24, exponent and significand from the bits"
_EXP2 = (
    "1 - 2 E / (1 + E) from 0.9 on as a polynomial in E = exp(-2x), which range reduction in"
    " base two gives; below it the hole"
)
_MASKED = (
    "the exponent masked once, subtracted from the bits and converted as it stands; k log(2) is"
    " rounded once"
)
_POWER = "1 - p(x)^4 from 1.2 on, p near the fourth root of erfc(x); below it x hole, in x^2 - 3/4"
_TAIL = "1 - hole from 1.2 on; below it x times a polynomial in x^2 - 3/4"
_ERF = "1 - exp2(p(x)) from 0.9 on, p near log2(erfc(x)); below it x + x hole"
_WORDS = (
    "x/(2 pi) modulo 1 in integers for every input: the bits of 1/(2 pi) that count as three words,"
    " funnel-shifted out of eight, times the significand by 12-bit digits, which keeps 56 bits"
    " after the point (Payne and Hanek, ACM SIGNUM 18(1), 1983); the angle in two parts"
)
_SHORT = (
    "x/(2 pi) modulo 1 in integers for every input: the bits of 1/(2 pi) that count, funnel-shifted"
    " out of ten words, times the significand; of the product with the second part an integer"
    " product has the last 32 bits, and a product of floats the others (Payne and Hanek, ACM SIGNUM"
    " 18(1), 1983)"
)
_FOLD = (
    "asin(x) = pi/2 - 2 asin(sqrt((1 - x)/2)) above 1/2; the root from its bits and steps of"
    " Newton's method"
)
_ARC = ("(asin(sqrt(x))/sqrt(x) - 1)/x", 1e-9, 0.25, ((-1.0, 1.0), (0.4, 0.6)))

ROWS: tuple[tuple[str, str, str, float, float, tuple[tuple[float, float], ...], str], ...] = (
    ("exp-gradual", "exp", "exp(x)", -0.34665, 0.34665, ((-104.0, 88.7), (-2.0, 2.0)), _GRADUAL),
    ("log-gradual", "log", "(log1p(x) - x)/x**2", -1 / 3, 1 / 3,
     ((0.5, 2.0), (0.9, 1.1), (0.0, 16.0)), _SCALED),
    ("tanh-exp2", "tanh", "(tanh(sqrt(x))/sqrt(x) - 1)/x", 1e-9, 0.81,
     ((-0.9, 0.9), (-1.2, 1.2)), _EXP2),
    ("erf-exp2", "erf", "erf(sqrt(x))/sqrt(x) - 1", 1e-9, 0.81, ((-0.9, 0.9), (-1.2, 1.2)), _ERF),
    ("log-masked", "log", "(log1p(x) - x)/x**2", -0.3001, 0.4001,
     ((0.5, 2.0), (0.9, 1.1), (0.0, 16.0)), _MASKED),
    ("log-masked-gradual", "log", "(log1p(x) - x)/x**2", -0.3001, 0.4001,
     ((0.5, 2.0), (0.9, 1.1), (0.0, 16.0)), f"{_SCALED}; {_MASKED}"),
    ("erf-power", "erf", "erf(sqrt(x + 0.75))/sqrt(x + 0.75)", -0.749999999, 0.6901,
     ((-1.21, 1.21), (-0.5, 0.5)), _POWER),
    ("erf-tail", "erf", "erfc(x)", 1.2, 3.93, ((1.2, 4.0), (1.2, 1.6), (-4.0, -1.2)), _TAIL),
    ("sin-words", "sin", "(sin(sqrt(x))/sqrt(x) - 1)/x", 1e-9, 2.4675,
     ((-1.6, 1.6), (-40.0, 40.0)), _WORDS),
    ("cos-turns", "cos", "(sin(sqrt(x))/sqrt(x) - 1)/x", 1e-9, 2.4675,
     ((-1.6, 1.6), (-40.0, 40.0)), f"{_SHORT}; the sine of what is left of half turns"),
    ("cos-quarters", "cos", "(cos(sqrt(x)) - 1 + x/2)/x**2", 1e-9, 1.0,
     ((-1.6, 1.6), (-40.0, 40.0)),
     f"{_SHORT}; a sine or a cosine, 1 - x/2 + x^2 hole, of what is left of quarters, an angle in"
     " two parts"),
    ("sin-quarters", "sin", "(sin(sqrt(x))/sqrt(x) - 1)/x", 1e-9, 1.0,
     ((-1.6, 1.6), (-40.0, 40.0)),
     f"{_SHORT}; that of cos-quarters, x + x^3 hole the sine"),
    ("asin-newton", "asin", *_ARC, _FOLD),
    ("asin-residual", "asin", *_ARC,
     f"{_FOLD}, with its residual, and with what is rounded next to pi/2"),
    ("acos-newton", "acos", *_ARC, _FOLD),
    ("acos-residual", "acos", *_ARC, "that of acos-newton, the root with its residual"),
    ("atan-newton", "atan", "(atan(sqrt(x))/sqrt(x) - 1)/x", 1e-9, 1.0,
     ((-1.0, 1.0), (1.0, 8.0)),
     "atan(x) = pi/2 - atan(1/x) above 1; the reciprocal from the bits of the input and steps of"
     " Newton's method"),
    ("atan-folded", "atan", "(atan(sqrt(x))/sqrt(x) - 1)/x", 1e-9, 0.4097,
     ((-1.0, 1.0), (1.0, 8.0)),
     "pi/4 + atan((x - 1)/(x + 1)) from 0.64 to 1/0.64, pi/2 - atan(1/x) above; the quotient in two"
     " parts"),
    ("tan-turns", "tan", "sqrt(x)/tan(sqrt(x))*(1 - 0.09615744537722716*x)", 1e-9, 1.0,
     ((-1.6, 1.6), (-40.0, 40.0)),
     f"{_SHORT}; x n(x^2) over the hole, or its negative inverse, of what is left of quarters"),
    ("tan-quarters", "tan", "(tan(sqrt(x))/sqrt(x) - 1)/x", 1e-9, 1.0,
     ((-1.6, 1.6), (-40.0, 40.0)),
     f"{_SHORT}; x + x^3 hole of what is left of quarters, in two parts, or its negative inverse"),
    ("sinc-newton", "sinc", "(sin(pi*sqrt(x))/(pi*sqrt(x)) - 1)/x", 1e-9, 0.25,
     ((-2.0, 2.0), (-16.0, 16.0)),
     "what is left of x less the nearest integer, w, is exact; w/x by the reciprocal of"
     " atan-newton, in two parts, and its product with w^2 hole"),
)  # fmt: skip
"""Name, function, what the hole approximates, its ends, ranges of test points, method."""

FAST = (
    "erf-fast", "erfc-fast", "exp-fast", "gelu-fast", "gelu-tanh-fast", "logistic-fast",
    "silu-fast", "tanh-fast",
)  # fmt: skip
"""Those made for the error of the built-in."""

PLATFORMS: dict[str, tuple[str, ...]] = {
    "exp-gradual": ("cuda",), "log-gradual": ("cuda",), "log-masked-gradual": ("cuda",),
    "log-masked": ("tpu",), "erf-power": ("cuda", "tpu"), "erf-tail": ("cuda", "tpu"),
    "tanh-exp2": ("cuda", "tpu"),
    "erf-exp2": ("cuda", "tpu"), "erf": ("cpu",), "erf-far": ("cpu",), "log-exact": ("cpu",),
    "log-nested": ("cpu",), "log10-nested": ("cpu",), "tanh-shared": ("cpu",),
    "acos-short": ("cpu",), "atan-short": ("cpu",), "atan2-short": ("cpu",),
    "cbrt-fused": ("cpu",), "erf-inv-short": ("cpu",), "logistic-quotient": ("cpu",),
    "silu-quotient": ("cpu",),
    "sin-words": ("tpu",), "sin-fused": ("cpu",), "cos-fused": ("cpu",), "tan-fused": ("cpu",),
    "cos-near": ("cpu",), "tan-near": ("cpu",),
    "sinh": ("cpu",), "cosh": ("cpu",), "softplus": ("cpu",), "log-sigmoid": ("cpu",),
    **dict.fromkeys(FAST, ("cpu",)),
    "exp": ("cpu", "tpu"), "exp2": ("cpu", "tpu"), "log": ("cpu", "tpu"), "log2": ("cpu", "tpu"),
    "log10": ("cpu", "tpu"), "cos-turns": ("tpu",), "cos-quarters": ("tpu",),
    "sin-quarters": ("tpu",),
    "asin-newton": ("tpu",), "asin-residual": ("tpu",), "acos-newton": ("tpu",),
    "acos-residual": ("tpu",), "atan-newton": ("tpu",), "atan-folded": ("tpu",),
    "tan-turns": ("tpu",), "tan-quarters": ("tpu",), "sinc-newton": ("tpu",),
}  # fmt: skip
"""Where a scaffold is of use, if not everywhere: those of exp and log for CPUs read and write
subnormal numbers as zero, others count on the contraction of a*b + c."""
