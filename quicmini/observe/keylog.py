"""The key log: a file that lets Wireshark, and everyone else who can read it, decrypt a captured connection.

    config = Config(keylog=KeyLog("keys.log"))

One line for each secret, in the format that SSLKEYLOGFILE made known (RFC 9850): label, client random, secret. For
debugging only: whoever has the file and a capture reads everything.
"""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self

__all__ = ["KeyLog", "parse_key_log"]

Secrets = dict[str, bytes]


class KeyLog:
    """Appends to the file at `path`, which only its owner may read; any number of connections and threads share one.

    Raises OSError if the file cannot be opened. A later error, such as a full disk, loses lines and nothing else: a
    connection does not fail for want of a witness.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._file: int | None = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def __call__(self, label: str, client_random: bytes, secret: bytes) -> None:
        """Write one line; what `Config.keylog` is called with. Does nothing once closed."""
        if self._file is None:
            return
        try:
            # One write in append mode: lines of several threads and processes do not mix.
            os.write(self._file, f"{label} {client_random.hex()} {secret.hex()}\n".encode("ascii"))
        except OSError:
            pass

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
