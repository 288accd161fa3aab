from xla_evo.library.published import published_ulp
from xla_evo.targets.catalogue import CATALOGUE


def test_figures_stand_with_their_functions() -> None:
    assert published_ulp("exp2", "float32") == 68.5
    assert published_ulp("erf_inv", "float64") == 500000.0
    assert published_ulp("expm1", "float16") == 2.5
    assert published_ulp("logistic", "bfloat16") == 2.5
    assert published_ulp("sinc", "float64") == 2.0
    assert published_ulp("lgamma", "float32") is None
    assert published_ulp("exp", "real") is None


def test_functions_are_those_of_the_catalogue() -> None:
    for kind in ("bfloat16", "float16", "float32", "float64"):
        known = [name for name in CATALOGUE if published_ulp(name, kind)]
        assert len(known) == 30
