"""The best program of each backend side by side, what it saves against the built-in, and why."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xla_evo.errors import ConfigError
from xla_evo.library.loader import DATA, MODELLED, entries, joined
from xla_evo.library.tuned import user_library
from xla_evo.store import Store
from xla_evo.targets.target import Target, make_target
from xla_evo.tuning.assess import Assessment, Contender, assess_ahead, assess_here
from xla_evo.tuning.record import found_programs
from xla_evo_lowering.backends import Backend, backend, require
from xla_evo_lowering.canonical import content_hash
from xla_evo_lowering.device_model import ARITHMETIC
from xla_evo_lowering.dtypes import FLOATS

_WRONG = 1000.0
"""ULP from which a result is not inaccurate but wrong, as where subnormal inputs count as zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One function on one backend.

    Attributes:
        function: name in the catalogue.
        backend: name of the row.
        best: the cheapest program within the bound over every input; where there is none, the
            cheapest that is on a sample (`known` says so), or None.
        builtins: the built-in and, where JAX has it, its most accurate form.
        others: programs that were not chosen, with what is known of them.
        max_ulp: the bound.
        origin: where the best program came from.
    """

    function: str
    backend: str
    best: Assessment | None
    builtins: tuple[Assessment, ...]
    others: tuple[Assessment, ...]
    max_ulp: float
    origin: str = ""

    @property
    def builtin(self) -> Assessment | None:
        """The built-in as users call it."""
        return self.builtins[0] if self.builtins else None

    def saving(self, place: int = 0) -> float | None:
        """Share of a built-in's cost that the best program saves; negative when it costs more.

        Args:
            place: 0 for the default built-in, 1 for the accurate one.
        """
        if self.best is None or self.best.cost is None or place >= len(self.builtins):
            return None
        cost = self.builtins[place].cost
        return None if not cost else 1.0 - self.best.cost / cost

    def reasons(self) -> list[str]:
        """Why each other program was not chosen, a line each."""
        return [f"{item.name}: {self.reason(item)}" for item in self.others]

    def reason(self, item: Assessment) -> str:
        """Why one of the other programs was not chosen."""
        if item.problem:
            return item.problem.removeprefix(f"{self.backend}: ")
        if item.max_ulp is None or item.cost is None:
            return "nothing is known of its error there"
        if item.max_ulp > self.max_ulp:
            wrong = "wrong by " if item.max_ulp > _WRONG else ""
            return f"{wrong}{item.max_ulp:.3g} ULP there, above {self.max_ulp:g}"
        if self.best is not None and item.cost >= (self.best.cost or 0.0):
            return f"costs {item.cost:.4g}, no less than the best"
        return f"{item.max_ulp:.3g} ULP on a sample only"


def contenders_of(target: Target, store: Store) -> list[Contender]:
    """Returns every program at hand for a function.

    Those are the shipped ones, the ones for devices, what was certified here, and what tuning
    found.
    """
    name, dtype = target.function.name, target.dtype.name
    folders = (DATA, user_library(), MODELLED)
    known = joined(one for folder in folders for one in entries(name, dtype, folder=folder))
    found = {
        digest: Contender(name=digest[:8], program=entry.program, entry=entry)
        for entry in known
        for digest in (entry.certificate.program_hash,)
    }
    for item in found_programs(store, name, dtype):
        digest = content_hash(item.program)
        found.setdefault(digest, Contender(name=digest[:8], program=item.program))
    return list(found.values())


def compare_one(
    target: Target,
    row: Backend,
    max_ulp: float,
    store: Store,
    *,
    contenders: Sequence[Contender] | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Comparison:
    """Assesses every program at hand on one backend and chooses.

    Raises:
        ConfigError: the function takes two arguments.
        BackendError: the backend's plugin is missing or does not start.
    """
    if target.function.arity != 1:
        raise ConfigError(f"tune takes functions of one argument, not {target.function.name}")
    items = contenders_of(target, store) if contenders is None else contenders
    if row.live:
        found, own = assess_here(target, items, row)
    else:
        require(row)
        found, own = assess_ahead(target, items, row, max_ulp, store, report)
    within = [item for item in found if item.holds(max_ulp)]
    # A sample claims no bound; where nothing better is known it shows what there is, and says so.
    within = within or [item for item in found if item.within(max_ulp)]
    best = min(within, key=lambda item: (item.cost or 0.0, item.program), default=None)
    return Comparison(
        function=target.function.name, backend=row.name, best=best, builtins=tuple(own),
        others=tuple(item for item in found if item is not best), max_ulp=max_ulp,
        origin=next((item.origin for item in items if best and item.hash == best.program), ""),
    )  # fmt: skip


def compare(
    names: Sequence[str],
    backends: Sequence[str],
    *,
    max_ulp: float = 1.0,
    dtype: str = "float32",
    store: Store | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> list[Comparison]:
    """Returns what each backend would choose for each function.

    Args:
        names: functions of the catalogue.
        backends: rows of the backend table; those that are not here are modelled.
        max_ulp: largest error allowed, in ULP over every input.
        dtype: format.
        store: where costs and errors are kept; the user's when left out.
        report: receives a line when something slow begins.

    Raises:
        TargetError: there is no such function.
        BackendError: there is no such backend, or its plugin is missing.
    """
    rows = [backend(name) for name in backends]
    targets = [make_target(name, dtype) for name in names]
    opened = store or Store.open()
    try:
        return [
            compare_one(target, row, max_ulp, opened, report=report)
            for target in targets
            for row in rows
        ]
    finally:
        if store is None:
            opened.close()


def winners(comparisons: Sequence[Comparison]) -> list[str]:
    """A line for each program that a backend chose for one function, with why others did not."""
    chosen: dict[str, list[Comparison]] = {}
    for item in comparisons:
        if item.best is not None:
            chosen.setdefault(item.best.program, []).append(item)
    lines: list[str] = []
    for program, places in chosen.items():
        where = " and ".join(item.backend for item in places)
        fates = [
            f"on {item.backend} {item.reason(other)}"
            for item in comparisons
            for other in item.others
            if other.program == program
        ]
        head = f"{program[:8]}, {places[0].origin or 'of unknown origin'}, is best on {where}"
        lines.append("; ".join([head, *fates]))
    return lines


def losers(comparisons: Sequence[Comparison]) -> list[str]:
    """A line for each backend where no program is within the bound, with the nearest one."""
    lines: list[str] = []
    for item in comparisons:
        if item.best is not None:
            continue
        known = [one for one in item.others if one.max_ulp is not None and one.cost is not None]
        nearest = min(known, key=lambda one: (one.max_ulp or 0.0, one.program), default=None)
        line = f"on {item.backend} none is within {item.max_ulp:g} ULP"
        if nearest is not None:
            line += f"; nearest is {nearest.name}: {nearest.max_ulp:.4g} ULP, {nearest.cost:.4g}"
        lines.append(line)
    return lines


def arithmetic(name: str) -> str:
    """What of a backend's arithmetic decides which programs it can use, in a line."""
    row = backend(name)
    parts = [
        "contracts a*b + c" if row.contracts else "does not contract a*b + c",
        "subnormal numbers are zero" if row.flushes_subnormals else "subnormal numbers count",
    ]
    missing = [dtype.name for dtype in FLOATS if dtype not in row.formats]
    if missing:
        parts.append(f"no {'/'.join(missing)}")
    lacks = sorted(ARITHMETIC[row.platform].lacks)
    if lacks:
        parts.append(f"bits of {'/'.join(lacks)} not known")
    return "; ".join(parts)
