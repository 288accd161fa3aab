"""What the store says about itself and about its upkeep."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class KindStats:
    """Counts of one kind of entry.

    Attributes:
        kind: the kind; ``native`` for machine code of custom calls, whose lookups are not counted.
        entries: entries recorded now, or libraries.
        hits: lookups that found one, over the store's life.
        misses: lookups that found none.
        blobs: distinct blobs that its entries refer to.
        bytes: size of its rows and, as stored, of its blobs.
    """

    kind: str
    entries: int
    hits: int
    misses: int
    blobs: int
    bytes: int

    @property
    def hit_rate(self) -> float | None:
        """Share of lookups that hit, None before the first lookup."""
        lookups = self.hits + self.misses
        return self.hits / lookups if lookups else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """The whole store.

    Attributes:
        path: its folder.
        schema: version of its schema.
        read_only: whether this process can only read it.
        bytes: what it takes on disk: index, blobs and machine code of custom calls.
        kinds: one row a kind, by name.
    """

    path: str
    schema: int
    read_only: bool
    bytes: int
    kinds: tuple[KindStats, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneReport:
    """What a prune removed: entries and libraries, blobs, and bytes on disk before and after."""

    entries: int
    blobs: int
    bytes_before: int
    bytes_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did.

    Attributes:
        added: entries that were not there.
        replaced: entries that were there and older than the imported ones.
        kept: entries that were there and at least as new.
        blobs: blobs that were not there.
    """

    added: int
    replaced: int
    kept: int
    blobs: int
