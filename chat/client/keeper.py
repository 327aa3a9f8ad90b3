"""Keeps a conversation connected: makes connections, moves them to other addresses, and comes back when one was lost.

`run` is a thread of its own; for each connection one more reads and one sends. All of them change the conversation
under one lock, and tell the face what came of it in that order.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from time import monotonic

from chat.client.backoff import BackOff
from chat.client.conversation import Conversation
from chat.client.events import Event, Moved, State, StateChanged, Welcomed
from chat.client.network import Network
from chat.client.sentences import messages
from chat.client.sleep import Sleep
from chat.client.wire import Dial, Wire
from chat.exchange import ErrorCode
from chat.message import Dialect, Message
from chat.problems import reason
from quicmini import (
    ConnectionClosed,
    ConnectionClosedOK,
    HandshakeError,
    IdleTimeoutError,
    Session,
    StatelessResetError,
    VersionNegotiationError,
)

__all__ = ["Keeper", "NoWelcome", "NotConfirmed"]

WELCOME_TIMEOUT = 10.0  # seconds for the answer to a greeting
WATCH_INTERVAL = 1.0  # seconds between looks at the machine's address
MOVE_INTERVAL = 5.0  # seconds before a move that failed is tried again
STEADY = 10.0  # seconds that a connection must last for its loss to be met with the shortest delay

INTERNAL_ERROR = 80  # the TLS alert (RFC 9846 §6.2): not what a server says of this client

# Application errors after which the same would only happen again.
_FINAL_CODES = (ErrorCode.NO_MESSAGE, ErrorCode.REPLACED, ErrorCode.PASSWORD, ErrorCode.NO_NAME, ErrorCode.FLOOD)


class NoWelcome(Exception):
    """The server has refused the greeting; the text says why."""


class NotConfirmed(Exception):
    """The session ended before everything said was confirmed; the text says how much was not."""


class Keeper:
    """The life of one conversation, shared with the `Session` that owns it.

    changed: guards the conversation and what is here, and is notified of every change. tell: hands an event to the
    face. patience: seconds for which it tries to come back; None: for ever. clock: seconds, also of sleep.
    """

    def __init__(
        self,
        conversation: Conversation,
        changed: threading.Condition,
        tell: Callable[[Event], None],
        *,
        dial: Dial,
        network: Network,
        backoff: BackOff,
        patience: float | None,
        clock: Callable[[], float],
    ) -> None:
        self.state = State.CONNECTING
        self.wire: Wire | None = None
        self.finishing = False  # all has been said: whoever leaves first, it is no failure
        self._conversation = conversation
        self._changed = changed
        self._tell = tell
        self._dial = dial
        self._network = network
        self._backoff = backoff
        self._patience = patience
        self._sleep = Sleep(clock)
        self._leaving = False
        self._ticket: Session | None = None
        self._ended: Exception | None = None  # why the present connection is over
        self._loss: Exception | None = None  # why the last connection was lost that there was
        self._lost_at = 0.0
        self._next_move = 0.0
        self._place: str | None = None  # this machine's address when it was last looked at
        self._order = threading.RLock()  # of events; taken before `changed`

    @property
    def over(self) -> bool:
        """Whether nothing more will be sent."""
        return self._leaving or self.state is State.ENDED

    def run(self) -> Exception | None:
        """Stay connected until this side leaves, or it is no use any more; returns why, None: it has left."""
        try:
            error = self._talk()
        except Exception as unexpected:
            error = unexpected
        missing = self._conversation.unconfirmed
        if error is None and missing:
            error = NotConfirmed(f"left before the server had confirmed {messages(missing)}")
        self._change_state(StateChanged(State.ENDED, reason(error) if error else ""))
        return error

    def leave(self) -> None:
        """Go; blocks until the server has acknowledged what was sent, or is gone."""
        with self._changed:
            self._leaving = True
            wire = self.wire
            self._changed.notify_all()
        if wire is not None:
            wire.close()

    def emit(self, change: Callable[[], list[Event]]) -> None:
        """Make a change of the conversation, and tell of it before anybody tells of the next."""
        with self._order:
            with self._changed:
                events = change()
                self._changed.notify_all()
            for event in events:
                self._tell(event)

    def _change_state(self, event: StateChanged) -> None:
        def change() -> list[Event]:
            self.state = event.state
            return [event]

        self.emit(change)

    # From connection to connection

    def _talk(self) -> Exception | None:
        wire: Wire | None = self._dial(None, False)
        while wire is not None:
            began = monotonic()
            end = self._converse(wire)
            if self._leaving or self._is_done(end):
                return None
            if self._is_final(end):
                return end
            attempt = self._backoff.attempts
            if self.state is State.CONNECTED:
                attempt, self._loss, self._lost_at = 0, end, monotonic()
                if self._lost_at - began > STEADY:
                    self._backoff.attempts = 0
            self._tell_of_loss(end, attempt)
            wire = self._come_back()
        return None if self._leaving else self._ended

    def _is_done(self, end: Exception) -> bool:
        """A server that has sent everything back may be the first to leave."""
        done = self.finishing and not self._conversation.unconfirmed and not self._conversation.unheard
        return done and isinstance(end, ConnectionClosedOK)

    def _is_final(self, end: Exception) -> bool:
        """Whether it is no use to come back."""
        if self.state is State.CONNECTING or self._conversation.dialect is Dialect.SIMPLE:
            return True  # `simpleproto` cannot tell what was missed, nor what has arrived
        match end:
            case HandshakeError():
                return end.alert != INTERNAL_ERROR
            case VersionNegotiationError() | NoWelcome():
                return True
            case ConnectionClosed():
                return end.remote and end.error_code in _FINAL_CODES
        return not isinstance(end, OSError)

    def _come_back(self) -> Wire | None:
        """A new connection, as soon as there can be one; None: this side leaves, or its patience has ended."""
        while True:
            delay = self._backoff.next()
            if self._patience is not None and monotonic() + delay > self._lost_at + self._patience:
                self._ended = self._loss
                return None
            self._wait_before_attempt(delay)
            if self._leaving:
                return None
            try:
                return self._dial(self._ticket, not self._conversation.secretive)
            except (ConnectionClosed, OSError) as error:
                if self._is_final(error):
                    self._ended = error
                    return None
                self._tell_of_loss(error, self._backoff.attempts)

    def _tell_of_loss(self, error: Exception, attempt: int) -> None:
        self._look_around()
        self._change_state(StateChanged(State.LOST, reason(error), attempt))

    def _look_around(self) -> None:
        """What is the case now, before anybody is told of anything: what changes from here on will be noticed."""
        self._place = self._local_host()
        self._sleep.over()

    def _wait_before_attempt(self, delay: float) -> None:
        """Wait so many seconds; less if the machine moves or wakes up in the meantime, or the person leaves."""
        until = monotonic() + delay
        with self._changed:
            while not self._leaving and (left := until - monotonic()) > 0:
                self._changed.wait(min(left, WATCH_INTERVAL))
                if self._local_host() != self._place or self._sleep.over():
                    return

    # One connection

    def _converse(self, wire: Wire) -> Exception:
        """Greet, and let the two threads work until the connection is over; returns why it is."""
        with self._changed:
            self.wire, self._ended = wire, None
            self._conversation.begin()
            if self._leaving:
                wire.close(abandon=True)
        early = wire.early
        try:
            if early:
                wire.send(self._conversation.hello())
            wire.establish()
            if wire.dialect is Dialect.SIMPLE:
                self.emit(lambda: self._with_facts(self._conversation.simple(), wire))
            elif not early:
                wire.send(self._conversation.hello())
        except (ConnectionClosed, OSError) as error:
            wire.close(abandon=True)
            return error
        self._start(self._read, wire, "chat receiver")
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._greeted(), WELCOME_TIMEOUT)
            greeted = self._conversation.welcomed
        if not greeted:
            return self._not_greeted(wire)
        self._look_around()
        self._change_state(StateChanged(State.CONNECTED))
        self._start(self._send, wire, "chat sender")
        return self._watch(wire)

    def _greeted(self) -> bool:
        return self._conversation.welcomed or self._conversation.refused is not None

    def _not_greeted(self, wire: Wire) -> Exception:
        refused = self._conversation.refused
        end = NoWelcome(refused.text) if refused else self._ended
        wire.close(abandon=True)
        return end or TimeoutError("the server does not answer the greeting")

    def _start(self, work: Callable[[Wire], None], wire: Wire, name: str) -> None:
        threading.Thread(target=work, args=(wire,), name=name, daemon=True).start()

    def _read(self, wire: Wire) -> None:
        """The thread that reads: until the connection's end."""
        try:
            for message in wire:
                self.emit(partial(self._received, wire, message))
        except Exception as error:
            self._end(wire, error)

    def _end(self, wire: Wire, error: Exception) -> None:
        """Note why the connection is over: the first to know is right."""
        with self._changed:
            if self.wire is wire and self._ended is None:
                self._ended = error
                self._changed.notify_all()

    def _received(self, wire: Wire, message: Message) -> list[Event]:
        if self.wire is not wire or self._ended:
            return []
        return self._with_facts(self._conversation.received(message), wire)

    def _with_facts(self, events: list[Event], wire: Wire) -> list[Event]:
        returned = self.state is State.LOST
        return [
            event._replace(returned=returned, resumed=wire.resumed, early=wire.early, connection=wire.id)
            if isinstance(event, Welcomed)
            else event
            for event in events
        ]

    def _send(self, wire: Wire) -> None:
        """The thread that sends: until the connection's end, or this side leaves."""
        while (message := self._next(wire)) is not None:
            try:
                wire.send(message)
            except ConnectionClosed:
                return  # the reader learns of it, too

    def _next(self, wire: Wire) -> Message | None:
        with self._changed:
            while not self._leaving and self.wire is wire and not self._ended:
                if message := self._conversation.next_message():
                    self._changed.notify_all()
                    return message
                self._changed.wait()
        return None

    # Where this machine is

    def _watch(self, wire: Wire) -> Exception:
        """Wait for the connection's end; take it along when the machine's address changes, and check it after sleep."""
        slept = False
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ended, WATCH_INTERVAL)
            slept |= self._sleep.over()
            if self._ended:
                break
            try:
                slept = not self._follow(wire, slept and wire.dialect is Dialect.CHAT)
            except ConnectionClosed as error:
                self._end(wire, error)
        self._ticket = wire.ticket or self._ticket
        if slept and isinstance(self._ended, IdleTimeoutError | StatelessResetError):
            return _asleep()
        return self._ended

    def _local_host(self) -> str | None:
        return self._network.local_host(self.wire.remote) if self.wire else None

    def _follow(self, wire: Wire, slept: bool) -> bool:
        """Move to the address from which the system would send to the server now, if it is another one.

        After sleep also to another port of the same: whether the server answers there tells whether it still knows
        the connection, and what NATs knew of the old port they have forgotten. False: that could not be seen yet.
        """
        host, now = self._local_host(), monotonic()
        if host is None or now < self._next_move:
            return not slept
        elsewhere = host != wire.local_host
        if not (elsewhere or slept):
            return True
        self._next_move = now + MOVE_INTERVAL
        try:
            wire.migrate(host)
        except ConnectionClosed:
            raise
        except OSError:
            if slept or not self._network.has(wire.local_host):
                self._end(wire, _asleep() if slept else OSError("this machine has left the network"))
                wire.close(abandon=True)
            return True
        self._next_move = 0.0
        if elsewhere:
            self.emit(lambda: [Moved(host)])
        return True


def _asleep() -> OSError:
    """Why a connection is over that nobody looked after."""
    return OSError("this machine was asleep")
