"""Key update: both sides move to new 1-RTT keys, again and again, without a message (RFC 9001 §6).

The sender asks for an update when the program wants one, or the keys have protected half of what they may; the receiver
follows one of the peer (`KeyPhases.update_if_possible`, `KeyPhases.open`).

The Key Phase bit says which of two keys a packet was protected with. Three pairs of keys matter at most: those in use,
those before them, for packets that were overtaken, and those that come next. The next ones are made ahead, in a timer:
if a packet had them made, the time that takes would tell its Key Phase bit to the network (RFC 9001 §6.3, §9.5).
"""

from __future__ import annotations

from math import inf

from quicmini.connection.spaces import Space
from quicmini.crypto.protection import Opener
from quicmini.errors import DecodeError, TransportError, TransportErrorCode
from quicmini.recovery.loss import Recovery
from quicmini.recovery.sent import PacketNumberSpace

__all__ = ["KEY_PHASE", "KeyPhases"]

KEY_PHASE = 0x04  # the bit in the first byte of a short header (RFC 9000 §17.3.1)

# Probe timeouts that the keys before the present ones are kept, and that the next update has to wait (RFC 9001 §6.5).
RETENTION = 3

# The part of what keys may protect after which new ones are wanted: plenty is left should the peer not follow (§6.6).
RENEWAL = 2

_NO_PHASE = -1


