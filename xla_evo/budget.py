"""How long a search may go on: a time, or a number of candidates."""

import math
import re
from dataclasses import dataclass

from xla_evo.errors import ConfigError

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_TIME = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")
_TERM = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_CANDIDATES = re.compile(r"(\d+)c")


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A limit on a search; it stops at whichever comes first.

    Attributes:
        seconds: wall-clock time in seconds, None for no limit.
        candidates: candidates screened, None for no limit.
    """

    seconds: float | None = None
    candidates: int | None = None

    def __post_init__(self) -> None:
        if self.seconds is None and self.candidates is None:
            raise ConfigError("a budget needs a time or a number of candidates")
        if self.seconds is not None and not (self.seconds > 0 and math.isfinite(self.seconds)):
            raise ConfigError(f"a budget must be a time above zero, not {self.seconds} s")
        if self.candidates is not None and self.candidates <= 0:
            raise ConfigError(f"a budget must be at least 1 candidate, not {self.candidates}")

    def __str__(self) -> str:
        time = None if self.seconds is None else f"{self.seconds:g}s"
        count = None if self.candidates is None else f"{self.candidates}c"
        return " or ".join(part for part in (time, count) if part)


def parse_duration(text: str) -> float:
    """Returns seconds of a time such as ``90s``, ``3m``, ``1h30m`` or ``2d``.

    Raises:
        ConfigError: it is not one.
    """
    if not _TIME.fullmatch(text):
        raise ConfigError(f"{text!r} is not a time; write it as 90s, 3m, 1h, 1h30m or 2d")
    return math.fsum(float(number) * _SECONDS[unit] for number, unit in _TERM.findall(text))


def parse_budget(text: str) -> Budget:
    """Returns the budget of a text: a time, or candidates as in ``200000c``.

    Raises:
        ConfigError: it is neither, or zero.
    """
    candidates = _CANDIDATES.fullmatch(text)
    if candidates:
        return Budget(candidates=int(candidates[1]))
    if not _TIME.fullmatch(text):
        raise ConfigError(
            f"budget {text!r} is not a time: write 90s, 3m, 1h or 1h30m, "
            "or a number of candidates such as 200000c"
        )
    return Budget(seconds=parse_duration(text))
