"""The keys of session tickets, kept in the state directory and changed daily.

With them a server that was restarted resumes what the one before it began. Whoever got hold of one could read the early
data (0-RTT) of the clients whose tickets it has sealed, and come in as one of them; so none seals for more than a day,
nor is kept for more than two.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from chat.state import SECRET_SIZE, new_secret, private_directory, write_private

__all__ = ["CHANGE_INTERVAL", "KEY_LIFETIME", "changing", "kept_keys"]

logger = logging.getLogger("chat")

FILE = "ticket.keys"
KEY_LIFETIME = 24 * 3600  # seconds for which a key seals; for as long again it opens
CHANGE_INTERVAL = 600.0  # seconds between two looks at whether it is time for another


class _Key(NamedTuple):
    made_at: int  # seconds since 1970
    secret: bytes

    def is_younger(self, age: int, now: float) -> bool:
        return 0 <= now - self.made_at < age


def kept_keys(directory: Path, now: float) -> tuple[bytes, ...]:
    """The keys of SECRET_SIZE bytes, the one to seal with first; it is made if there is none, or too old a one.

    now: seconds since 1970; a key from the future is none. Raises OSError if the directory cannot be used. Does file
    work, so it may block.
    """
    path = private_directory(directory) / FILE
    keys = [key for key in _read(path) if key.is_younger(2 * KEY_LIFETIME, now)]
    if not keys or not keys[0].is_younger(KEY_LIFETIME, now):
        keys = [_Key(int(now), new_secret()), *keys[:1]]
        write_private(path, "".join(f"{key.made_at} {key.secret.hex()}\n" for key in keys).encode())
    return tuple(key.secret for key in keys)


def _read(path: Path) -> list[_Key]:
    """What the file holds; what is no key in it counts for nothing."""
    keys = []
    with suppress(FileNotFoundError, ValueError):
        for line in path.read_text().splitlines():
            made_at, _, secret = line.partition(" ")
            keys.append(_Key(int(made_at), bytes.fromhex(secret)))
    return [key for key in keys if len(key.secret) == SECRET_SIZE][:2]


@contextmanager
def changing(
    directory: Path,
    replace: Callable[[Sequence[bytes]], None],
    interval: float = CHANGE_INTERVAL,
    clock: Callable[[], float] = time.time,
) -> Iterator[None]:
    """Until the end of the block: have a thread look each `interval` seconds, and hand other keys to `replace` when it
    is time for them. A directory that cannot be used is told of in the log; then the keys stay."""
    over = threading.Event()
    thread = threading.Thread(
        target=_change, args=(directory, replace, interval, clock, over), name="chat ticket keys", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _change(
    directory: Path,
    replace: Callable[[Sequence[bytes]], None],
    interval: float,
    clock: Callable[[], float],
    over: threading.Event,
) -> None:
    keys: tuple[bytes, ...] | None = None
    failed = False
    while not over.wait(interval):
        try:
            newest = kept_keys(directory, clock())
        except OSError as error:
            if not failed:
                logger.warning("the keys of session tickets stay the old ones: %s", error)
            failed = True
            continue
        failed = False
        if newest != keys:
            keys = newest
            replace(keys)
