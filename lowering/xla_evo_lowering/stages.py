"""The stage table: what a compilation passes through on each platform, by name.

One row a stage: how files of it end in XLA's dump folder, how it is named when written, and what
counts as an operation in its text. To show another stage is to add a row.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from xla_evo_lowering.errors import BackendError


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of a compilation.

    Attributes:
        name: as users write it.
        title: what it is, for headings.
        extension: of files that it is written to.
        dumped: regular expression of file names in XLA's dump folder; empty when it is not dumped.
        operation: regular expression whose first group is the name of an operation; empty where
            there are none to count.
        binary: True when it is not text.
    """

    name: str
    title: str
    extension: str
    dumped: str = ""
    operation: str = ""
    binary: bool = False


_HLO = r"^[ \t]+(?:ROOT )?%?[\w.-]+ = \(?[^=]*?\s([\w-]+)\("
_LLVM = r"^[ \t]+(?:%\S+ = )?(?:(?:tail|musttail|notail) )?([a-z]\w+)\s"
_ASM = r"^[ \t]*[0-9a-f]+:\s+(?!nop|data16|cs nop|int3)([a-z]\w+)"
_STABLEHLO = r"(?:stablehlo|chlo)\.(\w+)"

_COMMON = (
    Stage(name="stablehlo", title="StableHLO", extension="mlir", operation=_STABLEHLO),
    Stage(name="hlo", title="HLO before optimisation", extension="hlo",
          dumped=r"\.before_optimizations\.txt$", operation=_HLO),
    Stage(name="optimized", title="HLO after optimisation", extension="hlo",
          dumped=r"after_optimizations\.txt$", operation=_HLO),
)  # fmt: skip
_LLVM_STAGES = (
    Stage(name="llvm", title="LLVM IR before optimisation", extension="ll",
          dumped=r"ir-no-opt(\.\d+)?\.ll$", operation=_LLVM),
    Stage(name="llvm_optimized", title="LLVM IR after optimisation", extension="ll",
          dumped=r"ir-with-opt(\.\d+)?\.ll$", operation=_LLVM),
)  # fmt: skip

STAGE_TABLE: Mapping[str, tuple[Stage, ...]] = {
    "cpu": (
        *_COMMON, *_LLVM_STAGES,
        Stage(name="object", title="object code (ELF)", extension="o", dumped=r"\.o$",
              binary=True),
        Stage(name="asm", title="assembly of the object code", extension="s", operation=_ASM),
    ),
    "cuda": (
        *_COMMON, *_LLVM_STAGES,
        Stage(name="ptx", title="PTX", extension="ptx", dumped=r"\.ptx$",
              operation=r"^[ \t]+(?:@!?%p\d+\s+)?([a-z][a-z0-9_]*(?:\.[a-z0-9_:]+)*)[ \t;]"),
        Stage(name="sass", title="SASS", extension="sass",
              operation=r"^[ \t]+/\*[0-9a-f]+\*/\s+(?:@!?U?P\d+\s+)?(?!NOP)([A-Z][A-Z0-9_.]*)"),
    ),
    "tpu": (
        *_COMMON,
        Stage(name="llo", title="final VLIW bundles", extension="txt",
              dumped=r"(?<!analysis_)final_bundles\.txt$",
              operation=r"(?:^|[{;=]\s*)\s*(v[a-z]\w*|s[a-z]\w*)"),
        Stage(name="bundles", title="compute bundles by steps, and why they are not full",
              extension="txt"),
        Stage(name="schedule", title="schedule analysis of the bundles", extension="txt",
              dumped=r"schedule-analysis_final_bundles\.txt$"),
    ),
}  # fmt: skip
"""The stages of each platform, in the order in which a compilation passes through them."""


def stage(platform: str, name: str) -> Stage:
    """Returns the row of a stage.

    Raises:
        BackendError: the platform has no such stage.
    """
    rows = STAGE_TABLE[platform]
    for row in rows:
        if row.name == name:
            return row
    known = ", ".join(row.name for row in rows)
    raise BackendError(f"a {platform} compilation has no stage {name!r}; it has {known}")


def collect(folder: Path, platform: str) -> dict[str, bytes]:
    """Returns the stages that XLA dumped into a folder; several files of one stage are joined."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    found: dict[str, bytes] = {}
    for row in STAGE_TABLE[platform]:
        if not row.dumped:
            continue
        contents = [path.read_bytes() for path in files if re.search(row.dumped, path.name)]
        if contents:
            found[row.name] = b"".join(contents)
    return found


_LOCATIONS = re.compile(
    r"^(?:FileNames|FunctionNames|FileLocations|StackFrames)\n(?:\d+ .*\n)*\n?", re.MULTILINE
)
_METADATA = re.compile(r", metadata=\{[^{}]*\}")


def plain_hlo(text: str) -> str:
    """HLO text without source locations, which differ from machine to machine."""
    return _METADATA.sub("", _LOCATIONS.sub("", text))


def count_operations(platform: str, name: str, text: bytes) -> dict[str, int]:
    """Returns how often each operation stands in a stage, most frequent first; empty for binaries.

    Every line of the text counts, so loops, remainders and set-up count once each.
    """
    row = stage(platform, name)
    if not row.operation:
        return {}
    found = re.findall(row.operation, text.decode(errors="replace"), re.MULTILINE)
    return dict(sorted(Counter(found).items(), key=lambda item: (-item[1], item[0])))
