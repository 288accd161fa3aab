"""Scaffolds for GPUs and TPUs: float32 alone, without division and without contraction of a*b + c.

On a GPU subnormal numbers are numbers; on a TPU there is no float64, and a division is an estimate
with corrections whose bits no document tells. To add one is to add a row and its text in ``data``;
those for TPUs alone have a module of their own.
"""

from xla_evo.scaffolds import tpu

_GRADUAL = (
    "the power of two as a factor, in two steps of which the second, exact in the normal range,"
    " rounds once where the result is subnormal"
)
_SCALED = "subnormal inputs times 2^24, exponent and significand from the bits"
_TINY = "subnormal inputs times 2^24"
_LAST = "the power of two times 2^64, which a last product takes back, so that it rounds once"
_TAIL_OF_EXP = "(expm1(x) - x)/x**2"
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
    ("exp-parts-gradual", "exp", _TAIL_OF_EXP, -0.34665, 0.34665, ((-104.0, 88.7), (-2.0, 2.0)),
     f"{_GRADUAL}; that of exp-parts"),
    ("exp2-gradual", "exp2", "2**x", -0.5, 0.5, ((-150.0, 128.0), (-2.0, 2.0)), _GRADUAL),
    ("log-nested-gradual", "log", "log1p(x)/x - 1", -1 / 3, 1 / 3,
     ((0.5, 2.0), (0.9, 1.1), (0.0, 16.0)), f"{_TINY}; that of log-nested"),
    ("log2-halves-gradual", "log2",
     "log1p(x + 0.25)/(x + 0.25)*1.4426950408889634073599 - 1.5", -0.5429, 0.1643,
     ((0.5, 2.0), (0.9, 1.1), (0.0, 16.0)), f"{_TINY}; that of log2-halves"),
    ("log10-split-gradual", "log10", "log1p(x)/x*0.43429448190325182765112 - 0.4342041015625",
     -0.3333, 0.3336, ((0.5, 2.0), (0.9, 1.1), (0.0, 16.0)), f"{_TINY}; that of log10-split"),
    ("cbrt-gradual", "cbrt", "(cbrt(1/(1 - x))**2 - 1)/x", -0.1022, 0.1027,
     ((0.1, 1.0), (1.0, 8.0)), f"{_TINY}; that of cbrt-exact"),
    ("rsqrt-gradual", "rsqrt", "(1/sqrt(1 - x/4) - 1)/x", -0.2739, 0.2739,
     ((1.0, 4.0), (0.25, 1.0)), f"{_TINY}; that of rsqrt-exact"),
    ("logistic-gradual", "logistic", _TAIL_OF_EXP, -0.34665, 0.34665,
     ((-17.0, 17.0), (-104.0, -80.0)), f"{_LAST}; that of logistic-exact"),
    ("softplus-gradual", "softplus", _TAIL_OF_EXP, -0.34665, 0.34665,
     ((-80.0, 20.0), (-3.0, 3.0)), f"{_LAST}; that of softplus-parts"),
    ("log-sigmoid-gradual", "log_sigmoid", _TAIL_OF_EXP, -0.34665, 0.34665,
     ((-20.0, 80.0), (-3.0, 3.0)), f"{_LAST}; that of log-sigmoid-parts"),
)  # fmt: skip
"""Name, function, what the hole approximates, its ends, ranges of test points, method."""

FAST = (
    "erf-fast", "erfc-fast", "exp-fast", "gelu-fast", "gelu-tanh-fast", "logistic-fast",
    "silu-fast", "tanh-fast",
)  # fmt: skip
"""Those made for the error of the built-in."""

PLATFORMS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys((row[0] for row in ROWS if row[0].endswith("-gradual")), ("cuda",)),
    "log-masked": ("tpu",), "erf-power": ("cuda", "tpu"), "erf-tail": ("cuda", "tpu"),
    "tanh-exp2": ("cuda", "tpu"),
    "erf-exp2": ("cuda", "tpu"), "erf": ("cpu",), "erf-far": ("cpu",), "log-exact": ("cpu",),
    "log-nested": ("cpu",), "log10-nested": ("cpu",), "tanh-shared": ("cpu",),
    "exp-tail": ("cpu",), "log-halved": ("cpu",),
    "acos-short": ("cpu",), "atan-short": ("cpu",), "atan2-short": ("cpu",),
    "cbrt-fused": ("cpu",), "erf-inv-short": ("cpu",), "logistic-quotient": ("cpu",),
    "silu-quotient": ("cpu",),
    "sin-words": ("tpu",), "sin-fused": ("cpu",), "cos-fused": ("cpu",), "tan-fused": ("cpu",),
    "cos-near": ("cpu",), "tan-near": ("cpu",),
    "sinh": ("cpu",), "cosh": ("cpu",), "softplus": ("cpu",), "log-sigmoid": ("cpu",),
    **dict.fromkeys(FAST, ("cpu",)),
    "exp": ("cpu", "tpu"), "exp2": ("cpu", "tpu"), "log": ("cpu", "tpu"), "log2": ("cpu", "tpu"),
    "log10": ("cpu", "tpu"), **dict.fromkeys((row[0] for row in tpu.ROWS), ("tpu",)),
}  # fmt: skip
"""Where a scaffold is of use, if not everywhere: those of exp and log for CPUs read and write
subnormal numbers as zero, others count on the contraction of a*b + c."""
