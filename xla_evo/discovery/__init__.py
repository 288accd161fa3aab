"""Discovery over the real numbers: the fewest operations for a precision.

Rounding plays no part here. Each of +, -, x, / costs one operation; the input and real constants
are free; intermediate values may be used again. The search starts from nothing and knows nothing
of the function but its values.
"""

from xla_evo.discovery.config import DiscoveryConfig
from xla_evo.discovery.engine import Progress, load_front, resume, run
from xla_evo.discovery.record import Front, Record

__all__ = ["DiscoveryConfig", "Front", "Progress", "Record", "load_front", "resume", "run"]
