"""Scaffolds: range reduction and reconstruction, with a hole that evolution fills.

`scaffold` finds one by name; `Scaffold.fill` puts a program into the hole, `hole_of` takes it out.
"""

from xla_evo.scaffolds.catalogue import SCAFFOLDS, scaffold, scaffolds_of
from xla_evo.scaffolds.hole import hole_of
from xla_evo.scaffolds.scaffold import Scaffold

__all__ = ["SCAFFOLDS", "Scaffold", "hole_of", "scaffold", "scaffolds_of"]
