"""The scaffolds that ship: to add one is to add a row and its text in ``data``."""

import math
from functools import cache
from importlib.resources import files

from xla_evo.errors import ConfigError
from xla_evo.scaffolds import devices, tpu
from xla_evo.scaffolds.scaffold import Scaffold
from xla_evo_lowering.backends import Backend
from xla_evo_lowering.device_model import ARITHMETIC

_LN2_HALF = 0.34665
_LOG2_E, _LOG10_E = "1.4426950408889634073599", "0.43429448190325182765112"

_MAGIC = (
    "round to the nearest multiple by adding 1.5 * 2^23, then add the exponent to the bits of the"
    " result (Muller et al., Handbook of Floating-Point Arithmetic, 2nd ed., ch. 10)"
)
_EXPONENT = "exponent and significand from the bits of the input; r and k log(2) added in two parts"
_TAIL = "(expm1(x) - x)/x**2"
_ONE_PLUS = (
    "1 + e^-x as a power of two and a rest, whose rounding, and that of the quotient by it, are"
    " taken back"
)
_FOLD = "asin(x) = pi/2 - 2 asin(sqrt((1 - x)/2)) above 1/2; the root is corrected by its residual"
_PI = (
    "x/(2 pi) modulo 1 as a product of 64-bit integers, branch-free for every input: four ranges of"
    " exponents, for each the bits of 1/(2 pi) that count, and in float64 what they leave out"
    " (after Payne and Hanek, ACM SIGNUM 18(1), 1983)"
)
_FUSED = (
    "x/pi less the nearest integer, branch-free for every input: four ranges of exponents, for each"
    " 1/pi less what makes an even number of half turns, in two numbers of float64, whose products"
    " are fused (after Payne and Hanek, ACM SIGNUM 18(1), 1983)"
)
_ONCE = "p is the product of 1/2 - f and 1/2 + f, of which the small one is rounded once"
_COSINE = "cos(pi*sqrt(1/4 - x))/x"
_TANGENT = "tan(pi*sqrt(1/4 - x))/sqrt(1/4 - x)*x"
_EVEN = "sqrt(x)/tanh(sqrt(x)*log(2)/2)"
_QUOTIENT = (
    "a power of 2 as 2^n (E + r)/(E - r), which is divided with what is divided anyway; the hole is"
    " E, even in r"
)
_HALVES = "x = k log(2) + r: 2^k/2 and 2^-k/2 times sinh r and cosh r, the largest part exact"
_AS_BUILT_IN = "for the error of the built-in"
_BESSEL = (
    "a quotient in float64, below 4.5 the hole over a polynomial of degree 4, from there on one of"
    " polynomials times the root"
)
_NEAR = ((-1.6, 1.6), (-40.0, 40.0))
_FAR = ((1e15, 1.1258e15), (1.3e23, 1.511e23))
"""Where the first two ranges of exponents end, and the hole has its largest inputs."""

