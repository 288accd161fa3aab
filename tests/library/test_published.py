from xla_evo.library.published import published_ulp
from xla_evo.targets.catalogue import CATALOGUE
from xla_evo_lowering.backends import BACKENDS


def test_figures_stand_with_their_functions() -> None:
    assert published_ulp("exp2", "float32") == 68.5
    assert published_ulp("erf_inv", "float64") == 500000.0
    assert published_ulp("expm1", "float16") == 2.5
    assert published_ulp("logistic", "bfloat16") == 2.5
    assert published_ulp("sinc", "float64") == 2.0
    assert published_ulp("lgamma", "float32") is None
    assert published_ulp("exp", "real") is None


def test_backends_have_their_own() -> None:
    names = ("cpu", "cpu:avx2", "cuda:sm_80", "tpu:v2", "tpu:v5e", "tpu:v5p", "tpu:tpu7x")
    assert [published_ulp("tanh", "float32", name) for name in names] == [
        5.0, 5.0, 5.5, 1365.5, 1365.5, 92.0, 1.5,
    ]  # fmt: skip
    assert published_ulp("tanh", "float64", "cuda:sm_90") == 3.5
    assert published_ulp("tanh", "float64", "tpu:v5e") is None
    assert {name for name in BACKENDS if not published_ulp("exp", "float32", name)} == set()


def test_functions_are_those_of_the_catalogue() -> None:
    for kind in ("bfloat16", "float16", "float32", "float64"):
        known = [name for name in CATALOGUE if published_ulp(name, kind)]
        assert len(known) == 30
