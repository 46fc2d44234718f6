"""Reads a part of a log, which may be large, and which another process may still be writing."""

from __future__ import annotations

import codecs
import os
from dataclasses import dataclass
from pathlib import Path

from argo_jupyter_scheduler.storage.folders import is_plain_file


@dataclass(frozen=True)
class LogText:
    """A part of a log.

    Attributes
    ----------
    text
        The part; bytes that are not UTF-8 are replaced.
    offset, next_offset
        Where it begins and ends, in bytes.
    size
        How large the log is, in bytes.
    """

    text: str
    offset: int
    next_offset: int
    size: int


def read_part(path: Path, offset: int, limit: int, is_growing: bool) -> LogText:
    """Read a part of a log; it never begins or ends within a character. A log that does not exist yet, or is not a file, is empty.

    Parameters
    ----------
    offset
        Where to begin, in bytes; negative for that many bytes before the end.
    limit
        How many bytes to read at most.
    is_growing
        Whether the log's last character may be half written.
    """
    if not is_plain_file(path):
        return LogText("", 0, 0, 0)
    try:
        file = open(path, "rb")  # noqa: SIM115 (closed by `with`)
    except FileNotFoundError:
        return LogText("", 0, 0, 0)
    with file:
        size = os.fstat(file.fileno()).st_size
        offset = max(size + offset, 0) if offset < 0 else min(offset, size)
        file.seek(offset)
        content = file.read(min(limit, size - offset))
    end = offset + len(content)
    if offset:
        rest = next((at for at, byte in enumerate(content[:4]) if byte & 0xC0 != 0x80), 0)
        offset, content = offset + rest, content[rest:]
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(content, final=end == size and not is_growing)
    return LogText(text, offset, end - len(decoder.getstate()[0]), size)
