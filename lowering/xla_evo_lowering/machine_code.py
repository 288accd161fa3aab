"""Identity of machine code: the code and data of ELF objects, without their local names.

Two programs that compile to the same bytes run alike and are timed once. Symbol names follow HLO
names and say nothing about speed, so a local symbol counts by its place, an external one (a call to
libm, say) by its name.
"""

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_ELF = b"\x7fELF"
_ALLOCATED = 0x2
_RELOCATIONS, _NO_BITS = 4, 8
_SYMBOL_BYTES, _RELOCATION_BYTES = 24, 24


@dataclass(frozen=True, slots=True)
class _Section:
    kind: int
    flags: int
    link: int
    info: int
    content: bytes


def objects(serialized: bytes) -> list[bytes]:
    """Returns the ELF objects inside a serialised XLA CPU executable, in order.

    There is none where the program is a copy, a constant or calls of XLA's own routines.
    """
    starts: list[int] = []
    position = serialized.find(_ELF)
    while position >= 0:
        starts.append(position)
        position = serialized.find(_ELF, position + 4)
    return [serialized[start:end] for start, end in pairwise([*starts, len(serialized)])]


def _sections(elf: bytes) -> list[_Section]:
    """The sections of a little-endian 64-bit ELF object (System V ABI, chapter 4)."""
    if elf[:6] != _ELF + b"\x02\x01":
        return [_Section(1, _ALLOCATED, 0, 0, elf)]
    (offset,) = struct.unpack_from("<Q", elf, 0x28)
    size, count = struct.unpack_from("<HH", elf, 0x3A)
    found: list[_Section] = []
    for index in range(count):
        _, kind, flags, _, start, length, link, info, _, _ = struct.unpack_from(
            "<IIQQQQIIQQ", elf, offset + index * size
        )
        content = b"" if kind == _NO_BITS else elf[start : start + length]
        found.append(_Section(kind, flags, link, info, content))
    return found


def _symbol(sections: list[_Section], table: _Section, number: int) -> bytes:
    """What a relocation refers to: a place in this object, or the name of something outside."""
    name, _, _, section, value, _ = struct.unpack_from(
        "<IBBHQQ", table.content, number * _SYMBOL_BYTES
    )
    if section:
        return struct.pack("<HQ", section, value)
    names = sections[table.link].content
    return names[name : names.index(b"\0", name)]


def _relocations(sections: list[_Section], section: _Section) -> bytes:
    parts: list[bytes] = []
    for start in range(0, len(section.content), _RELOCATION_BYTES):
        offset, info, addend = struct.unpack_from("<QQq", section.content, start)
        parts.append(struct.pack("<QIq", offset, info & 0xFFFFFFFF, addend))
        parts.append(_symbol(sections, sections[section.link], info >> 32))
    return b"".join(parts)


def _object_hash(elf: bytes) -> bytes:
    digest = hashlib.sha256()
    sections = _sections(elf)
    for section in sections:
        if section.flags & _ALLOCATED:
            content = section.content
        elif section.kind == _RELOCATIONS and sections[section.info].flags & _ALLOCATED:
            content = _relocations(sections, section)
        else:
            continue
        digest.update(struct.pack("<IQ", section.kind, len(content)))
        digest.update(content)
    return digest.digest()


def machine_code_hash(elfs: Sequence[bytes]) -> str:
    """SHA-256 (hex) over the loaded sections and relocations of ELF objects, in any order.

    XLA compiles the kernels of a module in parallel and lists them as they finish.
    """
    return hashlib.sha256(b"".join(sorted(map(_object_hash, elfs)))).hexdigest()
