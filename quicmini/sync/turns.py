"""Who runs the loop of a socket: its I/O thread, or a thread that has to wait for the peer anyway.

A program that waits in `recv` wants nothing but the next datagram. If it polls the socket itself, the answer is one
switch between threads nearer than if the I/O thread takes the datagram and wakes it. So a thread that has to wait
takes a turn of the loop, unless others wait as well; the I/O thread steps aside as soon as it has woken the only one
that waited, and comes back when nobody has taken a turn for PATIENCE.
"""

from __future__ import annotations

import threading
from types import TracebackType

__all__ = ["PATIENCE", "Turns"]

# Seconds that nobody may look at the socket, when a program that just had an answer computes instead of waiting for the
# next one: timers and ACKs are late by so much at most, which is small beside max_ack_delay (RFC 9000 §13.2.1).
PATIENCE = 0.002

# The I/O thread lets 2, 4, 8 … occasions pass after having stepped aside for nothing, 2 to this power at most.
MAX_DISAPPOINTMENTS = 10

_NOBODY = -1


class Turns:
    """At most one thread runs the loop at a time: the I/O thread `with` this, another one between `take` and
    `give_back`.

    waiting: how many threads wait to be woken by the one that has the turn.
    purpose: what the thread waits for that has taken a turn, as long as it would not see that it has happened: until
    it has slept. Whoever makes it happen meanwhile has to wake it.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._count = 0  # turns taken by other threads than the I/O thread
        self.purpose: object = None
        self._taker: int | None = None  # the thread that has taken the turn
        self._mutex = threading.Lock()
        self.waiting = 0
        self._condition: threading.Condition | None = None  # what the last of them waits for
        self._waits = 0  # how often a thread began to wait; more by now than `_woken`: one waits that nobody woke
        self._woken = _NOBODY  # `_waits` when, in this turn, the only thread that waited was woken
        self._called = threading.Event()
        self._recalled = False  # since the I/O thread's turn began
        self._aside = False  # the I/O thread does not look at the socket, unless it is called
        self._disappointments = 0  # how often in a row it stepped aside for nothing …
        self._distrust = 0  # … and how many occasions it therefore lets pass
        self._asleep = False  # … nor whether the turn is over

    # For threads that wait for something

    def take(self, purpose: object) -> bool:
        """Whether the calling thread may run the loop now, until it calls `give_back`. Never blocks."""
        if self.waiting or not self._turn.acquire(blocking=False):
            return False
        self.purpose = purpose
        self._taker = threading.get_ident()
        return True

    @property
    def mine(self) -> bool:
        """Whether the calling thread has taken the turn: it is a signal handler then, and must not wait for the loop,
        which goes on when it returns."""
        return self._taker == threading.get_ident()

    def give_back(self) -> None:
        """The turn is over."""
        self.purpose = self._taker = None
        self._count += 1
        self._turn.release()
        if self._asleep:
            self._asleep = False
            self._called.set()

    def wait(self, condition: threading.Condition, timeout: float | None) -> None:
        """Wait until whoever runs the loop notifies the condition, whose lock is held."""
        try:
            with self._mutex:
                self.waiting += 1
                self._condition = condition
                self._waits += 1  # last, as `woke` reads it first
            if self._aside:
                self._called.set()
            condition.wait(timeout)
        finally:
            with self._mutex:
                self.waiting -= 1

    def woke(self, condition: threading.Condition) -> None:
        """The condition was notified."""
        waits = self._waits
        if self.waiting == 1 and self._condition is condition:
            self._woken = waits

    # For the I/O thread

    def __enter__(self) -> None:
        self._turn.acquire()
        self._woken = _NOBODY
        self._recalled = False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._turn.release()

    def begin_aside(self) -> None:
        """Before the first turn: leave the loop to the thread that has made it, until the I/O thread is needed."""
        self._aside = True
        self._be_aside()
        self._aside = False

    def step_aside(self) -> None:
        """After a turn that woke the only thread that waited: leave the loop to it until the I/O thread is needed."""
        if self._woken == _NOBODY:
            return
        if self._distrust:
            self._distrust -= 1
            return
        before = self._count
        self._called.clear()
        self._aside = True
        # Only now: whoever needs the I/O thread from here on sees that it has to be called.
        if self._waits > self._woken:
            self._aside = False
            return
        self._be_aside()
        self._aside = False
        if self._count > before:
            self._disappointments = 0
        elif not self._recalled:
            # The thread did not come back. The next one may not either, and each time costs those who call PATIENCE.
            self._disappointments = min(self._disappointments + 1, MAX_DISAPPOINTMENTS)
            self._distrust = 1 << self._disappointments

    def _be_aside(self) -> None:
        while not self._recalled:
            count = self._count
            self._asleep = self._turn.locked()
            if self._asleep and self._count != count:
                continue  # the turn ended before it could know that its end has to be told
            called = self._called.wait(None if self._asleep else PATIENCE)
            self._called.clear()
            if self._waits > self._woken or (not called and self._count == count and not self._turn.locked()):
                break
        self._asleep = False

    def recall(self) -> None:
        """Have the I/O thread come back, if it has stepped aside."""
        self._recalled = True
        self._called.set()
