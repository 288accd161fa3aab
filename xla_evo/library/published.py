"""Errors of the built-in functions as JAX publishes them, to stand beside what is measured here.

Source: the page "Numerical accuracy" of JAX's documentation (docs.jax.dev, ``accuracy.html``),
reviewed 2026-09-18: largest error in ULP, rounded up to half a unit there. Ranges between
processors are given by their upper end.
"""

import functools
from collections.abc import Mapping

_COLUMNS: Mapping[str, int] = {
    "cpu": 0, "cuda": 1, "tpu:v2": 2, "tpu:v3": 2, "tpu:v4": 2, "tpu:v5e": 2, "tpu:v5p": 3,
    "tpu:v6e": 4, "tpu:tpu7x": 5,
}  # fmt: skip
"""Column of a platform, or of a kind of TPU: x86-64, NVIDIA H100 and B200, TPU v2 to v5e, v5p, v6e,
7x."""

_TABLES: Mapping[str, str] = {
    "bfloat16": """
        acos        1.5    0.5    0.5    0.5    0.5    0.5
        acosh       2.0    0.5    1.0    1.0    1.0    1.0
        asin        1.5    0.5    0.5    0.5    0.5    0.5
        asinh       1.5    0.5    1.0    1.0    1.0    1.0
        atan        0.5    0.5    0.5    0.5    0.5    0.5
        atan2       1.0    1.0    1.0    1.0    1.0    1.0
        atanh       1.5    0.5    1.0    0.5    0.5    0.5
        bessel_i0e  0.5    0.5    0.5    0.5    0.5    0.5
        bessel_i1e  0.5    0.5    0.5    0.5    0.5    0.5
        cbrt        0.5    0.5    0.5    0.5    0.5    0.5
        cos         0.5    0.5    0.5    0.5    0.5    0.5
        cosh        0.5    0.5    0.5    1.0    1.0    1.0
        erf         0.5    0.5    0.5    0.5    0.5    0.5
        erf_inv     0.5    0.5    0.5    0.5    0.5    0.5
        erfc        0.5    0.5    0.5    0.5    0.5    0.5
        exp         0.5    1.0    1.0    1.0    1.0    1.0
        exp2      101.0  101.0   44.0   44.0   44.0   75.0
        expm1       0.5    0.5    1.0    1.0    0.5    0.5
        log         0.5    0.5    1.0    0.5    0.5    0.5
        log1p       0.5    0.5    1.0    0.5    0.5    0.5
        log2        2.0    2.0    1.0    1.0    1.0    1.0
        logistic    2.5    2.5    1.0    1.0    0.5   63.0
        rsqrt       0.5    0.5    0.5    0.5    0.5    0.5
        sin         0.5    0.5    1.0    1.0    1.0    1.0
        sinh        0.5    0.5    1.0    1.0    1.0    1.0
        sqrt        0.5    0.5    0.5    0.5    0.5    0.5
        tan         0.5    0.5    0.5    0.5    0.5    0.5
        tanh        0.5    0.5    0.5    0.5    0.5    0.5
        log10       2.0    2.0    1.0    1.0    1.0    1.0
        sinc        0.5    0.5    0.5    0.5    0.5    0.5
    """,
    "float16": """
        acos        1.5    1.0    1.0    1.0    1.0    1.0
        acosh       2.0    1.0    1.0    1.0    1.0    1.0
        asin        1.5    1.0    0.5    0.5    0.5    0.5
        asinh       1.5    1.0    1.0    1.0    1.0    1.0
        atan        1.0    1.0    1.0    1.0    1.0    1.0
        atan2       1.0    1.0    1.0    1.0    1.0    1.0
        atanh       1.5    0.5    1.0    1.0    0.5    0.5
        bessel_i0e  1.0    0.5    0.5    0.5    0.5    0.5
        bessel_i1e  1.0    1.0    1.0    1.0    1.0    1.0
        cbrt        1.0    1.0    1.0    1.0    0.5    0.5
        cos         1.0    1.0    1.0    1.0    1.0    1.0
        cosh        1.0    1.0    1.0    1.0    1.0    1.0
        erf         1.0    1.0    0.5    0.5    1.0    1.0
        erf_inv     1.0    1.0    1.0    1.0    1.0    1.0
        erfc        1.0    1.0    1.0    1.0    1.0    1.0
        exp         1.0    1.0    1.0    1.0    1.0    1.0
        exp2       14.0   14.0    7.5    7.5    7.5    7.5
        expm1       2.5    1.0    1.0    1.0    0.5    0.5
        log         1.0    1.0    1.0    1.0    1.0    1.0
        log1p       1.0    1.0    1.0    1.0    1.0    1.0
        log2        2.0    2.0    1.5    1.0    1.0    1.0
        logistic    2.0    2.0    1.0    1.0    1.0    1.0
        rsqrt       0.5    0.5    0.5    0.5    0.5    0.5
        sin         1.0    1.0    1.0    1.0    1.0    1.0
        sinh        1.0    0.5    1.0    1.0    1.0    1.0
        sqrt        0.5    0.5    1.0    1.0    1.0    1.0
        tan         1.0    1.0    1.0    1.0    1.0    1.0
        tanh        0.5    0.5    1.0    1.0    0.5    0.5
        log10       1.5    1.5    1.0    1.0    1.0    1.0
        sinc        0.5    0.5    0.5    0.5    0.5    0.5
    """,
    "float32": """
        acos        1.5    1.5    5.0    5.0    4.0    5.0
        acosh       4.5    2.5 4031.0   61.0    4.5    5.0
        asin        2.0    1.5    5.0    5.0    4.5    4.5
        asinh       3.5    2.0 4034.5   62.5    3.5    3.5
        atan        5.5    1.5    2.5    2.5    2.5    2.5
        atan2       0.5    3.0    3.5    3.5    3.5    3.5
        atanh       3.0    3.5 2183.5   43.0    3.5    3.5
        bessel_i0e  7.0    8.0    8.0    8.0    8.0    8.0
        bessel_i1e 11.0   15.5   15.5   15.5   15.5   15.5
        cbrt        0.5    1.5    4.5    4.5    1.5    1.5
        cos         0.5    2.0    3.5    3.5    3.5    3.0
        cosh       25.0    2.5   93.5   99.0   59.0   59.5
        erf         7.0    6.5    7.5    8.5    1.5    1.5
        erf_inv    65.0   65.0  427.0   65.5   65.0   65.5
        erfc       66.0   66.5  145.0  157.0  124.5  125.0
        exp         1.5    2.0  116.0  109.5   64.5   65.0
        exp2       68.5   69.0  141.5  133.0   90.0   90.0
        expm1       6.5    1.5 1772.0 1357.5    3.5    3.5
        log         1.5    1.0 4030.5   62.0    2.5    2.5
        log1p       3.0    1.0 4034.0   63.0    3.0    3.0
        log2        2.5    2.0 5159.0   57.5    2.5    2.5
        logistic    2.5    4.0  243.0  124.0   65.5   64.0
        rsqrt       2.0    2.0    2.5    2.5    1.5    1.0
        sin         0.5    1.5    3.5    3.5    3.5    3.5
        sinh       25.0    3.0 1794.0 1332.5   59.0   59.5
        sqrt        0.5    1.0    3.0    3.0    2.0    2.0
        tan         0.5    3.5    6.5    7.0    5.5    5.5
        tanh        5.0    5.5 1365.5   92.0    1.5    1.5
        log10       3.0    2.5 6213.0   57.0    3.0    3.0
        sinc        2.5    3.5    4.0    4.0    4.0    3.5
    """,
    "float64": """
        acos        1.5    1.5
        acosh       3.5    2.5
        asin        1.5    2.5
        asinh       2.5    2.5
        atan        3.5    2.5
        atan2       0.5    1.5
        atanh       2.5    3.5
        bessel_i0e  7.5    7.5
        bessel_i1e 10.5    7.5
        cbrt        0.5    1.5
        cos         0.5    1.5
        cosh      496.0    2.5
        erf         2.5    2.5
        erf_inv  5e5    5e5
        erfc      350.0  350.0
        exp         2.0    1.5
        exp2      719.0  719.0
        expm1       4.5    1.5
        log         0.5    1.5
        log1p       2.0    1.5
        log2        1.5    1.5
        logistic    3.5    4.5
        rsqrt       1.5    1.5
        sin         0.5    2.5
        sinh      496.0    2.5
        sqrt        0.5    0.5
        tan         0.5    2.5
        tanh        7.0    3.5
        log10       2.0    2.5
        sinc        2.0    2.0
    """,
}


@functools.cache
def _rows(dtype: str) -> Mapping[str, tuple[float, ...]]:
    lines = [line.split() for line in _TABLES.get(dtype, "").splitlines()]
    return {line[0]: tuple(map(float, line[1:])) for line in lines if line}


def published_ulp(function: str, dtype: str, backend: str = "cpu") -> float | None:
    """Returns the published error of a built-in in ULP; None where there is none.

    Args:
        function: name in the catalogue.
        dtype: format.
        backend: ``cpu`` or a row of the backend table; GPUs share a column.
    """
    platform = backend.partition(":")[0]
    column = _COLUMNS.get(backend, _COLUMNS.get(platform, -1))
    found = _rows(dtype).get(function, ())
    return found[column] if 0 <= column < len(found) else None
