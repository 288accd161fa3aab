"""The store: what was compiled, timed and proven, kept under keys that can be explained.

One SQLite index (WAL) and a folder of content-addressed blobs; see `Store`.
"""

from xla_evo.store.key import Entry, Json, Key
from xla_evo.store.reports import ImportReport, KindStats, PruneReport, Stats
from xla_evo.store.store import Store
from xla_evo_lowering.folders import default_path

__all__ = [
    "Entry",
    "ImportReport",
    "Json",
    "Key",
    "KindStats",
    "PruneReport",
    "Stats",
    "Store",
    "default_path",
]
