"""A winner of a run, swept and examined without a search."""

from xla_evo.budget import parse_budget
from xla_evo.proof import examine, sweep
from xla_evo.search.config import SearchConfig
from xla_evo.search.finish import Winner
from xla_evo.search.tasks import Timed
from xla_evo.targets.target import make_target
from xla_evo_lowering.text import parse_program

TEXT = """\
program exp2(x: f32) -> f32 {
  %0: f32 = const 0x1.62e43p+0
  %1: f32 = mul x, %0
  %2: f32 = const 0x1.3a37ap-1
  %3: f32 = add %1, %2
  return %3
}
"""
TARGET = make_target("exp2", "float32", 1.0, 1.001)
CONFIG = SearchConfig(target=TARGET, max_ulp=9.0, budget=parse_budget("10s"))


def winner(digest: str, max_ulp: float) -> Winner:
    """The program above, under a hash of one's own."""
    program = parse_program(TEXT)
    return Winner(
        text=TEXT, program=digest, error=sweep(program, TARGET),
        examination=examine(program, TARGET, max_ulp=max_ulp),
        timed=Timed((0.1,), (0.3,), (0.05,), 16000), builtin=None,
    )  # fmt: skip
