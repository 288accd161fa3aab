"""Static cost on CPU: cycles an element of the vector loop, from the object code.

Instructions are put into classes by mnemonic, classes occupy ports, and the most occupied resource
is the bound. Where ``llvm-mca`` is installed its simulation of the same loop, which also knows
latencies, is given beside it.

Limits: x86-64 only; the port table is that of one core with 256-bit pipes (AMD Zen 4; source: AMD's
Software Optimization Guide for the 19h family, and uops.info); memory beyond the first-level cache
is not modelled; a loop that calls a function is only as dear as the call itself; branches inside a
loop count both sides. Costs order programs; they are not times.
"""

import re
import shutil
import subprocess
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xla_evo_lowering.assembly import disassemble
from xla_evo_lowering.errors import BackendError
from xla_evo_lowering.loops import Line, Loop, hot_loops


@dataclass(frozen=True, slots=True, kw_only=True)
class PortClass:
    """Instructions that share ports.

    Attributes:
        name: for tables.
        pattern: of mnemonics, without the ``v`` of AVX.
        resources: resource name to the share of it that one 256-bit instruction takes, in cycles.
    """

    name: str
    pattern: str
    resources: Mapping[str, float]


# Four vector pipes: two multiply, two add, compare, round and convert; integers and logic run on
# all four, shifts on two, divisions and square roots block one. Shares are those of 256-bit
# instructions, adjusted to timed sums of one operation; tools/bench_cost.py holds them to account.
PORT_CLASSES: tuple[PortClass, ...] = (
    PortClass(name="division", pattern=r"div[ps][sd]", resources={"fp": 0.25, "divider": 3.0}),
    PortClass(name="square root", pattern=r"r?sqrt[ps][sd]",
              resources={"fp": 0.25, "divider": 4.0}),
    PortClass(name="fma", pattern=r"fn?m(?:add|sub)\w*[ps][sd]",
              resources={"fp": 0.25, "multiply": 0.5}),
    PortClass(name="multiply", pattern=r"mul[ps][sd]|pmul\w+",
              resources={"fp": 0.25, "multiply": 0.5}),
    PortClass(name="add", pattern=r"(?:add|sub|addsub|hadd)[ps][sd]",
              resources={"fp": 0.25, "add": 0.5}),
    PortClass(name="convert", pattern=r"cvt\w+", resources={"fp": 0.25, "add": 0.75}),
    PortClass(name="round", pattern=r"rndscale\w*|round[ps][sd]|getexp\w+|scalef\w+",
              resources={"fp": 0.25, "add": 0.5}),
    PortClass(name="min, max, compare",
              pattern=r"(?:min|max|u?comi|cmp\w*)[ps][sd]|pcmp\w+|ptest\w*",
              resources={"fp": 0.25, "add": 0.5}),
    PortClass(name="shift", pattern=r"ps[lr][la]\w+|pro[lr]\w+",
              resources={"fp": 0.25, "shift": 0.5}),
    PortClass(name="integer, logic, select",
              pattern=r"p(?:add|sub|and|or|xor|min|max|abs|tern|blend)\w*|(?:and|or|xor|andn)p[sd]"
                      r"|blend\w+|k\w+",
              resources={"fp": 0.25}),
    PortClass(name="permute, pack", pattern=r"p(?:ack|unpck|shuf|insr|extr|mov[sz]x|erm)\w*|perm\w+"
              r"|shuf\w+|unpck\w+|insert\w+|extract\w+|broadcast\w+|pbroadcast\w+|pmov\w+|movmsk\w+",
              resources={"fp": 0.25, "shift": 0.5}),
    PortClass(name="gather, call", pattern=r"p?gather\w+|call", resources={"front end": 20.0}),
)  # fmt: skip
MOVE, SCALAR = "move", "scalar"
_LOAD, _STORE = {"load": 0.5}, {"store": 1.0}
FRONT_END = 1 / 6
_MEMORY = re.compile(r"\(%r|\(,%r|\(%rip")
_COMPILED = tuple((re.compile(f"v?(?:{row.pattern})$"), row) for row in PORT_CLASSES)


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuCost:
    """What one element of the vector loop costs.

    Attributes:
        cycles: of the most occupied resource, an element; summed over kernels.
        resource: which one that is, in the dearest kernel.
        instructions: instructions an element.
        classes: instructions an element by port class.
        elements: elements that one pass of the loop makes.
        mca_cycles: cycles an element by llvm-mca, None where it is not installed.
    """

    cycles: float
    resource: str
    instructions: float
    classes: Mapping[str, float]
    elements: int
    mca_cycles: float | None