_ROWS: tuple[tuple[str, str, str, float, float, tuple[tuple[float, float], ...], str], ...] = (
    ("exp", "exp", "exp(x)", -_LN2_HALF, _LN2_HALF, ((-87.3, 88.7), (-2.0, 2.0)), _MAGIC),
    ("exp-tail", "exp", _TAIL, -_LN2_HALF, _LN2_HALF, ((-87.3, 88.7), (-2.0, 2.0)),
     f"{_MAGIC}; r + r^2 hole times 1 - 2^-24, and 1 more, which without the factor would be a tie"
     " every other time, rounded twice the same way"),
    ("exp2", "exp2", "2**x", -0.5, 0.5, ((-126.0, 128.0), (-2.0, 2.0)), _MAGIC),
    ("log", "log", "(log1p(x) - x)/x**2", -1 / 3, 1 / 3,
     ((0.5, 2.0), (0.9, 1.1), (0.0, 16.0)), _EXPONENT),
    ("log-exact", "log", "(log1p(x) - x)/x**2", -1 / 3, 1 / 3,
     ((0.5, 2.0), (0.9, 1.1), (0.0, 16.0)),
     "that of log with the exponent left in its place; log(2) in two parts, both multiples of"
     " 2^-24, so that the sum of the significand less 1 and the smaller part is exact"),
    ("log-nested", "log", "log1p(x)/x - 1", -1 / 3, 1 / 3,
     ((0.5, 2.0), (0.9, 1.1), (0.0, 16.0)),
     "that of log-exact with r times the hole in place of its product with r^2, so that what is"
     " rounded behind the hole is less"),
    ("log-halved", "log", "((log1p(x) - x)/x**2 + 1/2)/x", -1 / 3, 1 / 3,
     ((0.5, 2.0), (0.9, 1.1), (0.0, 16.0)),
     "that of log-nested with -r/2, which is exact, apart from r^2 times the hole"),
    ("log2", "log2", f"(log1p(x) - x)/x**2 * {_LOG2_E}", -0.2929, 0.4143,
     ((0.5, 2.0), (0.9, 1.1), (0.0, 16.0)), _EXPONENT),
    ("log2-whole", "log2", f"(log1p(x)/x - 1)*{_LOG2_E} + 1.9259629911266176e-8", -0.2929, 0.4143,
     ((0.5, 2.0), (0.9, 1.1), (0.0, 16.0)), f"{_EXPONENT}; the hole has the rest of log2(e) too"),
    ("log10", "log10", f"(log1p(x) - x)/x**2 * {_LOG10_E}", -0.2929, 0.4143,
     ((0.5, 2.0), (0.9, 1.1), (0.0, 16.0)), _EXPONENT),
    ("log10-nested", "log10", f"log1p(x)/x*{_LOG10_E} - 1/2", -0.3333, 0.3336,
     ((0.5, 2.0), (0.9, 1.1), (0.0, 16.0)),
     "that of log-nested with half the significand less 1, which leaves the hole little to add;"
     " log10(2) in two parts, both multiples of 2^-26"),
    ("asin", "asin", "asin(sqrt(x))/sqrt(x) - 1", 1e-9, 0.25, ((-1.0, 1.0), (0.4, 0.6)), _FOLD),
    ("asin-mixed", "asin", "asin(sqrt(x))/sqrt(x) - 1", 1e-9, 0.25, ((-1.0, 1.0), (0.4, 0.6)),
     "asin(x) = pi/2 - 2 asin(sqrt((1 - x)/2)) above 1/2, in float64 but for the hole"),
    ("acos", "acos", "asin(sqrt(x))/sqrt(x) - 1", 1e-9, 0.25, ((-1.0, 1.0), (0.4, 0.6)), _FOLD),
    ("acos-short", "acos", "asin(sqrt(x))/sqrt(x) - 1", 1e-9, 0.25, ((-1.0, 1.0), (0.4, 0.6)),
     f"{_FOLD}; a multiple of pi/2 and the arc sine in one sum"),
    ("exp2-wide", "exp2", "2**x", -0.5, 0.5, ((-126.0, 128.0), (-2.0, 2.0)),
     f"in float64; {_MAGIC}"),
    ("pow", "pow", "2**x", -0.5, 0.5, (),
     "2^(y log2 x) in float64, the logarithm by a polynomial; the hole is that of exp2-wide"),
    ("pow-single", "pow", "2**x", -0.5, 0.5, (),
     "that of pow with all but the logarithm in float32; the hole is that of exp2"),
    ("atan-wide", "atan", "atan(sqrt(x))/sqrt(x)", 1e-9, 1.0, ((-1.0, 1.0), (1.0, 8.0)),
     "pi/2 - atan(1/x) above 1, in float64"),
    ("atan2", "atan2", "atan(sqrt(x))/sqrt(x)", 1e-9, 1.0, (),
     "atan of the smaller over the larger, in float64, and a multiple of pi/2; the hole is that of"
     " atan-wide"),
    ("atan2-short", "atan2", "atan(sqrt(x + 0.5))/sqrt(x + 0.5) - 1", -0.499999999, 0.5, (),
     "that of the smaller over the larger, and a multiple of pi/2, with one residual for the"
     " quotient and for their sum; the hole is that of atan-short"),
    ("atan", "atan", "atan(sqrt(x))/sqrt(x) - 1", 1e-9, 1.0, ((-1.0, 1.0), (1.0, 8.0)),
     "atan(x) = pi/2 - atan(1/x) above 1, with the quotient's residual"),
    ("atan-short", "atan", "atan(sqrt(x + 0.5))/sqrt(x + 0.5) - 1", -0.499999999, 0.5,
     ((-1.0, 1.0), (1.0, 8.0)),
     "that of atan with one residual for the quotient and for its sum with pi/2, and a hole whose"
     " input is rounded half as much"),
    ("cbrt", "cbrt", "cbrt(1/(1 - x))**2 - 1", -0.11, 0.11, ((0.1, 1.0), (1.0, 8.0)),
     "an integer estimate of the inverse root, its square made better by the hole, and the residual"
     " of a cube whose root has 12 bits"),
    ("cbrt-fused", "cbrt", "(cbrt(1/(1 - x))**2 - 1)/x", -0.0681, 0.1254, ((0.1, 1.0), (1.0, 8.0)),
     "an integer estimate z of the inverse root, of 12 bits; h = x z^2 with what it lost, and h e"
     " times the hole of e, what is left of 1 - x z^3"),
    ("sin", "sin", "sin(pi*x)", -0.516, 0.516, _NEAR, _PI),
    ("cos", "cos", "sin(pi*x)", -0.516, 0.516, _NEAR, _PI),
    ("sin-fused", "sin", "sin(pi*sqrt(x))/sqrt(x)", 1e-9, 0.2727, (*_NEAR, *_FAR),
     f"{_FUSED}; f hole(f^2) of what is left, f"),
    ("cos-fused", "cos", _COSINE, -0.0227, 0.25, (*_NEAR, *_FAR),
     f"{_FUSED}; p hole(p) of p = 1/4 - f^2, so that the hole has no zero near"),
    ("tan-fused", "tan", _TANGENT, -0.0227, 0.249999999, (*_NEAR, *_FAR),
     f"{_FUSED}; f hole(p)/p, p = 1/4 - f^2, so that the hole has no pole near"),
    ("cos-near", "cos", _COSINE, -0.0227, 0.25, (*_NEAR, *_FAR), f"that of cos-fused; {_ONCE}"),
    ("tan-near", "tan", _TANGENT, -0.0227, 0.249999999, (*_NEAR, *_FAR),
     f"that of tan-fused; {_ONCE}"),
    ("sinc", "sinc", "sin(pi*sqrt(x))/(pi*sqrt(x))", 1e-9, 0.25, ((-2.0, 2.0), (-16.0, 16.0)),
     "what is left of x less the nearest integer, w, is exact; w/x hole(w^2) in float64"),
    ("rsqrt", "rsqrt", "1/sqrt(1 - x) - 1", -0.08544, 0.05777, ((1.0, 4.0), (0.25, 1.0)),
     "an estimate of the inverse root by the bits of the input, made better by the hole, which has"
     " its residual (Blinn 1997, Floating-point tricks)"),
    ("rsqrt-short", "rsqrt", "(1/sqrt(1 - x) - 1)/x", -0.08544, 0.05777, ((1.0, 4.0), (0.25, 1.0)),
     "the same, where the hole is over the residual and a nan comes of the input's sign"),
    ("sinh", "sinh", "(sinh(sqrt(x))/sqrt(x) - 1)/x", 1e-9, 0.1202,
     ((-1.0, 1.0), (-0.4, 0.4), (-88.0, 88.0)), f"{_HALVES}; the hole is in sinh r"),
    ("cosh", "cosh", _TAIL, -_LN2_HALF, _LN2_HALF,
     ((-1.0, 1.0), (-0.4, 0.4), (-88.0, 88.0)),
     "h + 1/(4 h), h = e^|x|/2 with its rounding"),
    ("asinh", "asinh", "asinh(sqrt(x))/sqrt(x) - 1", 1e-9, 1.3925,
     ((-1.18, 1.18), (-8.0, 8.0)),
     "log(2 x) + 1/x^2 times a polynomial in it above 1.18; below it x + x times the hole"),
    ("acosh", "acosh", "(acosh(1 + x)**2 - 2*x)/x**2", 1e-9, 1.0, ((1.0, 2.0), (1.0, 8.0)),
     "log(2 x) + 1/x^2 times a polynomial in it above 2; below it the root of 2 d + d^2 times the"
     " hole, d = x - 1"),
    ("tanh", "tanh", "(tanh(sqrt(x))/sqrt(x) - 1)/x", 1e-9, 1.0,
     ((-1.0, 1.0), (-0.3, 0.3), (-0.06, 0.06), (0.8, 1.0)),
     "1 - 1/((e^2x + 1)/2) from 1 on, the sum with its rounding alone; below it x + x^3 hole"),
    ("tanh-shared", "tanh", "0.9536420106887817*x*sqrt(x)/(sqrt(x) - tanh(sqrt(x)))", 1e-9, 1.0,
     ((-1.0, 1.0), (0.8, 1.0), (-0.5, -0.3)),
     "that of tanh with one quotient for both parts: x - 0.954 x^3 / hole below 1"),
    ("tanh-far", "tanh", "(2**x - 1)/x", -0.5005, 0.5005,
     ((1.0, 9.02), (1.0, 1.6), (-1.3, -1.0)),
     "that of tanh with the hole in e^2x; the part below 1 was evolved in scaffold tanh (run"
     " 89ef2a30, seed 0)"),
    ("erf", "erf", "erf(sqrt(x + 0.5))/sqrt(x + 0.5) - 1", -0.499999999, 0.7769,
     ((-1.13, 1.13), (-0.25, 0.25), (-0.06, 0.06), (0.9, 1.13)),
     "1 - 2 p(x)^4 from 1.13 on, p near the fourth root of erfc/2, below 1/2 and so rounded to a"
     " quarter of a unit; below it x + x times the hole"),
    ("erf-far", "erf", "sqrt(sqrt(erfc(x + 1.25)/2))", -0.12, 2.75,
     ((1.13, 4.0), (1.13, 1.6), (-1.4, -1.13)),
     "1 - 2 hole^4 from 1.13 on; below it x + x times a polynomial in x^2 - 1/2"),
    ("log1p", "log1p", "(log1p(x) - x)/x**2", -0.25, 0.5,
     ((-0.3, 0.6), (-0.9, 3.0), (0.0, 16.0)),
     "2^n x - (1 - 2^n), exact but for x = -1/4 + 2^-26, is the significand of 1 + x less 1"),
    ("atanh", "atanh", "(atanh(sqrt(x))/sqrt(x) - 1)/x", 1e-9, 0.25,
     ((-0.5, 0.5), (-1.0, 1.0)),
     "from 1/2 on log(2) n/2 + atanh(s), where (1 + a)/(1 - a) = 2^n (1 + s)/(1 - s)"),
    ("logistic", "logistic", _TAIL, -_LN2_HALF, _LN2_HALF, ((-17.0, 17.0), (-2.0, 2.0)), _ONE_PLUS),
    ("silu", "silu", _TAIL, -_LN2_HALF, _LN2_HALF, ((-90.0, 0.0), (-17.0, 17.0)), _ONE_PLUS),
    ("logistic-short", "logistic", "expm1(x)", -_LN2_HALF, _LN2_HALF, ((-17.0, 17.0), (-2.0, 2.0)),
     f"{_ONE_PLUS}; the hole is rounded before"),
    ("logistic-fast", "logistic", "expm1(x)", -_LN2_HALF, _LN2_HALF, ((-17.0, 17.0), (-2.0, 2.0)),
     f"1/(1 + e^-x) as it is rounded, {_AS_BUILT_IN}"),
    ("silu-fast", "silu", "expm1(x)", -_LN2_HALF, _LN2_HALF, ((-90.0, 0.0), (-17.0, 17.0)),
     f"x/(1 + e^-x) as it is rounded, {_AS_BUILT_IN}"),
    ("exp-fast", "exp", "exp(x)", -_LN2_HALF, _LN2_HALF, ((-87.3, 88.7), (-2.0, 2.0)),
     f"that of exp with log(2) in one part, {_AS_BUILT_IN}"),
    ("tanh-fast", "tanh",
     "sqrt(x)/tanh(sqrt(x))*(1 + x*(0.13284951448440552 + x*(0.0033685890957713127"
     " + x*1.750504998199176e-05)))", 1e-9, 67.4014,
     ((-1.0, 1.0), (-8.2, 8.2), (-40.0, 40.0)),
     "a quotient of polynomials in the square of the clamped input, the hole its denominator,"
     f" {_AS_BUILT_IN}"),
    ("erf-fast", "erf", "erf(sqrt(x))/sqrt(x)", 1e-9, 1.21,
     ((-1.1, 1.1), (-0.5, 0.5), (0.9, 1.1)),
     f"1 - p(x)^8 from 1.1 on; below it x times the hole, {_AS_BUILT_IN}"),
    ("erfc-fast", "erfc", "exp(x)", -_LN2_HALF, _LN2_HALF, ((-1.0, 9.2), (-4.0, 1.0)),
     f"that of erfc in float32, {_AS_BUILT_IN}"),
    ("gelu-fast", "gelu", "exp(x)", -_LN2_HALF, _LN2_HALF, ((-13.0, 0.0), (-5.0, 5.0)),
     f"that of gelu in float32, {_AS_BUILT_IN}"),
    ("gelu-tanh-fast", "gelu_tanh", "expm1(x)", -_LN2_HALF, _LN2_HALF, ((-10.0, 0.0), (-5.0, 5.0)),
     f"that of gelu-tanh in float32, {_AS_BUILT_IN}"),
    ("expm1", "expm1", _TAIL, -_LN2_HALF, _LN2_HALF, ((-1.0, 1.0), (-0.4, 0.4)),
     "2^k (x - k log 2) + (2^k - 1) with its rounding, and 2^k times what is left of e^r - 1"),
    ("erfc", "erfc", _EVEN, 1e-9, 0.2501, ((-1.0, 9.2), (-4.0, 1.0)),
     f"e^(-x^2) times a quotient of polynomials in |x|, in float64; {_QUOTIENT}"),
    ("gelu", "gelu", _EVEN, 1e-9, 0.2501, ((-13.0, 0.0), (-5.0, 5.0)),
     f"max(x, 0) less |x| e^(-x^2/2) times a quotient of polynomials, in float64; {_QUOTIENT}"),
    ("gelu-tanh", "gelu_tanh", _EVEN, 1e-9, 0.2501, ((-10.0, 0.0), (-5.0, 5.0)),
     f"x/(1 + e^-u) in float64; {_QUOTIENT}"),
    ("logistic-quotient", "logistic", _EVEN, 1e-9, 0.2501, ((-17.0, 17.0), (-2.0, 2.0)),
     f"1/(1 + e^-x) in float64; {_QUOTIENT}"),
    ("silu-quotient", "silu", _EVEN, 1e-9, 0.2501, ((-90.0, 0.0), (-17.0, 17.0)),
     f"x/(1 + e^-x) in float64; {_QUOTIENT}"),
    ("mish", "mish", _EVEN, 1e-9, 0.2501, ((-80.0, 0.0), (-5.0, 5.0)),
     f"x (e^2x + 2 e^x)/(e^2x + 2 e^x + 2) in float64; {_QUOTIENT}"),
    ("softplus", "softplus", "(log1p(x) - x)/x**2", 1e-9, 0.39161,
     ((-30.0, 20.0), (0.9, 3.0), (-3.0, -0.9)),
     "max(x, 0) + log(1 + e) from 15/16 on, e = e^-|x| with its rest; below it log(2) + x/2 and a"
     " polynomial in x^2"),
    ("log-sigmoid", "log_sigmoid", "(log1p(x) - x)/x**2", 1e-9, 0.39161,
     ((-20.0, 30.0), (0.9, 3.0), (-3.0, -0.9)), "that of softplus for -x, negative"),
    ("erf-inv", "erf_inv", "log1p(x)", -0.2929, 0.4143,
     ((-1.0, 1.0), (0.99, 1.0), (-0.3, 0.3)),
     "x times a quotient of polynomials in log(1 - x^2), in float64 (after Giles 2012,"
     " Approximating the erfinv function)"),
    ("erf-inv-short", "erf_inv", f"log1p(x)/x*{_LOG2_E}", -0.2929, 0.4143,
     ((-1.0, 1.0), (0.99, 1.0), (-0.3, 0.3)),
     "that of erf-inv with the logarithm's fraction, on which the result depends little, in"
     " float32"),
    ("lgamma", "lgamma", "2*atanh(sqrt(x))/sqrt(x)", 1e-9, 0.02944,
     ((-9.5, 2.5), (0.5, 3.0), (-40.0, 40.0)),
     "one logarithm in float64, of the reciprocal of gamma between -9.5 and 2.5, else by Stirling's"
     " form; log m = 2 atanh((m - 1)/(m + 1))"),
    ("lgamma-branch", "lgamma", "(log1p(x) - x)/x**2", -0.29289, 0.41422,
     ((-9.5, 0.0), (0.5, 3.0), (-40.0, 40.0)),
     "one logarithm, of the input or of the reciprocal of gamma; a branch over the array leaves"
     " out what negative inputs need"),
    ("digamma", "digamma", "(2*atanh(sqrt(x))/sqrt(x) - 2)/x", 1e-9, 0.02944,
     ((-9.5, 2.5), (0.5, 3.0), (-40.0, 40.0)),
     "log |x - 1/2| and a series in its inverse square, less four inverses or a cotangent, in"
     " float64; log m = 2 atanh((m - 1)/(m + 1))"),
    ("bessel-i0e", "bessel_i0e",
     "exp(-x)*besseli(0, x)*(1 + x*(0.95608657142619 + x*(0.4014765061843924"
     " + x*(0.09179791074122612 + x*0.010719262656008855))))", 0.0, 4.5,
     ((-4.5, 4.5), (-1.0, 1.0), (-9.0, 9.0)), _BESSEL),
    ("bessel-i1e", "bessel_i1e",
     "exp(-x)*besseli(1, x)/x*(1 + x*(0.9391890577010238 + x*(0.3865793512477531"
     " + x*(0.0860398694504972 + x*0.009633523227103091))))", 1e-9, 4.5,
     ((-4.5, 4.5), (-1.0, 1.0), (-9.0, 9.0)), f"{_BESSEL}; times the size of the input there"),
    ("tanh-rational", "tanh", "tanh(sqrt(x))/sqrt(x)", 1e-9, 81.0,
     ((-1.0, 1.0), (-9.1, 9.1)), "one quotient in the square of the clamped input"),
)  # fmt: skip


