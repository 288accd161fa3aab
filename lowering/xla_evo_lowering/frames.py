"""Frames between a process and its compiler: a JSON header, then named byte strings.

Four bytes of length, the header as JSON with the length of each byte string under ``contents``,
then those bytes in order.
"""

import json
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO

Frame = tuple[dict[str, Any], dict[str, bytes]]


def write_frame(stream: BinaryIO, header: Mapping[str, Any], contents: Mapping[str, bytes]) -> None:
    """Writes a frame and flushes."""
    sizes = {name: len(data) for name, data in contents.items()}
    text = json.dumps({**header, "contents": sizes}).encode()
    stream.write(struct.pack("<I", len(text)) + text + b"".join(contents.values()))
    stream.flush()


def read_frame(stream: BinaryIO) -> Frame | None:
    """Reads a frame; None when the stream has ended, also in the middle of one."""
    size = _read(stream, 4)
    if size is None:
        return None
    text = _read(stream, struct.unpack("<I", size)[0])
    if text is None:
        return None
    header = json.loads(text)
    contents: dict[str, bytes] = {}
    for name, length in header.pop("contents").items():
        data = _read(stream, length)
        if data is None:
            return None
        contents[name] = data
    return header, contents


def _read(stream: BinaryIO, count: int) -> bytes | None:
    data = stream.read(count)
    return data if len(data) == count else None
