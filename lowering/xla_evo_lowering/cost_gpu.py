"""Static cost on NVIDIA GPUs: instructions an element by pipe, from PTX, and the bounds they give.

Each pipe of a multiprocessor takes so many thread instructions a cycle; the pipe that needs the
most cycles, or the issue of all, is the compute bound. The memory bound of the array's traffic
stands beside it: on large arrays the greater of the two decides.

Source of the rates: NVIDIA, CUDA C++ Programming Guide, table "Throughput of Native Arithmetic
Instructions". Limits: PTX is not SASS. ``div.rn``, ``sqrt.rn`` and the like become short sequences,
which are counted as such (their slow paths are not); ptxas may fold negations and moves; latency
and occupancy are not modelled. Of a kernel with branches the longest path without a loop counts: a
loop of a built-in reduces huge arguments. Where every path has one, its rounds count. Costs order
programs; they are not times.
"""

import functools
import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from xla_evo_lowering.errors import BackendError
from xla_evo_lowering.gpu_targets import GpuTarget, gpu_target

FMA, ALU, MUFU, CONVERT, FP64, MEMORY, CONTROL = (
    "fma", "alu", "mufu", "convert", "fp64", "load/store", "control",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PtxRow:
    """PTX instructions of one pattern and what a thread spends on one of them.

    Attributes:
        pattern: of the whole opcode, e.g. ``fma.rn.f32``.
        pipes: pipe name to instructions on it.
    """

    pattern: str
    pipes: Mapping[str, float]


# First match counts. Sequences of the rounded operations: a MUFU estimate, then FMA corrections.
PTX_ROWS: tuple[PtxRow, ...] = (
    PtxRow(pattern=r"div\.(rn|full).*f32", pipes={FMA: 8, MUFU: 1, ALU: 2}),
    PtxRow(pattern=r"(sqrt|rcp)\.rn.*f32", pipes={FMA: 5, MUFU: 1, ALU: 2}),
    PtxRow(pattern=r"(div|sqrt|rcp)\.rn.*f64", pipes={FP64: 8, MUFU: 1, ALU: 4}),
    PtxRow(pattern=r"(ex2|lg2|rcp|rsqrt|sqrt|sin|cos|tanh)\.approx.*", pipes={MUFU: 1}),
    PtxRow(pattern=r"(fma|mul|add|sub|mad)\..*f64", pipes={FP64: 1}),
    PtxRow(pattern=r"(fma|mul|add|sub|mad)\..*(f32|f16|bf16)(x2)?", pipes={FMA: 1}),
    PtxRow(pattern=r"cvt\.(sat\.)?(ftz\.)?f32\.f32", pipes={ALU: 1}),
    PtxRow(pattern=r"cvt\..*", pipes={CONVERT: 1}),
    PtxRow(pattern=r"mul\.(wide|lo|hi).*|mad\.(wide|lo|hi).*", pipes={FMA: 1}),
    PtxRow(pattern=r"(ld|st)\.global.*", pipes={MEMORY: 1}),
    PtxRow(pattern=r"ld\.param.*|cvta.*|mov.*|griddepcontrol.*|bar.*", pipes={}),
    PtxRow(pattern=r"bra.*|ret.*|call.*", pipes={CONTROL: 1}),
    PtxRow(pattern=r".*", pipes={ALU: 1}),
)
_COMPILED = tuple((re.compile(row.pattern + r"\Z"), row) for row in PTX_ROWS)

_OPCODE = re.compile(
    r"^[ \t]+(?:@!?%p\d+\s+)?([a-z][a-z0-9_]*(?:\.[a-z0-9_:]+)*)[ \t;]", re.MULTILINE
)
_LABEL = re.compile(r"^(\$\w+):", re.MULTILINE)
_BRANCH = re.compile(r"^[ \t]+(?:@(!?%p\d+)\s+)?bra(?:\.uni)?\s+(\$\w+);", re.MULTILINE)
_STEP = re.compile(r"^[ \t]+add\.s32\s+(%r\d+), \1, 1;", re.MULTILINE)
_UNTIL = re.compile(r"^[ \t]+setp\.ne\.[bsu]32\s+(%p\d+), (%r\d+), (\d+);", re.MULTILINE)
_KERNEL = re.compile(r"^\.visible \.entry (\w+)\(.*?^\}", re.MULTILINE | re.DOTALL)
_STORE = re.compile(r"st\.global(?:\.\w+)*?(?:\.v(\d))?\.[busf](\d+)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuCost:
    """What one element costs.

    Attributes:
        cycles: of one multiprocessor, an element: the busiest pipe or the issue.
        pipe: which one that is.
        compute_ns: that bound over the whole GPU, nanoseconds an element.
        memory_ns: bound of reading and writing the element, nanoseconds.
        pipes: thread instructions an element by pipe.
    """

    cycles: float
    pipe: str
    compute_ns: float
    memory_ns: float
    pipes: Mapping[str, float]


def rates(row: GpuTarget) -> dict[str, float]:
    """Thread instructions a cycle that one multiprocessor takes, by pipe."""
    capability = (row.major, row.minor)
    fp64 = {(8, 0): 32.0, (9, 0): 64.0, (10, 0): 64.0}.get(capability, 2.0)
    return {
        FMA: float(row.fpus_per_core), ALU: 64.0, MUFU: 16.0, FP64: fp64,
        CONVERT: 64.0 if capability in ((8, 6), (8, 9), (9, 0), (10, 0)) else 16.0,
        MEMORY: 32.0, CONTROL: 64.0, "issue": 128.0,
    }  # fmt: skip


def classify(opcode: str) -> Mapping[str, float]:
    """Instructions by pipe that one PTX instruction stands for."""
    return next(row.pipes for pattern, row in _COMPILED if pattern.match(opcode))


def gpu_cost(ptx: str, kind: str, itemsize: int, *, arguments: int = 1) -> GpuCost:
    """Costs the kernels of a PTX module, which run one after the other.

    Args:
        ptx: the module.
        kind: architecture, e.g. ``sm_90``.
        itemsize: bytes of one element of the result.
        arguments: arrays of that size that are read.

    Raises:
        BackendError: no kernel stores anything, or there is no such architecture.
    """
    target = gpu_target(kind)
    pipes: defaultdict[str, float] = defaultdict(float)
    for kernel in _KERNEL.finditer(ptx):
        elements = _stored_bytes(kernel[0]) / itemsize
        for opcode in _path(kernel[0]) if elements else ():
            for pipe, count in classify(opcode).items():
                pipes[pipe] += count / elements
    if not pipes:
        raise BackendError("the PTX has no kernel that stores results; nothing to cost")
    busy = {pipe: count / rates(target)[pipe] for pipe, count in pipes.items()}
    busy["issue"] = sum(pipes.values()) / rates(target)["issue"]
    pipe, cycles = max(busy.items(), key=lambda item: (item[1], item[0]))
    return GpuCost(
        cycles=cycles,
        pipe=pipe,
        compute_ns=cycles / (target.cores * target.clock_ghz),
        memory_ns=1e9 * itemsize * (arguments + 1) / target.memory_bandwidth,
        pipes=dict(sorted(pipes.items())),
    )


def _stored_bytes(kernel: str) -> float:
    return sum(int(count or 1) * int(bits) / 8 for count, bits in _STORE.findall(kernel))


@dataclass(slots=True)
class _Block:
    """Instructions that run one after the other, and the labels of what may run next.

    Attributes:
        opcodes: of the instructions.
        next: labels, its own where it is a loop.
        times: how often it runs: once, or as often as the counter of such a loop says.
    """

    opcodes: list[str] = field(default_factory=list[str])
    next: list[str] = field(default_factory=list[str])
    times: int = 1


def _count(lines: str, predicate: str | None) -> int:
    """How often a block runs that begins again while a predicate holds; 1 where that is not known.

    Its counter begins at 0 and goes up by one, as LLVM makes it.
    """
    counters = {step[1] for step in _STEP.finditer(lines)}
    for until in _UNTIL.finditer(lines):
        if until[1] == predicate and until[2] in counters:
            return int(until[3])
    return 1


def _blocks(kernel: str) -> dict[str, _Block]:
    """The basic blocks of a kernel in their order, by label or else by number."""
    name, current, lines = "0", _Block(), list[str]()
    found = {name: current}
    for line in kernel.splitlines():
        label, branch, opcode = (at.match(line) for at in (_LABEL, _BRANCH, _OPCODE))
        lines.append(line)
        if opcode:
            current.opcodes.append(opcode[1])
        ends = branch or (opcode and opcode[1] == "ret")
        following = label[1] if label else str(len(found)) if ends else ""
        if branch:
            current.next.append(branch[2])
            if branch[2] == name:
                current.times = _count("\n".join(lines), branch[1])
        if label or (branch and branch[1]):
            current.next.append(following)
        if following:
            name, lines = following, []
            current = found[name] = _Block()
    return found


def _path(kernel: str) -> list[str]:
    """Opcodes of the longest way through a kernel that enters no loop.

    Where every way does, those count that are one block whose number of times is known.
    """
    blocks = _blocks(kernel)
    loops = {name for name in blocks if name in _reached(blocks, name)}
    found = _longest(blocks, loops)
    if found is None:
        found = _longest(blocks, {name for name in loops if blocks[name].times == 1})
    if found is None:
        raise BackendError("the PTX has no way to its end without a loop; nothing to cost")
    return found


def _longest(blocks: Mapping[str, _Block], left_out: Collection[str]) -> list[str] | None:
    """Opcodes of the longest way to the end that enters none of some blocks; None without one."""

    @functools.cache
    def longest(name: str) -> tuple[float, list[str]] | None:
        block = blocks[name]
        others = [other for other in block.next if other != name]
        ways = [longest(other) for other in others if other not in left_out]
        after = [way for way in ways if way]
        if others and not after:
            return None
        weight, rest = max(after, default=(0.0, []))
        own = block.opcodes * block.times
        return weight + sum(sum(classify(opcode).values()) for opcode in own), [*own, *rest]

    found = None if "0" in left_out else longest("0")
    return found[1] if found else None


def _reached(blocks: Mapping[str, _Block], start: str) -> set[str]:
    """The blocks that may run after one."""
    found: set[str] = set()
    waiting = list(blocks[start].next)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += blocks[name].next
    return found
