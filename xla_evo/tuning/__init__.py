"""Choosing per backend: which program is best on this machine, and on machines that are not here.

`tune` measures, evolves, certifies and records; `compare` shows what each backend would choose.
"""

from xla_evo.tuning.compare import Comparison, compare
from xla_evo.tuning.tune import Tuned, tune

__all__ = ["Comparison", "Tuned", "compare", "tune"]
