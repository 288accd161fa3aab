"""Identity of machine code: the code and data of an ELF object, without names or addresses.

Two programs that compile to the same bytes run alike and are timed once. Symbol names follow HLO
names and say nothing about speed, so only sections that are loaded and their relocations count.
"""

import hashlib
import struct

_ELF = b"\x7fELF"
_ALLOCATED, _RELOCATIONS = 0x2, (4, 9)


def objects(serialized: bytes) -> list[bytes]:
    """Returns the ELF objects inside a serialised XLA CPU executable, in order."""
    starts: list[int] = []
    position = serialized.find(_ELF)
    while position >= 0:
        starts.append(position)
        position = serialized.find(_ELF, position + 4)
    ends = [*starts[1:], len(serialized)]
    return [serialized[start:end] for start, end in zip(starts, ends, strict=True)]


def _sections(elf: bytes) -> list[tuple[int, int, bytes]]:
    """(type, flags, content) of each section of a little-endian 64-bit ELF object."""
    if elf[:6] != _ELF + b"\x02\x01":
        return [(1, _ALLOCATED, elf)]
    (offset,) = struct.unpack_from("<Q", elf, 0x28)
    size, count = struct.unpack_from("<HH", elf, 0x3A)
    found: list[tuple[int, int, bytes]] = []
    for index in range(count):
        head = struct.unpack_from("<IIQQQQIIQQ", elf, offset + index * size)
        kind, flags, start, length = head[1], head[2], head[4], head[5]
        content = b"" if kind == 8 else elf[start : start + length]
        found.append((kind, flags, content))
    return found


def machine_code_hash(elfs: list[bytes]) -> str:
    """SHA-256 (hex) over the loaded sections and relocations of some ELF objects."""
    digest = hashlib.sha256()
    for elf in elfs:
        for kind, flags, content in _sections(elf):
            if flags & _ALLOCATED and kind not in _RELOCATIONS:
                digest.update(struct.pack("<IQ", kind, len(content)))
                digest.update(content)
            elif kind in _RELOCATIONS:
                # Offset and addend of each relocation; the symbol's number does not matter.
                digest.update(content[0:8])
    return digest.hexdigest()
