"""Wakes a thread that sleeps in `poll` or `select`."""

from __future__ import annotations

import os
import sys

__all__ = ["Alarm"]


class Alarm:
    """Something to poll that becomes readable with `ring`: an eventfd, or a pipe where there is none."""

    __slots__ = ("_read_end", "_write_end")

    def __init__(self) -> None:
        if sys.platform == "linux":
            self._read_end = self._write_end = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        else:
            self._read_end, self._write_end = os.pipe()
            os.set_blocking(self._read_end, False)
            os.set_blocking(self._write_end, False)

    def fileno(self) -> int:
        return self._read_end

    def ring(self) -> None:
        """From any thread; does not block."""
        try:
            os.write(self._write_end, (1).to_bytes(8, sys.byteorder))
        except OSError:
            pass  # a full pipe wakes as well

    def clear(self) -> None:
        """Not to be woken again for what has been heard."""
        try:
            os.read(self._read_end, 4096)
        except OSError:
            pass  # somebody else has cleared it

    def close(self) -> None:
        for fd in {self._read_end, self._write_end}:
            os.close(fd)
