"""The keys of the servers that were met before, as SSH keeps them: a line `HOST:PORT SHA256:…` for each, in a file."""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path
from typing import NamedTuple

__all__ = ["KnownHost", "KnownHosts"]

_ENTRY = re.compile(r"(?P<server>\S+)\s+(?P<key>SHA256:[A-Za-z0-9+/]{43})")


class KnownHost(NamedTuple):
    """key: a `quicmini.key_fingerprint`. line: where in the file it stands, from 1."""

    key: str
    line: int


class KnownHosts:
    """The file `known_hosts` in a state directory, which comes into being with its first entry; for its owner alone.

    A person may edit it: empty lines, and those that begin with #, mean nothing. It is read anew each time. The methods
    do file work, so they may block, and raise OSError if that fails, ValueError for a line that is none.
    """

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / "known_hosts"

    def find(self, server: str) -> KnownHost | None:
        """The key that `server` (HOST:PORT) had when it was met; None if it never was."""
        try:
            return self._find(server, self.path.read_text(encoding="utf-8", errors="replace"))
        except FileNotFoundError:
            return None

    def remember(self, server: str, key: str) -> KnownHost:
        """Keep the key of a server that is new; returns the one that is kept, another one if it was not new."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Opened for appending, whatever other processes do at the same time: each waits for the lock, and looks again.
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with open(descriptor, "r+", encoding="utf-8", errors="replace") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            content = file.read()
            if (known := self._find(server, content)) is not None:
                return known
            start = "" if content.endswith("\n") or not content else "\n"
            file.write(f"{start}{server.lower()} {key}\n")
            return KnownHost(key, (content + start).count("\n") + 1)

    def _find(self, server: str, content: str) -> KnownHost | None:
        for number, line in enumerate(content.split("\n"), 1):
            if not line.strip() or line.startswith("#"):
                continue
            entry = _ENTRY.fullmatch(line.strip())
            if entry is None:
                # To pass over it might be to take a server for new that is not.
                raise ValueError(f"line {number} of {self.path} is no 'HOST:PORT SHA256:…': correct or remove it")
            if entry["server"].lower() == server.lower():
                return KnownHost(entry["key"], number)
        return None
