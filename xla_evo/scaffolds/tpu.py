"""Scaffolds for TPUs: float32 alone, without division, root and contraction of a*b + c.

An inverse or a root is an estimate from the bits of a number and steps of Newton's method; what is
rounded where it would show is kept in a second number. To add one is to add a row and its text in
``data``; ``tools/baselines/device_*.py`` have their forms.
"""

_TAIL_OF_EXP = "(expm1(x) - x)/x**2"
_PARTS = "x - k log(2) in two parts, of which the larger is exact and added last but one"
_SHORT = "x - k log(2) as it is rounded, for the error of the built-in"
_ERFC = (
    "e^(-x^2) times a polynomial in 1/(2 + x) and that, the inverse by bits and Newton's method,"
    " for the error of the built-in"
)
_INVERSE = (
    "1/(1 + e^-|x|) by bits and Newton's method, whose last residual is (1 - y) - e^-|x| y with"
    " a short y"
)
_HYPERBOLIC = ((-1.0, 1.0), (-0.4, 0.4), (-88.0, 88.0))
_DIGITS = (
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
_SPLIT = "that of log-masked, r log2(e) as an exact product of twelve bits by twelve and a rest"
_SPLIT_LG = "that of log2-split for log10(e); log10(2) in two parts, the first of 17 bits"
_ONE_MORE = (
    "that of log1p with the exponent masked; log(2) in two parts, of which the smaller and the"
    " significand less 1 have an exact sum"
)
_THIRD = (
    "an estimate z of the inverse root of 12 bits from those of the input, p = x z^2 and p r hole,"
    " r = 1 - p z from p in two parts"
)
_OCTAVES = "that of atanh, the quotient by Newton's method from an estimate by bits"
_SUM_ROOT = "log(1 + w), w = d + sqrt(2 d + d^2), d = x - 1; the root from an estimate by bits"
_ROOT = "q hole from 4 on, q = 1/sqrt(a), of q^2; a polynomial in a - 2 below"
_AS_PUBLISHED = "shorter, for the error of the built-in"
_GILES = (
    "x times a quotient of polynomials in log2(1 - x^2), whose fraction is the hole (after Giles"
    " 2012, Approximating the erfinv function)"
)
_SUM = (
    "log(1 + w), w = a + sqrt(1 + a^2) - 1; the root less 1 by a step of Newton's method, which"
    " keeps its relative error small next to 0"
)
_RESIDUAL = (
    "x/(1 + e^-x), a quotient of 13 bits from an inverse by bits and the rest by what is left of x,"
    " with 11 bits of the denominator and a rest"
)
_POWERS = (
    "erf(c) - (p^8 - p(c)^8) from 0.84 on, p near the eighth root of erfc, the difference made of"
    " p - p(c) by factors; below it x + x hole"
)
_BELOW_FOUR = (
    "the inverse from its bits, what its short part leaves multiplied by what is near 1; from 4 on"
    " 1/sqrt(a) likewise, times a polynomial in 1/a"
)
_PAIRS = (
    "e^(-x^2) g(v) v, v = 1/(1.625 + x) by its bits, each factor a short number and a rest, the"
    " product of the short ones exact"
)
_HALF = "an estimate z of the inverse root of 12 bits, 4 - x (2 z)^2 rounded once; z + z r hole"

ROWS: tuple[tuple[str, str, str, float, float, tuple[tuple[float, float], ...], str], ...] = (
    ("exp-parts", "exp", _TAIL_OF_EXP, -0.34665, 0.34665, ((-87.3, 88.7), (-2.0, 2.0)), _PARTS),
    ("expm1-parts", "expm1", _TAIL_OF_EXP, -0.34665, 0.34665, ((-1.0, 1.0), (-0.4, 0.4)),
     f"{_PARTS}; 2^k r + (2^k - 1) with its rounding"),
    ("cosh-parts", "cosh", "(cosh(sqrt(x)) - 1)/x", 1e-9, 0.1202, _HYPERBOLIC,
     f"{_PARTS}; the hole is in cosh r"),
    ("cosh-short", "cosh", "(cosh(sqrt(x)) - 1)/x", 1e-9, 0.1202, _HYPERBOLIC,
     f"{_SHORT}; the hole is in cosh r"),
    ("sinh-parts", "sinh", "(sinh(sqrt(x))/sqrt(x) - 1)/x", 1e-9, 0.1202, _HYPERBOLIC,
     f"{_PARTS}; the hole is in sinh r"),
    ("sinh-short", "sinh", "(sinh(sqrt(x))/sqrt(x) - 1)/x", 1e-9, 0.1202, _HYPERBOLIC,
     f"{_SHORT}; the hole is in sinh r"),
    ("erfc-short", "erfc", "expm1(x)/x", -0.34665, 0.34665, ((-1.0, 9.2), (-4.0, 1.0)), _ERFC),
    ("logistic-parts", "logistic", _TAIL_OF_EXP, -0.34665, 0.34665, ((-17.0, 17.0), (-2.0, 2.0)),
     f"{_INVERSE}; e^-|x| times that for negative x"),
    ("logistic-exact", "logistic", _TAIL_OF_EXP, -0.34665, 0.34665, ((-17.0, 17.0), (-2.0, 2.0)),
     "that of logistic-parts with products of short numbers, which are exact"),
    ("gelu-short", "gelu", "expm1(x)/x", -0.34665, 0.34665, ((-13.0, 0.0), (-5.0, 5.0)),
     f"x less g, g = x erfc(|x|/sqrt(2))/2: {_ERFC}"),
    ("softplus-parts", "softplus", _TAIL_OF_EXP, -0.34665, 0.34665, ((-80.0, 20.0), (-3.0, 3.0)),
     f"{_PARTS}; max(x, 0) and e + e^2 p(e), e = e^-|x|, from 31/32 on; below it log(2) + x/2 and a"
     " polynomial in x^2"),
    ("log-sigmoid-parts", "log_sigmoid", _TAIL_OF_EXP, -0.34665, 0.34665,
     ((-20.0, 80.0), (-3.0, 3.0)), "that of softplus-parts for -x, negative"),
    ("mish-parts", "mish", _TAIL_OF_EXP, -0.34665, 0.34665, ((-80.0, 0.0), (-5.0, 5.0)),
     "x u/(1 + u), u = e^x (1 + e^x/2), for positive x 1 less an inverse by bits and Newton's"
     " method"),
    ("tanh-parts", "tanh", "(tanh(sqrt(x))/sqrt(x) - 1)/x", 1e-9, 0.4901,
     ((-0.7, 0.7), (-1.0, 1.0)),
     "1 - 2/(1 + e^2x) from 0.7 on, an estimate of the quotient from which 1 less is exact and the"
     " rest; below it x + x^3 hole"),
    ("cos-turns", "cos", "(sin(sqrt(x))/sqrt(x) - 1)/x", 1e-9, 2.4675,
     ((-1.6, 1.6), (-40.0, 40.0)), f"{_DIGITS}; the sine of what is left of half turns"),
    ("cos-quarters", "cos", "(cos(sqrt(x)) - 1 + x/2)/x**2", 1e-9, 1.0,
     ((-1.6, 1.6), (-40.0, 40.0)),
     f"{_DIGITS}; a sine or a cosine, 1 - x/2 + x^2 hole, of what is left of quarters, an angle in"
     " two parts"),
    ("sin-quarters", "sin", "(sin(sqrt(x))/sqrt(x) - 1)/x", 1e-9, 1.0,
     ((-1.6, 1.6), (-40.0, 40.0)),
     f"{_DIGITS}; that of cos-quarters, x + x^3 hole the sine"),
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
     f"{_DIGITS}; x n(x^2) over the hole, or its negative inverse, of what is left of quarters"),
    ("tan-quarters", "tan", "(tan(sqrt(x))/sqrt(x) - 1)/x", 1e-9, 1.0,
     ((-1.6, 1.6), (-40.0, 40.0)),
     f"{_DIGITS}; x + x^3 hole of what is left of quarters, in two parts, or its negative inverse"),
    ("sinc-newton", "sinc", "(sin(pi*sqrt(x))/(pi*sqrt(x)) - 1)/x", 1e-9, 0.25,
     ((-2.0, 2.0), (-16.0, 16.0)),
     "what is left of x less the nearest integer, w, is exact; w/x by the reciprocal of"
     " atan-newton, in two parts, and its product with w^2 hole"),
    ("log2-split", "log2", "log1p(x)/x*1.4426950408889634073599 - 1.4423828125", -0.2929, 0.4143,
     ((0.5, 2.0), (0.9, 1.1), (0.0, 16.0)), _SPLIT),
    ("log10-split", "log10", "log1p(x)/x*0.43429448190325182765112 - 0.4342041015625",
     -0.3333, 0.3336, ((0.5, 2.0), (0.9, 1.1), (0.0, 16.0)), _SPLIT_LG),
    ("log1p-masked", "log1p", "(log1p(x) - x)/x**2", -0.25, 0.5,
     ((-0.3, 0.6), (-0.9, 3.0), (0.0, 16.0)), _ONE_MORE),
    ("cbrt-exact", "cbrt", "(cbrt(1/(1 - x))**2 - 1)/x", -0.1022, 0.1027,
     ((0.1, 1.0), (1.0, 8.0)), _THIRD),
    ("rsqrt-exact", "rsqrt", "(1/sqrt(1 - x/4) - 1)/x", -0.2739, 0.2739,
     ((1.0, 4.0), (0.25, 1.0)), _HALF),
    ("atanh-octaves", "atanh", "(atanh(sqrt(x))/sqrt(x) - 1)/x", 1e-9, 0.25,
     ((-0.5, 0.5), (-1.0, 1.0)), _OCTAVES),
    ("asinh-sum", "asinh", "(log1p(x) - x)/x**2", -0.25, 0.5,
     ((-0.6, 0.6), (-3.0, 3.0), (0.0, 16.0)), _SUM),
    ("acosh-sum", "acosh", "(log1p(x) - x)/x**2", -0.25, 0.5,
     ((1.0, 1.5), (1.0, 3.0), (1.0, 16.0)), _SUM_ROOT),
    ("bessel-i0e-root", "bessel_i0e", "exp(-1/x)*besseli(0, 1/x)/sqrt(x)", 1e-9, 0.2500001,
     ((4.0, 30.0), (4.0, 6.0), (4.0, 1000.0)), _ROOT),
    ("bessel-i1e-root", "bessel_i1e", "exp(-1/x)*besseli(1, 1/x)/sqrt(x)", 1e-9, 0.2500001,
     ((4.0, 30.0), (4.0, 6.0), (4.0, 1000.0)), f"{_ROOT}; times a below 4"),
    ("erf-inv-quotient", "erf_inv", "log1p(x)/x*1.4426950408889634073599", -0.2929, 0.4143,
     ((-1.0, 1.0), (0.99, 1.0), (-0.3, 0.3)), _GILES),
    ("erf-inv-octaves", "erf_inv", "log1p(x)/x*1.4426950408889634073599", -0.2929, 0.4143,
     ((-1.0, 1.0), (0.99, 1.0), (-0.3, 0.3)), f"that of erf-inv-quotient, {_AS_PUBLISHED}"),
    ("silu-residual", "silu", _TAIL_OF_EXP, -0.34665, 0.34665, ((-90.0, 0.0), (-17.0, 17.0)),
     _RESIDUAL),
    ("mish-residual", "mish", _TAIL_OF_EXP, -0.2875, 0.4065, ((-90.0, 0.0), (-9.0, 9.0)),
     "2x/(s + 1/s), s = 1 + 2 e^-x, for x tanh(softplus(x)); the quotient by that of silu-residual,"
     " 1/s from an estimate of 13 bits with its residual"),
    ("gelu-tanh-residual", "gelu_tanh",
     "(expm1(0.0713548162726002487763*x) - 0.0713548162726002487763*x)/x**2", -4.028, 5.697,
     ((-10.0, 0.0), (-5.0, 5.0)),
     "that of silu-residual for e^-u, the cubic u by an exact product of 11 bits by 11 and a rest"),
    ("erf-powers", "erf", "16*erf(sqrt(x)/16)/sqrt(x) - 1", 1e-9, 180.7,
     ((-0.84, 0.84), (-1.2, 1.2)), _POWERS),
    ("erfc-pairs", "erfc", "(expm1(-x) + x)/x**2", -0.3475, 0.3475, ((-1.0, 9.2), (-4.0, 1.0)),
     _PAIRS),
    ("bessel-i0e-inverse", "bessel_i0e",
     "(x + 2.625)*exp(-x - 1.625)*besseli(0, x + 1.625) - 1", -1.625, 2.375,
     ((0.0, 4.0), (0.0, 0.1), (4.0, 100.0)), f"(1 + hole)/(1 + a) below 4; {_BELOW_FOUR}"),
    ("bessel-i1e-inverse", "bessel_i1e",
     "(x + 3.25)**2*exp(-x - 1.5)*besseli(1, x + 1.5)/(x + 1.5)/1.5 - 1", -1.49999999, 2.5,
     ((0.0, 4.0), (0.0, 0.1), (4.0, 100.0)),
     f"1.5 a (1 + hole)/(1.75 + a)^2 below 4; {_BELOW_FOUR}"),
    ("sinc-residual", "sinc", "(sin(pi*sqrt(x))/(pi*sqrt(x)) - 1)/x + 1", 1e-9, 0.25,
     ((-2.0, 2.0), (-16.0, 16.0)),
     "w/x, w what is left of x less the nearest integer, times 1 - w^2 + w^2 hole; both in two"
     " parts, that of the quotient its residual"),
    ("gelu-residual", "gelu", _TAIL_OF_EXP, -0.34665, 0.34665, ((-13.0, 0.0), (-5.0, 5.0)),
     "max(x, 0) less |x|/(e^(x^2/2) m), m = 2/erfcx(|x|/sqrt(2)) a polynomial below 3.75 and one"
     " above; the quotient by that of silu-residual, e^r m by an exact product of 12 bits by 12"),
    ("tan-pairs", "tan",
     "(tan(sqrt(x + 0.412619024515152)/1.125)/sqrt(x + 0.412619024515152) - 1)/x - 1/4",
     -0.4126, 0.369,
     ((-1.6, 1.6), (-40.0, 40.0)),
     f"{_DIGITS}; r + r (r^2 - c) (1/4 + hole) of r, 1.125 times what is left of quarters, c where"
     " r is the tangent, or its negative inverse; all three in two parts, the first of 12 bits"),
    ("log2-halves", "log2", "log1p(x + 0.25)/(x + 0.25)*1.4426950408889634073599 - 1.5", -0.5429,
     0.1643, ((0.5, 2.0), (0.9, 1.1), (0.0, 16.0)),
     "that of log-masked to base two, r = x + 1/4; 1.5 r, which is exact, + r hole"),
    ("atanh-parts", "atanh", "(atanh(sqrt(x))/sqrt(x) - 1)/x", 1e-9, 0.25,
     ((-0.5, 0.5), (-1.0, 1.0)),
     f"{_OCTAVES}, in two parts of which the first is added last but one"),
    ("asinh-parts", "asinh", "(log1p(x) - x)/x**2", -0.2901, 0.4201,
     ((-0.6, 0.6), (-3.0, 3.0), (0.0, 16.0)),
     "that of asinh-sum, the root less 1 by its residual; what the sums lose by rounding is kept"),
    ("acosh-parts", "acosh", "(log1p(x) - x)/x**2", -0.2901, 0.4201,
     ((1.0, 1.5), (1.0, 3.0), (1.0, 16.0)),
     "that of acosh-sum, the root by its residual; what the sums lose by rounding is kept"),
    ("erf-inv-parts", "erf_inv", "(log1p(x) - x)/x**2", -0.2929, 0.4143,
     ((-1.0, 1.0), (0.99, 1.0), (-0.3, 0.3)),
     "x times a straight line in w = -log(1 - x^2) and a polynomial, one on either side of 5.25, in"
     " two parts"),
)  # fmt: skip
"""Name, function, what the hole approximates, its ends, ranges of test points, method."""

SHORT = ("cosh-short", "sinh-short", "erfc-short", "gelu-short")
"""Those that are made for the error of the built-in."""
