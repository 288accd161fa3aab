"""Finds the loop that does the work in an assembly listing of x86-64 object code.

A kernel is set-up, a vector loop, and perhaps a loop over the elements that do not fill a vector;
only the first decides the time of a large array.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_LINE = re.compile(r"^\s*([0-9a-f]+):\s+(?:(?:data16|cs|lock|rep|notrack)\s+)*([a-z]\w*)\s*(.*)$")
_TARGET = re.compile(r"^([0-9a-f]+)\s")
_VECTOR_BYTES = {"x": 16, "y": 32, "z": 64}
# Stores relative to the stack pointer are spills, not results.
_STORE = re.compile(r"^%([xyz])mm\d+,(?:-?0x[0-9a-f]+)?\((?!%r[sb]p)")
_SCALAR_BYTES = {"vmovss": 4, "movss": 4, "vmovsd": 8, "movsd": 8, "vmovd": 4, "vmovq": 8}


@dataclass(frozen=True, slots=True)
class Line:
    """One instruction: address, mnemonic, operands in AT&T order."""

    address: int
    mnemonic: str
    operands: str

    @property
    def stored_bytes(self) -> int:
        """Bytes that a vector register writes to memory; 0 for anything else."""
        match = _STORE.match(self.operands)
        if match is None or "mov" not in self.mnemonic:
            return 0
        return _SCALAR_BYTES.get(self.mnemonic, _VECTOR_BYTES[match[1]])


@dataclass(frozen=True, slots=True)
class Loop:
    """An innermost loop.

    Attributes:
        body: its instructions, the jump back included.
        stored_bytes: bytes of results that one pass stores.
    """

    body: tuple[Line, ...]
    stored_bytes: int


def read_listing(text: str) -> list[list[Line]]:
    """Returns the instructions of each function of an objdump listing."""
    functions: list[list[Line]] = []
    for line in text.splitlines():
        if line.endswith(">:"):
            functions.append([])
        match = _LINE.match(line)
        if match and functions and not match[2].startswith("nop"):
            operands = match[3].split("#")[0].strip()
            functions[-1].append(Line(int(match[1], 16), match[2], operands))
    return functions


def innermost_loops(lines: Sequence[Line]) -> list[Loop]:
    """Returns the loops of one function that contain no other loop."""
    spans: list[tuple[int, int]] = []
    place = {line.address: number for number, line in enumerate(lines)}
    for number, line in enumerate(lines):
        target = _TARGET.match(line.operands + " ")
        if not line.mnemonic.startswith("j") or target is None:
            continue
        start = place.get(int(target[1], 16))
        if start is not None and start <= number:
            spans.append((start, number))
    inner = [
        (start, end)
        for start, end in spans
        if not any(
            start <= low and high <= end and (low, high) != (start, end) for low, high in spans
        )
    ]
    bodies = [tuple(lines[start : end + 1]) for start, end in inner]
    return [Loop(body, sum(line.stored_bytes for line in body)) for body in bodies]


def hot_loops(text: str) -> list[Loop]:
    """Returns the working loop of each kernel of a listing.

    That is the loop which stores most in one pass, the longer one of equals; kernels without a loop
    that stores vector registers, as for arrays that fit in a few, are left out.
    """
    found: list[Loop] = []
    for lines in read_listing(text):
        storing = [loop for loop in innermost_loops(lines) if loop.stored_bytes]
        if storing:
            found.append(max(storing, key=lambda loop: (loop.stored_bytes, len(loop.body))))
    return found
