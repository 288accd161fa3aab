"""`tune`: measure what there is, evolve further, certify, record the choice that others follow.

A tuned function is known by the machine's fingerprint, the bound and the programs that shipped with
their proofs, so a second run finds everything done. The searches are runs in the store's folder:
stopped ones go on.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xla_evo.budget import Budget, parse_budget
from xla_evo.errors import ConfigError, XlaEvoError
from xla_evo.library.certificate import Provenance
from xla_evo.library.certify import certify
from xla_evo.library.choice import best_proof
from xla_evo.library.evolved import begun_with
from xla_evo.library.loader import DATA, MODELLED, entries, write_entry
from xla_evo.library.narrow import (
    between_conversions,
    float32_bound,
    roundings,
    with_nearest_rounding,
)
from xla_evo.library.tuned import record_ratios, tuned_ratios, user_library
from xla_evo.scaffolds import Scaffold, scaffolds_of
from xla_evo.search.config import SearchConfig
from xla_evo.search.run import CONFIG, Observer, RunFolder, evolve, resume
from xla_evo.store import Key, Store
from xla_evo.targets.target import Target, make_target
from xla_evo.tuning.beginning import beginning
from xla_evo.tuning.compare import Comparison, compare_one, contenders_of
from xla_evo.tuning.record import Found, keep_program
from xla_evo_lowering.backends import Backend, backend, fingerprint, require
from xla_evo_lowering.canonical import content_hash
from xla_evo_lowering.dtypes import F32
from xla_evo_lowering.program import Program
from xla_evo_lowering.text import parse_program

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """What tuning one function gave.

    Attributes:
        function: name in the catalogue.
        dtype: format.
        backend: name of the row.
        max_ulp: the bound.
        chosen: hash of the program, empty where the built-in stays.
        error_ulp: its error, None for the built-in.
        cost: of what was chosen.
        builtin_cost: of the built-in.
        unit: of the costs.
        known: how the error is known: ``certified`` or ``modelled``; empty for the built-in.
        evolved: programs that searches added.
        notes: a line for each thing that a person should know.
        from_store: whether nothing had to be done.
    """

    function: str
    dtype: str
    backend: str
    max_ulp: float
    chosen: str
    error_ulp: float | None
    cost: float | None
    builtin_cost: float | None
    unit: str
    known: str
    evolved: int
    notes: tuple[str, ...]
    from_store: bool = False

    @property
    def speedup(self) -> float | None:
        """Built-in over what was chosen, None where one of them has no cost."""
        return self.builtin_cost / self.cost if self.cost and self.builtin_cost else None


def tune(
    *names: str,
    backend: str = "cpu",
    max_ulp: float = 1.0,
    budget: Budget | str | None = "1m",
    dtype: str = "float32",
    seed: int = 0,
    store: Store | None = None,
    observer: Observer | None = None,
    report: Report = lambda line: None,
) -> list[Tuned]:
    """Chooses the best program of each function for a backend, and records the choice.

    On ``cpu`` every certified program is timed in turn with the built-in; scaffolds of the function
    are filled by searches, which begin with what was evolved for the same hole before; what they
    prove is certified and joins the user's library, and the times decide what `xla_evo.use` and
    `xla_evo.install` take from then on. Searches for a 16-bit format work in float32, and what they
    find is put between conversions. For a backend that is not here searches begin with nothing,
    costs are static and errors modelled; the choice is recorded, but nothing follows it.

    Args:
        *names: functions of the catalogue.
        backend: a row of the backend table.
        max_ulp: largest error allowed, in ULP over every input.
        budget: of the searches of one function, all sittings together: a time, or candidates as in
            ``20000c``; None to search nothing.
        dtype: format; float64 has no searches.
        seed: of the searches.
        store: where everything is kept; the user's when left out.
        observer: is told about the progress of searches.
        report: receives a line when something slow begins.

    Raises:
        TargetError: there is no such function.
        BackendError: there is no such backend, or its plugin is missing.
        ConfigError: a setting is wrong.
    """
    row = _row(backend)
    limit = parse_budget(budget) if isinstance(budget, str) else budget
    if not max_ulp > 0:
        raise ConfigError(f"max_ulp must be above 0, not {max_ulp}")
    targets = [make_target(name, dtype) for name in names]
    if not row.live:
        require(row)
    opened = store or Store.open()
    try:
        return [
            _Tuning(target, row, max_ulp, limit, seed, opened, observer, report).run()
            for target in targets
        ]
    finally:
        if store is None:
            opened.close()


_row = backend


def _limits(budget: Budget | None) -> tuple[float | None, int | None]:
    return (budget.seconds, budget.candidates) if budget else (None, None)


def _share(budget: Budget, parts: int) -> Budget:
    seconds, candidates = _limits(budget)
    return Budget(
        seconds=None if seconds is None else seconds / parts,
        candidates=None if candidates is None else max(1, candidates // parts),
    )


@dataclass(frozen=True, slots=True)
class _Tuning:
    """One function on one backend."""

    target: Target
    row: Backend
    max_ulp: float
    budget: Budget | None
    seed: int
    store: Store
    observer: Observer | None
    report: Report

    @property
    def _names(self) -> tuple[str, str]:
        return self.target.function.name, self.target.dtype.name

    def _key(self) -> Key:
        function, dtype = self._names
        folders = (DATA,) if self.row.live else (DATA, MODELLED)
        shipped = sorted(
            f"{entry.certificate.program_hash} {len(entry.certificate.proofs)}"
            f" {sum(proof.measurement.exhaustive for proof in entry.certificate.proofs)}"
            for folder in folders
            for entry in entries(function, dtype, folder=folder)
        )
        return Key.of(
            "tune", function=function, dtype=dtype, max_ulp=repr(self.max_ulp),
            seed=str(self.seed), library=hashlib.sha256(" ".join(shipped).encode()).hexdigest(),
            **fingerprint(self.row),
        )  # fmt: skip

    def run(self) -> Tuned:
        key = self._key()
        entry = self.store.get(key)
        if entry is not None and self._searched(entry.value) and self._followed(entry.value):
            return self._read(entry.value)
        before = len(contenders_of(self.target, self.store))
        notes: list[str] = []
        ended = self._evolve(self.budget, notes) if self.budget else True
        contenders = contenders_of(self.target, self.store)
        self.report(f"{self._names[0]}: measuring {len(contenders)} programs for {self.row.name}")
        found = compare_one(
            self.target, self.row, self.max_ulp, self.store, contenders=contenders,
            report=self.report,
        )  # fmt: skip
        value = self._value(found, len(contenders) - before, notes)
        value["budget"] = list(_limits(self.budget if ended else None))
        if self.row.live:
            self._record(found)
        self.store.put(key, value)
        return self._read(value, from_store=False)

    def _searched(self, value: Any) -> bool:
        """Whether as much was searched before as is asked for now, or more."""
        spent: Any = value["budget"]
        return self.budget is None or all(
            wanted is None or (known is not None and known >= wanted)
            for wanted, known in zip(_limits(self.budget), spent, strict=True)
        )

    def _followed(self, value: Any) -> bool:
        """Whether choices still follow it: nothing was to be recorded, or the record is there."""
        recorded = self.row.live and value["builtin_cost"]
        return not recorded or bool(tuned_ratios(*self._names, fingerprint(self.row)))

    def _read(self, value: Any, *, from_store: bool = True) -> Tuned:
        function, dtype = self._names
        fields = {name: value[name] for name in value if name not in ("budget", "notes")}
        return Tuned(
            function=function, dtype=dtype, backend=self.row.name, max_ulp=self.max_ulp,
            notes=tuple(value["notes"]), from_store=from_store, **fields,
        )  # fmt: skip

    def _value(self, found: Comparison, evolved: int, notes: list[str]) -> dict[str, Any]:
        builtin, best = found.builtin, found.best
        if best is not None and not best.holds(self.max_ulp):
            notes.append(f"{best.name}: {best.max_ulp:.3g} ULP, on a sample only")
            best = None
        cost = builtin.cost if builtin else None
        if best is None:
            notes.append("the built-in stays: no program holds the bound")
        elif cost is not None and (best.cost or 0.0) >= cost:
            notes.append(
                f"{best.name} is no faster than the built-in, which stays where no bound is asked"
            )
        return {
            "chosen": "" if best is None else best.program,
            "error_ulp": None if best is None else best.max_ulp,
            "cost": best.cost if best else cost,
            "builtin_cost": cost,
            "unit": best.unit if best else builtin.unit if builtin else "",
            "known": best.known if best else "",
            "evolved": evolved,
            "notes": [*notes, *found.reasons()],
        }

    def _record(self, found: Comparison) -> None:
        """The speed-ups measured here, which every choice of a program reads."""
        builtin = found.builtin
        if builtin is None or not builtin.cost:
            return
        ratios = {
            item.program: builtin.cost / item.cost
            for item in (found.best, *found.others)
            if item is not None and item.cost
        }
        record_ratios(*self._names, fingerprint(self.row), ratios)
        from xla_evo.integration.dispatch import forget_choices

        forget_choices()

    def _evolve(self, budget: Budget, notes: list[str]) -> bool:
        """Searches in every scaffold; returns whether each search came to its end."""
        frames: tuple[Scaffold, ...] = ()
        if self._bound:
            frames = scaffolds_of(self.target.function.name, self.row, self._bound)
        if not frames:
            why = "there is no scaffold for its whole range"
            if self.target.dtype.bits == 16 and not self._bound:
                why = "a 16-bit format needs a bound above 0.5 ULP"
            notes.append(f"nothing was evolved: {why}")
        ended = True
        for frame in frames:
            try:
                text = self._search(frame, _share(budget, len(frames)))
            except XlaEvoError as error:
                notes.append(f"scaffold {frame.name}: {error}")
                ended = False
                continue
            if not text:
                notes.append(
                    f"scaffold {frame.name}: nothing held {self._bound:g} ULP of float32 in time"
                )
                continue
            try:
                self._keep(text, frame, notes)
            except XlaEvoError as error:
                notes.append(f"scaffold {frame.name}: what was evolved is refused: {error}")
        return ended

    @property
    def _bound(self) -> float:
        """Of the searches, which work in float32, in ULP; 0 where the format is none of theirs."""
        if self.target.dtype is F32:
            return self.max_ulp
        is_narrow = self.target.dtype.bits == 16
        return float32_bound(self.target.dtype, self.max_ulp) if is_narrow else 0.0

    def _folder(self, frame: Scaffold) -> Path:
        name = "-".join([*self._names, self.row.name.replace(":", "-"), frame.name])
        digest = hashlib.sha256(repr(sorted(fingerprint(self.row).items())).encode()).hexdigest()
        return self.store.path / "tune" / f"{name}-{self.max_ulp:g}-{self.seed}-{digest[:8]}"

    def _search(self, frame: Scaffold, share: Budget) -> str:
        """The text of a program that holds, from a new search or one that goes on; or nothing."""
        folder = self._folder(frame)
        self.report(f"{self._names[0]}: evolving in scaffold {frame.name} for {self.row.name}")
        if (folder / CONFIG).exists():
            outcome = resume(folder, budget=share, store=self.store, observer=self.observer)
        else:
            config = SearchConfig(
                target=make_target(self.target.function.name, "float32"), max_ulp=self._bound,
                budget=share, backend=self.row.name,
                seed=self.seed, scaffold=frame.name, begin=self._begin(frame),
            )  # fmt: skip
            outcome = evolve(config, folder, store=self.store, observer=self.observer)
        return outcome.winner.text if outcome.winner else ""

    def _begin(self, frame: Scaffold) -> str:
        """What its search begins with: nothing for a device that is not here.

        What was evolved for CPUs may have operations whose results are not known there.
        """
        return beginning(frame, self._bound) if self.row.live else ""

    def _keep(self, text: str, frame: Scaffold, notes: list[str]) -> None:
        """Certifies a program on a live backend; for others its text joins the candidates."""
        program = parse_program(text)
        if not self.row.live:
            origin = f"scaffold {frame.name}, seed {self.seed}"
            for made in self._formats_of(program):
                found = Found(program=made, backend=self.row.name, origin=origin)
                keep_program(self.store, *self._names, found)
            return
        # From the run and not from what would begin one now: it may be of an earlier library.
        note = begun_with(RunFolder(self._folder(frame)).config())
        source = Provenance(kind=f"from scaffold {frame.name}", seed=self.seed, note=note)
        if self.target.dtype.bits == 16:
            program, source = with_nearest_rounding(program, source, self.target)
        digest = content_hash(program)
        if self._certified(digest):
            notes.append(f"scaffold {frame.name}: {digest[:8]} was certified before")
            return
        self.report(f"{self._names[0]}: certifying what was evolved in scaffold {frame.name}")
        entry = certify(
            program, *self._names, provenance=source, max_ulp=self.max_ulp, time=False
        )  # fmt: skip
        write_entry(entry, user_library())
        notes.append(f"scaffold {frame.name}: {digest[:8]} certified")

    def _formats_of(self, program: Program) -> list[Program]:
        """A float32 program in the format, for a device that is not here."""
        narrow = self.target.dtype
        if narrow.bits != 16:
            return [program]
        ways = roundings(narrow, self.row.platform)
        return [between_conversions(program, narrow, way) for way in ways]

    def _certified(self, digest: str) -> bool:
        """Whether a program is known with a proof of this very machine."""
        live = fingerprint(self.row)
        return any(
            entry.certificate.program_hash == digest
            and best_proof(entry, "inline", self.row.name, live)[1]
            for folder in (DATA, user_library())
            for entry in entries(*self._names, folder=folder)
        )
