"""The connection IDs of both sides (RFC 9000 §5.1).

Each side gives the other as many IDs as it may and wants to keep (`LocalCids`), and follows what the peer does with its
own (`RemoteCids`): every path uses one that no other path has used, so that nobody on the way can link them (§9.5).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import partial
from hmac import compare_digest
from typing import NamedTuple, Protocol

from quicmini.connection.reset import MIN_RESET_SIZE
from quicmini.errors import TransportError, TransportErrorCode
from quicmini.streams.control import ControlFrames
from quicmini.wire.frames import RESET_TOKEN_LENGTH, NewConnectionId, RetireConnectionId

__all__ = [
    "ACTIVE_CONNECTION_ID_LIMIT",
    "LOCAL_CID_LENGTH",
    "MAX_GIVEN_UP",
    "MAX_ISSUED_CIDS",
    "MAX_PENDING_RETIREMENTS",
    "Issuer",
    "LocalCids",
    "RemoteCid",
    "RemoteCids",
]

# Bytes of the IDs this side chooses: fixed, since a short header does not say it (RFC 9000 §5.2).
LOCAL_CID_LENGTH = 8

# IDs that this side gives out and that are not retired yet, whatever the peer would keep (RFC 9000 §5.1.1 permits it).
MAX_ISSUED_CIDS = 4

# How many IDs of the peer are kept; announced as active_connection_id_limit (RFC 9000 §5.1.1).
ACTIVE_CONNECTION_ID_LIMIT = 4

# RETIRE_CONNECTION_ID frames that may wait for acknowledgment (RFC 9000 §5.1.2: at least twice the active limit). On a
# network that loses a third of everything a peer can get them, and renew its IDs, many times before one is confirmed.
MAX_PENDING_RETIREMENTS = 32 * ACTIVE_CONNECTION_ID_LIMIT

# Numbers of IDs that paths gave up, kept so that a late copy of their frame does not bring them back (RFC 9000 §19.15).
MAX_GIVEN_UP = 64


class Issuer(Protocol):
    """Who makes the IDs of this side, and routes what is addressed to them."""

    def issue(self) -> bytes:
        """A new ID."""

    def token(self, cid: bytes) -> bytes:
        """The stateless reset token of an ID."""

    def withdraw(self, cid: bytes) -> None:
        """The peer does not use the ID any more."""


class LocalCids:
    """The IDs the peer addresses this side with.

    handshake_cid: the first, number 0, which stands in this side's long headers (RFC 9000 §7.2).
    control: where NEW_CONNECTION_ID frames wait. batch: the 1-RTT packets that are being processed.
    held_back: call `give_out` when something is sent anyway.
    """

    __slots__ = ("_active", "_issuer", "_largest_sent", "_next", "_retire_prior_to", "_wanted", "batch", "control",
                 "handshake_cid", "held_back")  # fmt: skip

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer
        self._active: dict[int, bytes] = {}
        self._next = 0
        self._retire_prior_to = 0
        self._wanted = 1
        self.control: ControlFrames | None = None
        self.batch: Sequence[bytes] = ()
        self._largest_sent = 0  # the largest number that the peer may know
        self.held_back = False
        self.handshake_cid = self._issue()

    @property
    def active(self) -> tuple[bytes, ...]:
        """All IDs by which the peer may address this side."""
        return tuple(self._active.values())

    def issue(self) -> tuple[bytes, bytes]:
        """The next ID and its stateless reset token. Whoever calls this tells the peer, in a transport parameter."""
        self._largest_sent = self._next
        cid = self._issue()
        return cid, self._issuer.token(cid)

    def _issue(self) -> bytes:
        cid = self._active[self._next] = self._issuer.issue()
        self._next += 1
        return cid

    def supply(self, peer_limit: int, *, at_once: bool = True) -> None:
        """Give the peer as many IDs as it may have, from now on (RFC 9000 §5.1.1).

        Not at_once: they are held back, so that they cost no datagram of their own.
        """
        self._wanted = min(peer_limit, MAX_ISSUED_CIDS)
        self.held_back = not at_once
        if at_once:
            self._fill()

    def give_out(self) -> None:
        """The IDs that were held back are to be sent."""
        self.held_back = False
        self._fill()

    def rotate(self) -> None:
        """Replace all IDs: the peer is asked to retire those it has (RFC 9000 §5.1.2).

        Nothing happens while it has not done so for the last time.
        """
        if all(number >= self._retire_prior_to for number in self._active):
            self._retire_prior_to = self._next
            self._fill()

    def _fill(self) -> None:
        assert self.control is not None
        for _ in range(self._wanted - sum(number >= self._retire_prior_to for number in self._active)):
            self.control.request(partial(self._frame, self._next))
            self._issue()

    def _frame(self, number: int) -> bytes | None:
        """Made when it is sent, and again if it is lost; not for an ID that was retired meanwhile."""
        cid = self._active.get(number)
        if cid is None:
            return None
        self._largest_sent = max(self._largest_sent, number)
        return NewConnectionId(number, min(number, self._retire_prior_to), cid, self._issuer.token(cid)).encode()

    def on_retire(self, frame: RetireConnectionId) -> None:
        """The peer will not use an ID any more, and gets another one for it (RFC 9000 §19.16)."""
        number = frame.sequence_number
        if not self.handshake_cid or number > self._largest_sent:
            raise TransportError(TransportErrorCode.PROTOCOL_VIOLATION, "retired an ID never issued", 0x19)
        cid = self._active.get(number)
        if cid is None:
            return  # sent again, for lack of an acknowledgment
        if self.batch and all(packet[1 : 1 + len(cid)] == cid for packet in self.batch):
            # Whichever of these packets it was, the frame was sent to the ID that it retires.
            raise TransportError(TransportErrorCode.PROTOCOL_VIOLATION, "retired the ID it was sent to", 0x19)
        del self._active[number]
        self._issuer.withdraw(cid)
        self._fill()


class RemoteCid(NamedTuple):
    """One ID of the peer, as NEW_CONNECTION_ID brings it (RFC 9000 §19.15)."""

    sequence_number: int
    cid: bytes
    reset_token: bytes


class RemoteCids:
    """The IDs this side may address the peer with. control: where RETIRE_CONNECTION_ID frames wait for a packet.

    Each path has one of its own, which it knows by its number. current: the ID of the path in use.
    """

    __slots__ = ("_control", "_given_up", "_in_use", "_known", "_retire_prior_to", "_retiring", "current",
                 "current_number")  # fmt: skip

    def __init__(self, cid: bytes, control: ControlFrames) -> None:
        self.current = cid
        self.current_number = 0
        # A list, not a table: the numbers are the peer's, and there are never more than a handful.
        self._known = [RemoteCid(0, cid, b"")]
        self._in_use = {0}
        self._given_up: deque[int] = deque(maxlen=MAX_GIVEN_UP)
        self._retire_prior_to = 0
        self._control = control
        self._retiring: set[int] = set()  # numbers whose RETIRE_CONNECTION_ID was not acknowledged yet

    def replace_handshake_cid(self, cid: bytes) -> None:
        """The client learns the server's choice from its first packet (RFC 9000 §7.2)."""
        self.current = cid
        self._known[0] = RemoteCid(0, cid, b"")

    def set_reset_token(self, token: bytes) -> None:
        """The stateless reset token of the handshake's ID comes as a transport parameter (RFC 9000 §18.2)."""
        self._known[0] = self._known[0]._replace(reset_token=token)

    def is_reset(self, datagram: bytes) -> bool:
        """Whether a peer that lost its state has sent this; only tokens of IDs in use count (RFC 9000 §10.3.1)."""
        if len(datagram) < MIN_RESET_SIZE:
            return False
        token, found = datagram[-RESET_TOKEN_LENGTH:], False
        for known in self._known:  # all of them, so that the time it takes says nothing
            if known.sequence_number in self._in_use and known.reset_token:
                found |= compare_digest(token, known.reset_token)
        return found

    # For the paths

    def take(self) -> int | None:
        """The number of an ID that no path has used, for a new one; None if there is none left (RFC 9000 §9.5)."""
        if not self.current:
            return 0  # the peer has asked for zero-length IDs on every path
        for known in self._known:
            if known.sequence_number not in self._in_use:
                self._in_use.add(known.sequence_number)
                return known.sequence_number
        return None

    def cid(self, number: int) -> bytes | None:
        """The ID with this number; None if it was retired."""
        return next((known.cid for known in self._known if known.sequence_number == number), None)

    def use(self, number: int) -> None:
        """The path with this ID is the one in use from now on; an ID that was retired meanwhile changes nothing."""
        cid = self.cid(number)
        if cid is not None:
            self.current, self.current_number = cid, number

    def give_up(self, number: int) -> None:
        """A path is no longer used, and its ID will not be either (RFC 9000 §5.1.2)."""
        # While too many wait for acknowledgment it stays, in use for ever.
        if number != self.current_number and len(self._retiring) < MAX_PENDING_RETIREMENTS:
            before = len(self._known)
            self._known = [known for known in self._known if known.sequence_number != number]
            if len(self._known) < before:
                self._in_use.discard(number)
                self._given_up.append(number)
                self._retire(number)

    # For the peer

    def on_new(self, frame: NewConnectionId) -> None:
        """Take an ID of the peer in, and retire what it wants retired (RFC 9000 §5.1.2, §19.15)."""
        if not self.current:
            raise TransportError(TransportErrorCode.PROTOCOL_VIOLATION, "the peer uses zero-length IDs", 0x18)
        offered = RemoteCid(frame.sequence_number, frame.connection_id, frame.stateless_reset_token)
        for known in self._known:
            same_number = known.sequence_number == offered.sequence_number
            same_token = known.reset_token == offered.reset_token  # one for each ID, RFC 9000 §10.3.2
            if same_number != (known.cid == offered.cid) or same_number != same_token:
                raise TransportError(TransportErrorCode.PROTOCOL_VIOLATION, "an ID contradicts an earlier one", 0x18)
        if offered.sequence_number < self._retire_prior_to:
            self._retire(offered.sequence_number)  # retired before it arrived
        elif offered.sequence_number in self._given_up:
            return  # a late copy: what else it says, newer frames say, too, and those bring IDs to go on with
        elif offered not in self._known:
            self._known.append(offered)
        if frame.retire_prior_to > self._retire_prior_to:
            self._retire_prior_to = frame.retire_prior_to
            self._retire_old()
        if len(self._known) > ACTIVE_CONNECTION_ID_LIMIT:
            raise TransportError(TransportErrorCode.CONNECTION_ID_LIMIT_ERROR, "more IDs than were allowed", 0x18)

    def _retire_old(self) -> None:
        for known in self._known:
            if known.sequence_number < self._retire_prior_to:
                self._retire(known.sequence_number)
        # The frame's own ID stays: its number is retire_prior_to or more (§19.15), so there is one to go on with.
        self._known = [known for known in self._known if known.sequence_number >= self._retire_prior_to]
        self._in_use = {number for number in self._in_use if number >= self._retire_prior_to}
        if self.current_number < self._retire_prior_to:
            fresh = self.take()
            self.use(self._known[0].sequence_number if fresh is None else fresh)

    def _retire(self, number: int) -> None:
        if number in self._retiring:
            return  # a copy of its frame came: no error, however often that happens (RFC 9000 §19.15)
        if len(self._retiring) >= MAX_PENDING_RETIREMENTS:
            raise TransportError(TransportErrorCode.CONNECTION_ID_LIMIT_ERROR, "too many IDs to retire", 0x18)
        self._retiring.add(number)
        self._control.request(RetireConnectionId(number).encode, partial(self._retiring.discard, number))
