"""The loop of one UDP socket: receives, runs the timers, and waits for room to send.

It has a thread of its own, the I/O thread; a thread that has to wait for the peer may take a turn instead (`turns.py`).
Only who has the turn reads the socket. Sending is done by whichever thread has something to send (a hand-over between
threads costs more than a packet); the loop only sends what its own work made, and what a full socket had no room for.
"""

from __future__ import annotations

import logging
import select
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from itertools import count
from os import sched_yield
from time import monotonic
from typing import Any, Protocol

from quicmini.connection.connection import Connection as Core
from quicmini.connection.endpoint import Endpoint
from quicmini.connection.state import Address, Transmit
from quicmini.sync.alarm import Alarm
from quicmini.sync.closing import CLOSING
from quicmini.sync.threads import IoThread
from quicmini.sync.turns import Turns
from quicmini.sync.udp import UdpSocket

__all__ = ["Arrivals", "Driven", "Loop"]

logger = logging.getLogger("quicmini")

# The datagrams of one batch for one connection: (datagrams, source, ECN field, socket if not the first).
Arrivals = list[tuple[list[bytes], Address, int, UdpSocket | None]]

# A deadline, a ticket that keeps the heap from comparing connections, and whose deadline it is (None: gone by now).
Timer = list[Any]

_AWAKE = float("-inf")
_NEVER = float("inf")
_LONGEST_SLEEP = 3600.0  # seconds

# Seconds that the loop looks out for datagrams before it sleeps, if the last wait took no longer either. Two programs
# on one machine, or in one rack, answer each other in this time; a peer that is farther away costs one vain attempt.
SPIN_TIME = 0.0005

_SHORT_SLEEP = 0.005  # seconds
_FD_SETSIZE = 1024  # file descriptors from here on are beyond `select`


class Driven(Protocol):
    """What the loop drives: one connection.

    timers: the connection's entries in the loop's heap, latest first; only the loop touches them.
    finished: nothing will ever happen again. lingers: its socket is still needed.
    """

    @property
    def core(self) -> Core: ...
    @property
    def lock(self) -> threading.Lock: ...
    @property
    def timers(self) -> list[Timer]: ...
    @property
    def finished(self) -> bool: ...
    @property
    def lingers(self) -> bool: ...

    def receive(self, arrivals: Arrivals) -> None: ...
    def run_timers(self) -> None: ...
    def close(self, error_code: int, reason: str) -> None: ...
    def send_blocked(self) -> None: ...
    def fail(self) -> None: ...
    def unreachable(self, error: OSError) -> None: ...