def classify(line: Line) -> PortClass | None:
    """The port class of an instruction, None for moves and scalar bookkeeping."""
    for pattern, row in _COMPILED:
        if pattern.match(line.mnemonic):
            return row
    return None


def loop_cost(loop: Loop, itemsize: int, *, mca: str | None = None) -> CpuCost:
    """Costs one loop.

    Args:
        loop: the vector loop.
        itemsize: bytes of one element of the result.
        mca: processor for ``llvm-mca``, e.g. ``native``; None leaves it out.
    """
    elements = max(1, loop.stored_bytes // itemsize)
    counts: Counter[str] = Counter()
    used: defaultdict[str, float] = defaultdict(float)
    for line in loop.body:
        row = classify(line)
        wide = 2.0 if "%zmm" in line.operands else 1.0
        vector = "mm" in line.operands
        counts[row.name if row else MOVE if vector else SCALAR] += 1
        used["front end"] += FRONT_END
        for resource, share in (row.resources if row else {}).items():
            used[resource] += share * wide
        if _MEMORY.search(line.operands) and vector:
            for resource, share in (_STORE if line.stored_bytes else _LOAD).items():
                used[resource] += share * wide
    resource, cycles = max(used.items(), key=lambda item: (item[1], item[0]))
    return CpuCost(
        cycles=cycles / elements,
        resource=resource,
        instructions=len(loop.body) / elements,
        classes={name: count / elements for name, count in sorted(counts.items())},
        elements=elements,
        mca_cycles=_mca_cycles(loop, mca) / elements if mca and shutil.which("llvm-mca") else None,
    )


def cpu_cost(objects: Sequence[bytes], itemsize: int, *, mca: str | None = "native") -> CpuCost:
    """Costs the vector loops of compiled object code; several kernels run one after the other.

    Args:
        objects: ELF objects of one compilation for arrays of some thousand elements.
        itemsize: bytes of one element of the result.
        mca: processor for ``llvm-mca``; None leaves it out.

    Raises:
        BackendError: there is no disassembler, or no loop that stores results.
    """
    loops = hot_loops(disassemble(objects))
    if not loops:
        raise BackendError("the object code has no loop that stores vectors; nothing to cost")
    costs = [loop_cost(loop, itemsize, mca=mca) for loop in loops]
    dearest = max(costs, key=lambda cost: cost.cycles)
    classes: defaultdict[str, float] = defaultdict(float)
    for cost in costs:
        for name, count in cost.classes.items():
            classes[name] += count
    simulated = [cost.mca_cycles for cost in costs if cost.mca_cycles is not None]
    return CpuCost(
        cycles=sum(cost.cycles for cost in costs),
        resource=dearest.resource,
        instructions=sum(cost.instructions for cost in costs),
        classes=dict(classes),
        elements=dearest.elements,
        mca_cycles=sum(simulated) if len(simulated) == len(costs) else None,
    )


_SYMBOL = re.compile(r"\s*<[^>]*>")
_MCA_PASSES = 100


def _mca_cycles(loop: Loop, processor: str) -> float:
    """Cycles of one pass of the loop by llvm-mca, in the steady state."""
    lines = [
        f"{line.mnemonic} {_SYMBOL.sub('', line.operands)}"
        for line in loop.body
        if not line.mnemonic.startswith(("j", "call"))
    ]
    command = [
        "llvm-mca", f"-mcpu={processor}", f"-iterations={_MCA_PASSES}", "-mtriple=x86_64",
        "-instruction-info=0", "-resource-pressure=0",
    ]  # fmt: skip
    done = subprocess.run(
        command, input="\n".join(lines), capture_output=True, text=True, check=False
    )
    match = re.search(r"Total Cycles:\s+(\d+)", done.stdout)
    if match is None:
        reason = (done.stderr.strip() or "no output").splitlines()[0]
        raise BackendError(f"llvm-mca could not read the loop: {reason}")
    return int(match[1]) / _MCA_PASSES
