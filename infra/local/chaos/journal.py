"""A log of JSON lines that nothing may get lost of.

`os.write` on an append-only descriptor hands each line whole to the operating system, so that a
`kill -9` loses no line that somebody got an answer for.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

EXIT_LOG_FAILED = 74
"""EX_IOERR of sysexits.h."""

_encode = msgspec.json.Encoder().encode


class Journal:
    """Appends lines, each with monotonic and wall time."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def write(
        self, kind: str, facts: dict[str, Any], *, t_ns: int | None = None, t: float | None = None
    ) -> None:
        """Append one line; `facts` become the line, kind and times are added to them. What cannot
        be logged must not be answered: the process ends at once.
        """
        self._append(_line(kind, facts, t_ns=t_ns, t=t))

    def write_all(self, kind: str, several: list[dict[str, Any]]) -> None:
        """Append lines of one moment."""
        t_ns, t = time.monotonic_ns(), time.time()
        self._append(b"".join([_line(kind, facts, t_ns=t_ns, t=t) for facts in several]))

    def _append(self, lines: bytes) -> None:
        try:
            written = os.write(self._descriptor, lines)
        except OSError as error:
            self._end(str(error.strerror))
        else:
            if written < len(lines):
                self._end("only a part of a line could be written")

    def _end(self, why: str) -> None:
        sys.stderr.write(f"the log {self._path} cannot be written: {why}; the process ends\n")
        sys.stderr.flush()
        os._exit(EXIT_LOG_FAILED)


def _line(kind: str, facts: dict[str, Any], *, t_ns: int | None, t: float | None) -> bytes:
    facts["kind"] = kind
    facts["t_ns"] = time.monotonic_ns() if t_ns is None else t_ns
    facts["t"] = time.time() if t is None else t
    return _encode(facts) + b"\n"