class Loop:
    """Drives the connections of one socket in a daemon thread, which ends with `stop`, or with its last connection once
    `close` was called.

    adopt: makes the driver of a connection that the endpoint has accepted; None for a client, whose thread leaves the
    first turns to the thread that connects.
    """

    def __init__(
        self, udp: UdpSocket, endpoint: Endpoint, *, name: str, adopt: Callable[[Core], Driven] | None = None
    ) -> None:
        self.udp = udp
        self.endpoint = endpoint
        self._adopt = adopt
        self._driven: dict[Core, Driven] = {}
        self._end_at: float | None = None  # set: no connection will be added any more
        self._left = False  # what is to be done is somebody else's business
        # Guards the timer heap and the backlog; never held while calling a connection.
        self._mutex = threading.Lock()
        self._timers: list[Timer] = []
        self._due: deque[Driven] = deque()  # whose timers have expired
        self._tickets = count()
        self._asleep_until = _AWAKE
        self._backlog: deque[Transmit] = deque()
        self._blocked: set[Driven] = set()
        self._alarm = Alarm()
        # A descriptor that is closed may be somebody else's a moment later: nobody rings then.
        self._alarm_lock = threading.Lock()
        self._ended = False
        self.turns = Turns()
        self._lively = False  # the last wait was short: the next one may be, too
        self._caught = False  # what is there now came a moment ago, to an empty socket
        self._poll = select.poll()
        self._others: dict[int, UdpSocket] = {}  # a client's that moves, or a server's second address
        self._left_sockets: deque[UdpSocket] = deque()  # those of them that are to be closed
        self._fds = (udp.fileno(), self._alarm.fileno())
        for fd in self._fds:
            self._poll.register(fd, select.POLLIN)
        self.thread = IoThread(self._run, name)

    def start(self) -> None:
        self.thread.start()

    def add(self, driver: Driven) -> None:
        """Drive this connection too."""
        self._driven[driver.core] = driver

    def add_socket(self, udp: UdpSocket) -> None:
        """Receive from this socket too; what is to be sent from it names it (`Transmit.local`)."""
        self._others[udp.fileno()] = udp
        self._poll.register(udp.fileno(), select.POLLIN)
        self.ring()

    def remove_socket(self, udp: UdpSocket) -> None:
        """Close a socket that was added; not before the thread that has the turn has done with it."""
        self._left_sockets.append(udp)
        with self._alarm_lock:
            if self._ended:
                self._close_left_sockets()
            else:
                self._alarm.ring()

    def drivers(self) -> list[Driven]:
        """The connections that are driven now."""
        return list(self._driven.values())

    def close(self, linger: float = _NEVER) -> None:
        """End the thread when no connection is left that has to answer its peer, after `linger` seconds anyway."""
        self._end_at = min(self._end_at or _NEVER, monotonic() + linger)
        self.wake()

    def stop(self) -> None:
        """End the thread now."""
        self.close(linger=0)

    def leave(self) -> None:
        """A client has closed its only connection: late packets are all that comes, and not worth a thread."""
        if self._adopt is None and not self._backlog and not self._left:
            self._left = True
            self.wake()
            CLOSING.take_over(self)

    def look(self) -> bool:
        """For who has taken over: do what is to be done; False when there will never be anything again."""
        with self.turns:
            if not self._ended:
                self._turn(0)
                if self._is_done():
                    self._dispose()
            return not self._ended

    def wake(self) -> None:
        """Have the I/O thread look at the loop's state again."""
        self.turns.recall()
        self.ring()

    def ring(self) -> None:
        """Have the thread that has the turn, if it sleeps in it, look at the loop's state again."""
        with self._alarm_lock:
            if not self._ended:
                self._alarm.ring()

    # Called by the connections, from any thread, with the connection's lock held.

    def schedule(self, driver: Driven, deadline: float) -> None:
        """Call `run_timers` at `deadline`, or earlier.

        A connection's deadline moves with every packet, mostly away. So an entry of the heap is only the earliest time
        to look: a later deadline needs no new entry, and no thread is woken for it.
        """
        timers = driver.timers
        with self._mutex:
            if timers and timers[-1][0] <= deadline:
                return
            timer = [deadline, next(self._tickets), driver]
            timers.append(timer)
            heappush(self._timers, timer)
            oversleeps = deadline < self._asleep_until
            if oversleeps:
                self._asleep_until = deadline
        if oversleeps:
            self.ring()

    def has_room(self, driver: Driven) -> bool:
        """Whether the socket takes more. If not, the connection's `send_blocked` is called when it does."""
        if not self._backlog:
            return True
        with self._mutex:
            if not self._backlog:
                return True
            self._blocked.add(driver)
            return False

    def send(self, transmit: Transmit) -> None:
        """Send now, or after what is waiting already."""
        rest = transmit if self._backlog else self._socket_of(transmit).send(transmit)
        if rest is not None:
            with self._mutex:
                self._backlog.append(rest)
                is_first = len(self._backlog) == 1
            if is_first:
                self.wake()

    def _socket_of(self, transmit: Transmit) -> UdpSocket:
        return transmit.local if isinstance(transmit.local, UdpSocket) else self.udp

    def run_turn(self, driver: Driven, timeout: float | None) -> bool:
        """Run the loop once for a thread that waits for something of this connection, `timeout` seconds at most.

        Returns False if that is not its business now. The connection's lock is held by the caller, and given up
        meanwhile: whatever it waits for may have happened, or not.
        """
        if not self.turns.take(driver):
            return False
        try:
            driver.lock.release()
            if not self._ended:
                self._turn(_LONGEST_SLEEP if timeout is None else timeout)
        finally:
            try:
                self.turns.give_back()
            finally:
                driver.lock.acquire()
        return True

    # The thread.

    def _run(self) -> None:
        try:
            if self._adopt is None:
                self.turns.begin_aside()
            while True:
                with self.turns:
                    # Not earlier: the turn of another thread may have ended the last connection.
                    if self._left or self._is_done():
                        break
                    self._turn(_LONGEST_SLEEP)
                self.turns.step_aside()
        finally:
            if not self._left:
                with self.turns:
                    self._dispose()

    def _dispose(self) -> None:
        self.udp.close()
        with self._alarm_lock:
            self._ended = True
            self._alarm.close()
            self._left_sockets.extend(self._others.values())
            self._close_left_sockets()

    def _close_left_sockets(self) -> None:
        while self._left_sockets:
            udp = self._left_sockets.popleft()
            if self._others.pop(udp.fileno(), None) is not None:
                self._poll.unregister(udp.fileno())
                udp.close()

    def _is_done(self) -> bool:
        return self._end_at is not None and (
            monotonic() >= self._end_at or all(not driver.lingers for driver in self._driven.values())
        )

    def _turn(self, longest: float) -> None:
        try:
            self._close_left_sockets()
            ready = self._wait(longest)
            self.turns.purpose = None
            udp, wake = self._fds
            if wake in ready:
                self._alarm.clear()
            if self._backlog:
                self._send_backlog()
            if udp in ready or self._others:
                self._receive(ready)
            self._run_timers()
            if self.udp.error is not None:
                self._report_unreachable(self.udp.error)
        except Exception:
            # One connection's errors are dealt with in `_serve`; the thread outlives every other one as well.
            logger.exception("unexpected error in the I/O thread of %s", self.udp.local_address)

    def _wait(self, longest: float) -> list[int]:
        """Sleep until something can be done; the file descriptors that have a part in it."""
        with self._mutex:
            until = monotonic() + longest
            if self._timers:
                until = min(until, self._timers[0][0])
            if self._end_at is not None:
                until = min(until, self._end_at)
            if self._due:
                until = _AWAKE  # an interrupt has kept them waiting
            self._asleep_until = until
        try:
            return self._sleep(max(0.0, until - monotonic()))
        finally:
            self._asleep_until = _AWAKE

    def _sleep(self, seconds: float) -> list[int]:
        """Which descriptors are ready, at once or after a while."""
        self._caught = False
        start = monotonic()
        spins = self._lively and not self._backlog and not self.turns.waiting
        ready = self._look_out(start + min(seconds, SPIN_TIME)) if spins else []
        if not ready:
            self._caught = False
            ready = self._block(max(0.0, start + seconds - monotonic()) if spins else seconds)
            self._lively = monotonic() - start < SPIN_TIME
        return ready

    def _look_out(self, until: float) -> list[int]:
        """Poll without sleeping: a processor that dozed off takes longer to wake up than an answer from nearby."""
        poll = self._poll.poll
        while monotonic() < until:
            ready = poll(0)
            if ready:
                return [fd for fd, _ in ready]
            self._caught = True
            sched_yield()  # whoever has work to do on this processor, a peer on the same machine perhaps, goes first
        return []

    def _block(self, seconds: float) -> list[int]:
        fds = (*self._fds, *self._others) if self._others else self._fds
        # Looked at once: another thread may begin a backlog any moment, and rings then.
        full = [self._full_socket()] if self._backlog else []
        if seconds < _SHORT_SLEEP and max(fds) < _FD_SETSIZE:
            # poll rounds up to milliseconds, in which a paced sender could have sent megabytes.
            readable, writable, _ = select.select(fds, full, [], seconds)
            return readable + writable
        for fd in full:
            self._poll.modify(fd, select.POLLIN | select.POLLOUT)
        try:
            return [fd for fd, _ in self._poll.poll(seconds * 1000)]
        finally:
            for fd in full:
                self._poll.modify(fd, select.POLLIN)

    def _full_socket(self) -> int:
        """The file descriptor that the backlog waits for."""
        fd = self._socket_of(self._backlog[0]).fileno()
        return fd if fd in self._others else self._fds[0]

    def _receive(self, ready: list[int]) -> None:
        """Route what has arrived. Each connection gets its whole batch at once, and decides on one ACK for it."""
        now = monotonic()
        arrivals: dict[Core, Arrivals] = {}
        for fd in ready:
            other = self._others.get(fd)
            udp = self.udp if fd == self._fds[0] else other
            if udp is None:  # the alarm
                continue
            for source, datagrams, ecn in udp.receive(self._caught):
                for core, its_datagrams in self.endpoint.receive(datagrams, source, now):
                    arrivals.setdefault(core, []).append((its_datagrams, source, ecn, other))
            answers = self.endpoint.transmits
            while answers:
                self.send(answers.pop(0)._replace(local=other))
        for core, batch in arrivals.items():
            driver = self._driven.get(core) or self._adopted(core)
            if driver is not None:
                self._serve(driver, partial(driver.receive, batch))

    def _report_unreachable(self, error: OSError) -> None:
        self.udp.error = None
        if self._adopt is None:  # a listener's socket does not say whom the error is about
            for driver in self.drivers():
                driver.unreachable(error)

    def _adopted(self, core: Core) -> Driven | None:
        if self._adopt is None:
            return None
        driver = self._driven[core] = self._adopt(core)
        return driver

    def _send_backlog(self) -> None:
        while self._backlog:
            rest = self._socket_of(self._backlog[0]).send(self._backlog[0])
            with self._mutex:
                if rest is not None:
                    self._backlog[0] = rest
                    return
                self._backlog.popleft()
        with self._mutex:
            blocked, self._blocked = self._blocked, set()
        for driver in blocked:
            self._serve(driver, driver.send_blocked)

    def _run_timers(self) -> None:
        """All that are due by now; what they schedule comes after the sockets had their turn, even if it is due too."""
        if not self._timers and not self._due:
            return
        now = monotonic()
        due = self._due
        with self._mutex:
            while self._timers and self._timers[0][0] <= now:
                driver = heappop(self._timers)[2]
                if driver is not None:
                    driver.timers.pop()
                    due.append(driver)
        while due:
            driver = due.popleft()
            self._serve(driver, driver.run_timers)

    def _serve(self, driver: Driven, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception:
            logger.exception("unexpected error in a connection with %s", driver.core.remote_address)
            driver.fail()
        except BaseException:
            # KeyboardInterrupt in a thread that has taken a turn: what was under way is half done, for ever.
            driver.fail()
            raise
        finally:
            if driver.finished:
                self._forget(driver)

    def _forget(self, driver: Driven) -> None:
        if self._driven.pop(driver.core, None) is not None:
            self.endpoint.forget(driver.core)
            with self._mutex:
                # Its idle timer may be far away: what stays in the heap until then must not keep the connection alive.
                while driver.timers:
                    driver.timers.pop()[2] = None
