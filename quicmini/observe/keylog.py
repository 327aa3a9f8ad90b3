"""The key log: a file that lets Wireshark, and everyone else who can read it, decrypt a captured connection.

    config = Config(keylog=KeyLog("keys.log"))

One line for each secret, in the format that SSLKEYLOGFILE made known (RFC 9850): label, client random, secret. For
debugging only: whoever has the file and a capture reads everything.
"""

from __future__ import annotations

import logging
import os
from types import TracebackType
from typing import Self

from quicmini.observe.problems import why

__all__ = ["KeyLog", "parse_key_log"]

logger = logging.getLogger("quicmini")

Secrets = dict[str, bytes]


class KeyLog:
    """Appends to the file at `path`, which only its owner may read; any number of connections and threads share one.

    Raises OSError if the file cannot be opened. A later error, such as a full disk, loses lines and nothing else, with
    a warning the first time: a connection does not fail for want of a witness, nor wait for the reader of a pipe.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK
        self._file: int | None = os.open(path, flags, 0o600)
        self._warned = False
        self._torn = False  # the file may end within a line

    def __call__(self, label: str, client_random: bytes, secret: bytes) -> None:
        """Write one line; what `Config.keylog` is called with. Does nothing once closed."""
        if self._file is None:
            return
        line = f"{label} {client_random.hex()} {secret.hex()}\n".encode("ascii")
        if self._torn:
            line = b"\n" + line
        try:
            # One write in append mode: lines of several threads and processes do not mix.
            self._torn = os.write(self._file, line) < len(line)
        except OSError as error:
            if not self._warned:
                self._warned = True
                logger.warning("cannot write the key log %r: %s; going on without it", self._path, why(error))

    def close(self) -> None:
        """Close the file. May be repeated."""
        if self._file is not None:
            file, self._file = self._file, None
            os.close(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def parse_key_log(text: str) -> dict[bytes, Secrets]:
    """A key log's secrets: client random -> label -> secret. Raises ValueError for what is no key log."""
    found: dict[bytes, Secrets] = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        words = line.split(" ")
        if len(words) != 3:
            raise ValueError(f"not a line of a key log: {line!r}")
        label, client_random, secret = words
        found.setdefault(bytes.fromhex(client_random), {})[label] = bytes.fromhex(secret)
    return found