class KeyPhases:
    """The succession of 1-RTT keys, which are in use as `sealer` and `opener` of the Application space.

    bit: KEY_PHASE or 0, for the first byte of what is sent. settled: packets with this bit need no more than the
    space's opener; no packet has it while an update is under way, and then `open` must be asked.
    renew_after: packets that the sealer may have protected before `update_if_possible` should be called.
    reads_old: the packet that is being read came under older keys: have `check_ack` look at ACK frames.
    updates: how many there were, on either side's initiative. deadline: when to call `on_timer`.
    """

    __slots__ = (
        "_drop_at",
        "_first_received",
        "_first_sent",
        "_largest_old",
        "_next",
        "_previous",
        "_recovery",
        "_space",
        "bit",
        "deadline",
        "reads_old",
        "renew_after",
        "settled",
        "updates",
    )

    def __init__(self, space: Space, recovery: Recovery) -> None:
        self._space = space
        self._recovery = recovery
        self.bit = self.settled = 0
        self.renew_after: float = inf
        self.updates = 0
        self._previous: Opener | None = None
        self._next: Opener | None = None
        self._drop_at = inf
        self.deadline: float | None = None
        self._first_sent = 0  # the first packet number under the present keys
        self._first_received: int | None = 0  # the lowest number received under them; None: the peer has not followed
        self._largest_old = -1  # the largest number received under older ones
        self.reads_old = False

    def start(self, now: float) -> None:
        """The handshake is confirmed: from now on there may be updates (RFC 9001 §6)."""
        self.deadline = now + self._recovery.pto_base()
        if self.renew_after == inf:  # nobody has asked for an update already
            self._plan_renewal()

    def request(self) -> None:
        """Update as soon as it is possible."""
        self.renew_after = 0

    def update_if_possible(self) -> None:
        """Begin an update, unless it is too early: the last must be over on both sides (RFC 9001 §6.1, §6.5)."""
        recovery = self._recovery
        acknowledged = recovery.spaces[PacketNumberSpace.APPLICATION].largest_acked >= self._first_sent
        if recovery.handshake_confirmed and self._previous is None and (acknowledged or not self.updates):
            self._update(self._take_next())
            self._first_received = None

    def open(
        self, packet: bytes, pn_offset: int, first_byte: int, pn_length: int, packet_number: int, now: float
    ) -> bytes:
        """The payload of a packet whose Key Phase bit is not `settled`; see `Opener.open` for the rest.

        As long as older keys are kept, they are tried on whatever does not authenticate: it would be an error, and
        each such packet takes the same time, whatever its bit (RFC 9001 §6.4, §9.5).
        """
        try:
            if first_byte & KEY_PHASE == self.bit:
                return self._open_present(packet, pn_offset, first_byte, pn_length, packet_number, now)
            if self._previous is not None and (self._first_received is None or packet_number < self._first_received):
                payload = self._previous.open(packet, pn_offset, first_byte, pn_length, packet_number)
                self._largest_old = max(self._largest_old, packet_number)
                self.reads_old = True
                return payload
            return self._open_next(packet, pn_offset, first_byte, pn_length, packet_number, now)
        except DecodeError:
            if self._previous is not None:
                self._previous.open(packet, pn_offset, first_byte, pn_length, packet_number)
                raise _error("old keys for a packet after one with new keys") from None
            raise

    def check_ack(self, largest: int) -> None:
        """RFC 9001 §6.2: who acknowledges a packet under the present keys must have used them himself."""
        if largest >= self._first_sent:
            raise _error("a packet under new keys was acknowledged under old ones")

    def on_timer(self, now: float) -> None:
        """Make the keys that come next, and later forget those before the present ones, if it is time."""
        if self.deadline is None or now < self.deadline:
            return
        self._next = self._take_next()
        if now >= self._drop_at:
            self._drop_at = inf
            self._previous = None
            self.reads_old = False
            self.settled = self.bit
        self.deadline = self._drop_at if self._drop_at < inf else None

    def _open_present(
        self, packet: bytes, pn_offset: int, first_byte: int, pn_length: int, packet_number: int, now: float
    ) -> bytes:
        opener = self._space.opener
        assert opener is not None
        payload = opener.open(packet, pn_offset, first_byte, pn_length, packet_number)
        self.reads_old = False
        if packet_number < self._largest_old:
            raise _error("new keys for a packet before one with old keys")
        if self._first_received is None:
            self._first_received = packet_number
            self._let_old_ones_go(now)
        self._first_received = min(self._first_received, packet_number)
        return payload

    def _open_next(
        self, packet: bytes, pn_offset: int, first_byte: int, pn_length: int, packet_number: int, now: float
    ) -> bytes:
        """The peer begins an update: this side follows (RFC 9001 §6.2)."""
        opener = self._take_next()
        self._next = opener
        payload = opener.open(packet, pn_offset, first_byte, pn_length, packet_number)
        acks = self._space.acks
        if self.updates and self._first_received is not None and acks.acknowledged < self._first_received:
            raise _error("a second key update before the first was acknowledged")
        if packet_number < acks.largest:
            raise _error("new keys for a packet before one with old keys")
        self.reads_old = False
        self._update(opener)
        self._first_received = packet_number
        self._let_old_ones_go(now)
        return payload

    def _update(self, opener: Opener) -> None:
        space = self._space
        assert space.sealer is not None
        self._previous, space.opener, self._next = space.opener, opener, None
        space.sealer = space.sealer.updated()
        self.bit ^= KEY_PHASE
        self.settled = _NO_PHASE
        self.updates += 1
        self._first_sent = space.next_packet_number
        self._largest_old = space.acks.largest
        self._plan_renewal()

    def _let_old_ones_go(self, now: float) -> None:
        """Both sides have the present keys: only what was overtaken still comes under the old ones (RFC 9001 §6.5)."""
        pto = self._recovery.pto_base()
        self.deadline = now + pto
        self._drop_at = now + RETENTION * pto

    def _take_next(self) -> Opener:
        opener = self._next
        if opener is None:
            assert self._space.opener is not None
            opener = self._space.opener.updated()
        return opener

    def _plan_renewal(self) -> None:
        assert self._space.sealer is not None
        self.renew_after = self._space.sealer.suite.confidentiality_limit // RENEWAL


def _error(reason: str) -> TransportError:
    return TransportError(TransportErrorCode.KEY_UPDATE_ERROR, reason)
