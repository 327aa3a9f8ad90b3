"""Work that may wait for a disk or a pipe, and that no connection may wait for: a thread of its own does it."""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

__all__ = ["EXIT_PATIENCE", "Background"]

logger = logging.getLogger("quicmini")

# Seconds that the end of the program waits for work that is stuck.
EXIT_PATIENCE = 3.0

_all: WeakSet[Background] = WeakSet()


class Background:
    """Hands over what any thread puts in to a daemon thread, in order; what is left is done when the program ends.

    work: called in that thread, and never twice at once, with what has come and with whether that was the last; tells
    in how many seconds it wants to be called even if nothing comes (until then it is not called for what comes,
    either, unless that is much), None: not before something does. capacity: how much may wait, in the unit of `put`'s
    sizes.
    """

    def __init__(self, work: Callable[[list[Any], bool], float | None], *, name: str, capacity: int) -> None:
        self._work = work
        self._name = name
        self._capacity = capacity
        self._items: list[Any] = []
        self._size = 0
        # Reentrant: a signal handler may put something in while its thread does.
        self._changed = threading.Condition(threading.RLock())
        self._thread: threading.Thread | None = None
        self._idle = False  # the thread sleeps until something comes
        self._hurry = False  # somebody waits for what there is to be done
        self._taken = self._done = 0  # items
        self._closed = False
        self._stopped = False
        self._over = threading.Event()
        _all.add(self)

    def put(self, item: Any, size: int) -> bool:
        """Hand over an item. Does not block; False if there is no room for it, or if it comes too late."""
        with self._changed:
            if self._closed or self._size + size > self._capacity:
                return False
            self._items.append(item)
            self._taken += 1
            self._size += size
            if self._thread is None:
                self._start()
            elif self._idle or (self._size > self._capacity // 4 and not self._hurry):
                self._hurry = not self._idle
                self._changed.notify_all()
        return True

    def flush(self, timeout: float | None = EXIT_PATIENCE) -> bool:
        """Have what has come so far worked on at once. Waits for it, `timeout` seconds at most: whether it is done."""
        with self._changed:
            taken = self._taken
            self._hurry = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._done >= taken, timeout)

    def close(self, timeout: float | None = EXIT_PATIENCE) -> bool:
        """Do what is left; what comes later is refused. Waits for the thread, `timeout` seconds at most: whether all is
        done. May be repeated."""
        with self._changed:
            first, self._closed = not self._closed, True
            self._changed.notify_all()
            idle = self._thread is None
        if first:
            atexit.unregister(self.close)
            if idle:
                self._do()
        return self._over.wait(timeout)

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # there are too many, or the interpreter is about to end
            logger.warning("%s cannot work: %s", self._name, error)
            self._closed = True
            self._over.set()
            return
        atexit.register(self.close)

    def _run(self) -> None:
        pause: float | None = 0.0
        while pause is None or pause >= 0:
            with self._changed:
                if not self._closed and not self._hurry and (pause or not self._items):
                    self._idle = pause is None
                    self._changed.wait(pause)
                    self._idle = False
            pause = self._do()

    def _do(self) -> float | None:
        """One call of the work; -1 after the last."""
        with self._changed:
            items, self._items, self._size, last = self._items, [], 0, self._closed
            self._hurry = False
        pause: float | None = None
        try:
            if not self._stopped:
                pause = self._work(items, last)
        except Exception:  # whatever it is, nobody else could deal with it
            logger.exception("unexpected error in %s", self._name)
        with self._changed:
            self._done += len(items)
            self._changed.notify_all()
        if last or self._stopped:
            self._over.set()
            return -1
        return pause

    def stop(self) -> None:
        """Do nothing more, and refuse what comes. Does not wait; the work itself may call it."""
        with self._changed:
            self._done += len(self._items)
            self._items = []
            self._closed = self._stopped = True
            self._changed.notify_all()
            if self._thread is None:
                self._over.set()
        atexit.unregister(self.close)

    @property
    def closed(self) -> bool:
        """Whether nothing is taken any more."""
        return self._closed

    def begin_anew(self) -> None:
        """For a child process, which has a copy of this and no such thread: what is waiting is its parent's."""
        self._changed = threading.Condition(threading.RLock())
        self._items = []
        self._size = 0
        self._done = self._taken
        self._thread = None
        atexit.unregister(self.close)


def _begin_all_anew() -> None:
    for background in _all:
        background.begin_anew()


os.register_at_fork(after_in_child=_begin_all_anew)
