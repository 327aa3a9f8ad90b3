"""The connection IDs of both sides (RFC 9000 §5.1).

This side gives out one ID, with the handshake. It follows whatever the peer does with its own: new ones are kept up
to the limit this side announced, and the one in use is replaced when the peer asks to retire it.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import NamedTuple

from quicmini.errors import TransportError, TransportErrorCode
from quicmini.streams.control import ControlFrames
from quicmini.wire.frames import NewConnectionId, RetireConnectionId

__all__ = ["ACTIVE_CONNECTION_ID_LIMIT", "LOCAL_CID_LENGTH", "MAX_PENDING_RETIREMENTS", "LocalCids", "RemoteCids"]

# Bytes of the IDs this side chooses: fixed, since a short header does not say it (RFC 9000 §5.2).
LOCAL_CID_LENGTH = 8

# How many IDs of the peer are kept; announced as active_connection_id_limit (RFC 9000 §5.1.1).
ACTIVE_CONNECTION_ID_LIMIT = 4

# RETIRE_CONNECTION_ID frames that may wait for acknowledgment (RFC 9000 §5.1.2: at least twice the active limit).
MAX_PENDING_RETIREMENTS = 4 * ACTIVE_CONNECTION_ID_LIMIT


class LocalCids:
    """The IDs the peer addresses this side with: for now the one of the handshake, sequence number 0."""

    __slots__ = ("handshake_cid",)

    def __init__(self, handshake_cid: bytes) -> None:
        self.handshake_cid = handshake_cid

    def on_retire(self, frame: RetireConnectionId) -> None:
        """RFC 9000 §19.16: number 0 is the ID that carried the frame itself, and no other was ever issued."""
        reason = "retired the ID it was sent to" if frame.sequence_number == 0 else "retired an ID never issued"
        raise TransportError(TransportErrorCode.PROTOCOL_VIOLATION, reason, 0x19)


class RemoteCid(NamedTuple):
    """One ID of the peer, as NEW_CONNECTION_ID brings it (RFC 9000 §19.15)."""

    sequence_number: int
    cid: bytes
    reset_token: bytes


class RemoteCids:
    """The IDs this side may address the peer with. control: where RETIRE_CONNECTION_ID frames wait for a packet."""

    __slots__ = ("_control", "_known", "_retire_prior_to", "_retiring", "current")

    def __init__(self, cid: bytes, control: ControlFrames) -> None:
        self.current = cid
        # A list, not a table: the numbers are the peer's, and there are never more than a handful.
        self._known = [RemoteCid(0, cid, b"")]
        self._retire_prior_to = 0
        self._control = control
        self._retiring = 0  # RETIRE_CONNECTION_ID frames that were not acknowledged yet

    def replace_handshake_cid(self, cid: bytes) -> None:
        """The client learns the server's choice from its first packet (RFC 9000 §7.2)."""
        self.current = cid
        self._known[0] = RemoteCid(0, cid, b"")

    def set_reset_token(self, token: bytes) -> None:
        """The stateless reset token of the handshake's ID comes as a transport parameter (RFC 9000 §18.2)."""
        self._known[0] = self._known[0]._replace(reset_token=token)

    def is_reset_token(self, token: bytes) -> bool:
        """True if a peer that lost its state would end its datagrams so; only the ID in use counts (§10.3.1)."""
        expected = next((known.reset_token for known in self._known if known.cid == self.current), b"")
        return bool(expected) and compare_digest(token, expected)

    def on_new(self, frame: NewConnectionId) -> None:
        """Take an ID of the peer in, and retire what it wants retired (RFC 9000 §5.1.2, §19.15)."""
        if not self.current:
            raise TransportError(TransportErrorCode.PROTOCOL_VIOLATION, "the peer uses zero-length IDs", 0x18)
        offered = RemoteCid(frame.sequence_number, frame.connection_id, frame.stateless_reset_token)
        for known in self._known:
            same_number = known.sequence_number == offered.sequence_number
            if same_number != (known.cid == offered.cid) or (same_number and known != offered):
                raise TransportError(TransportErrorCode.PROTOCOL_VIOLATION, "an ID contradicts an earlier one", 0x18)
        if offered.sequence_number < self._retire_prior_to:
            self._retire(offered.sequence_number)  # retired before it arrived
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
        if all(known.cid != self.current for known in self._known):
            self.current = self._known[0].cid

    def _retire(self, sequence_number: int) -> None:
        if self._retiring >= MAX_PENDING_RETIREMENTS:
            raise TransportError(TransportErrorCode.CONNECTION_ID_LIMIT_ERROR, "too many IDs to retire", 0x18)
        self._retiring += 1
        self._control.request(RetireConnectionId(sequence_number).encode, self._on_retired)

    def _on_retired(self) -> None:
        self._retiring -= 1