_ALL_ROWS = (*_ROWS, *devices.ROWS, *tpu.ROWS)

_MADE_FOR = {
    "exp2-wide": (0.0, 0.6), "atan-wide": (0.0, 0.6),
    "logistic-quotient": (0.0, 1.0), "silu-quotient": (0.0, 1.0), "logistic-parts": (1.0, math.inf),
    **dict.fromkeys((*devices.FAST, *tpu.SHORT), (1.0, math.inf)),
}  # fmt: skip
"""Error bounds in ULP that a scaffold is made for, where others serve all the others better."""


def _read(name: str) -> str:
    return files("xla_evo.scaffolds").joinpath("data", f"{name}.prog").read_text(encoding="utf-8")


@cache
def _load() -> dict[str, Scaffold]:
    rows = [
        Scaffold(name, function, _read(name), expression, low, high, ranges, note)
        for name, function, expression, low, high, ranges, note in (
            *_ROWS,
            *devices.ROWS,
            *tpu.ROWS,
        )
    ]
    return {row.name: row for row in rows}


SCAFFOLDS: tuple[str, ...] = tuple(row[0] for row in _ALL_ROWS)


def scaffold(name: str) -> Scaffold:
    """Returns a scaffold.

    Raises:
        ConfigError: there is none of that name.
    """
    found = _load().get(name)
    if found is None:
        raise ConfigError(f"no scaffold {name!r}; choose one of {', '.join(SCAFFOLDS)}")
    return found


def scaffolds_of(
    function: str, row: Backend | None = None, max_ulp: float | None = None
) -> tuple[Scaffold, ...]:
    """Returns the scaffolds of a function that a search can fill, maybe none.

    Args:
        function: its name.
        row: a backend; scaffolds that it cannot compute, or that are not made for it, are left out.
        max_ulp: an error bound; scaffolds that are made for other bounds are left out.
    """
    found = [one for one in _load().values() if one.function == function and one.inputs == 1]
    if row is not None:
        found = [one for one in found if _serves(one, row)]
    if max_ulp is not None:
        found = [one for one in found if _is_made_for(one, max_ulp)]
    return tuple(found)


def _is_made_for(one: Scaffold, max_ulp: float) -> bool:
    low, high = _MADE_FOR.get(one.name, (0.0, math.inf))
    return low < max_ulp <= high


def _serves(one: Scaffold, row: Backend) -> bool:
    used = {item.op for item in one.program.body}
    formats = {dtype for dtype in one.program.types if dtype.is_float}
    return (
        row.platform in devices.PLATFORMS.get(one.name, (row.platform,))
        and not used & ARITHMETIC[row.platform].lacks
        and formats <= set(row.formats)
    )
