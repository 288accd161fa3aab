"""Forms in float32 alone by function: at most 1 ULP, and *fast* ones, at most the built-in's."""

import single_hyperbolic
import single_logistic

SINGLE = {
    "expm1": single_hyperbolic.expm1,
    "sinh": single_hyperbolic.sinh,
    "cosh": single_hyperbolic.cosh,
    "tanh": single_hyperbolic.tanh,
    "logistic": single_logistic.logistic,
    "silu": single_logistic.silu,
    "gelu_tanh": single_logistic.gelu_tanh,
    "mish": single_logistic.mish,
    "softplus": single_logistic.softplus,
}

FAST = {
    "tanh": single_hyperbolic.tanh_fast,
    "logistic": single_logistic.logistic_fast,
    "silu": single_logistic.silu_fast,
    "gelu_tanh": single_logistic.gelu_tanh_fast,
}
