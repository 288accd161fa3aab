import pytest

from xla_evo.search.keys import compile_key
from xla_evo_lowering.backends import backend
from xla_evo_lowering.canonical import content_hash
from xla_evo_lowering.text import parse_program, print_program

TWO_PRODUCTS = """\
program p(x: f32) -> f32 {
  %0: f32 = const 0x1.99999ap-1
  %1: f32 = const 0x1.555556p-2
  %2: f32 = mul x, %0
  %3: f32 = mul x, %1
  %4: f32 = add OPERANDS
  return %4
}
"""


@pytest.mark.parametrize("name", ["cpu", "cuda:sm_90"])
def test_the_order_of_a_sum_counts(config, name):
    """It decides which product the compiler contracts."""
    one, other = (
        parse_program(TWO_PRODUCTS.replace("OPERANDS", pair)) for pair in ("%2, %3", "%3, %2")
    )
    assert content_hash(one) == content_hash(other)
    keys = {
        compile_key(print_program(program), config.target, config, backend(name)).digest
        for program in (one, other)
    }
    assert len(keys) == 2
