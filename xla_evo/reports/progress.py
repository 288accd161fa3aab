"""Live progress of a search: a panel with rich on a terminal, plain lines elsewhere."""

import sys
import time
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from xla_evo.reports.summary import rival
from xla_evo.search.config import SearchConfig
from xla_evo.search.engine import Search
from xla_evo.search.population import Measured, best_known

_PLAIN_EVERY_S = 10.0
_LIVE_EVERY_S = 0.25
_ROWS = 8


def clock(seconds: float) -> str:
    """Minutes and seconds, e.g. ``2:05``."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def describe(item: Measured, rival: str = "built-in", *, modelled: bool = False) -> str:
    """One line on a measured candidate, see `summary.rival`."""
    how = "every input" if item.proven else "sampled"
    how = f"{how}, modelled" if modelled else "proven" if item.proven else how
    return f"{item.ulp:.3g} ULP ({how}), {1 / item.time:.2f}x the {rival}'s speed"


class Progress:
    """An observer of a search that shows how it goes; a context manager.

    Args:
        config: the settings of the search.
    """

    def __init__(self, config: SearchConfig) -> None:
        self._config = config
        self._console = Console(file=sys.stderr)
        self._live: Live | None = None
        self._started = time.monotonic()
        self._before_s: float | None = None
        self._shown = 0.0
        self._sweep = ""

    def __enter__(self) -> "Progress":
        if self._console.is_terminal:
            self._live = Live(console=self._console, transient=True, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self, search: Search) -> None:
        """Shows the state after a generation; the first time tells what was spent before."""
        if self._before_s is None:
            self._before_s = search.state.counters.elapsed
        self._sweep = ""
        self._show(search)

    def sweep(self, search: Search, done: int, total: int) -> None:
        """Shows how far a proof is."""
        self._sweep = f"{done / total:.0%} of {total:,} inputs"
        self._show(search)

    def _show(self, search: Search) -> None:
        every = _LIVE_EVERY_S if self._live is not None else _PLAIN_EVERY_S
        if time.monotonic() - self._shown < every:
            return
        self._shown = time.monotonic()
        if self._live is not None:
            self._live.update(self._panel(search), refresh=True)
        else:
            sys.stderr.write(self._line(search) + "\n")
            sys.stderr.flush()

    def _status(self, search: Search) -> list[tuple[str, str]]:
        counters = search.state.counters
        spent = max(1e-9, counters.seconds.get("screen", 0.0))
        measured = counters.compiled + counters.compile_hits
        measuring = counters.seconds.get("compile", 0.0) + counters.seconds.get("time", 0.0)
        budget = self._config.budget
        elapsed = clock((self._before_s or 0.0) + time.monotonic() - self._started)
        limit = clock(budget.seconds) if budget.seconds else f"{budget.candidates:,} candidates"
        failed = sum(counters.failures.values())
        return [
            ("time", f"{elapsed} of {limit}"),
            ("generation", f"{counters.generation}"),
            ("screened", f"{counters.screened:,} ({counters.screened / spent:,.0f}/s)"),
            (
                "compiled and timed",
                f"{measured:,} ({measured / max(1e-9, measuring):.0f}/s),"
                f" {counters.compile_hits:,} from the store",
            ),
            ("failed", f"{failed}"),
            ("now", f"{search.phase} {self._sweep}".strip()),
        ]

    def _line(self, search: Search) -> str:
        status = dict(self._status(search))
        leader = search.leader()
        best = f"best {self._describe(leader)}" if leader else self._none_yet(search)
        return (
            f"[{status['time']}] screened {status['screened']}, compiled and timed"
            f" {status['compiled and timed']}; {best}; {status['now']}"
        )

    def _none_yet(self, search: Search) -> str:
        """How near the search is, and how often it began anew."""
        state = search.state
        told = "nothing holds the bound yet"
        least = search.population.least_ulp()
        if least < float("inf"):
            told += f" (least error of a sketch {least:.3g} ULP)"
        return f"{told}, beginning {state.beginnings + 1}" if state.beginnings else told

    def _describe(self, leader: Measured) -> str:
        return describe(leader, rival(self._config.target), modelled=self._config.modelled)

    def _panel(self, search: Search) -> Any:
        grid = Table.grid(padding=(0, 2))
        title = f"evolving {self._config.target.describe()}, at most {self._config.max_ulp:g} ULP"
        grid.add_row(Text(title, style="bold"))
        facts = Table.grid(padding=(0, 2))
        for name, value in self._status(search):
            facts.add_row(Text(name, style="dim"), value)
        grid.add_row(facts)
        front = Table(box=None, padding=(0, 2))
        for heading in ("max ULP", f"speed vs {rival(self._config.target)}", "operations", ""):
            front.add_column(heading, justify="right")
        for item in best_known(search.population.front)[:_ROWS]:
            holds = item.ulp <= self._config.max_ulp and not item.failed
            style = "green" if holds else "dim"
            proven = "modelled on every input" if self._config.modelled else "proven"
            note = proven if item.proven else "holds on the sample" if holds else ""
            note = "fails special inputs" if item.failed else note
            cells = (f"{item.ulp:.4g}", f"{1 / item.time:.2f}x", f"{item.cost:g}", note)
            front.add_row(*(Text(cell, style=style) for cell in cells))
        grid.add_row(front)
        return grid
