"""The network path a connection runs over, and how much may be sent to an address that may be forged (RFC 9000 §8)."""

from __future__ import annotations

from collections import deque

from quicmini.connection.state import Address
from quicmini.wire.builder import PacketBuilder
from quicmini.wire.frames import PathChallenge, PathResponse

__all__ = ["AMPLIFICATION_FACTOR", "MAX_QUEUED_PATH_RESPONSES", "Path"]

# RFC 9000 §8.1: before the address is validated, at most three times the bytes received from it.
AMPLIFICATION_FACTOR = 3

# PATH_CHALLENGE frames that may wait for their answer; the newest win (RFC 9000 §8.2.2 asks for an answer to each,
# §9.3 lets an endpoint limit what it holds).
MAX_QUEUED_PATH_RESPONSES = 8

_RESPONSE_SIZE = 9


class Path:
    """One remote address: what was received from it, what was sent to it, whether it is validated.

    max_datagram_size: the largest datagram to send there, in bytes (RFC 9000 §14).
    """

    __slots__ = ("_responses", "bytes_received", "bytes_sent", "max_datagram_size", "remote", "validated")

    def __init__(self, remote: Address, max_datagram_size: int, *, validated: bool) -> None:
        self.remote = remote
        self.max_datagram_size = max_datagram_size
        self.validated = validated
        self.bytes_received = 0
        self.bytes_sent = 0
        self._responses: deque[bytes] = deque(maxlen=MAX_QUEUED_PATH_RESPONSES)

    def allowance(self) -> int | None:
        """Bytes that may be sent now; None: no limit."""
        if self.validated:
            return None
        return AMPLIFICATION_FACTOR * self.bytes_received - self.bytes_sent

    @property
    def has_frames(self) -> bool:
        return bool(self._responses)

    def on_challenge(self, frame: PathChallenge) -> None:
        """RFC 9000 §8.2.2: the answer carries the challenge's bytes."""
        self._responses.append(frame.data)

    def write_frames(self, builder: PacketBuilder) -> None:
        while self._responses and builder.room >= _RESPONSE_SIZE:
            # A lost PATH_RESPONSE is not sent again: the peer sends a new challenge (RFC 9000 §13.3).
            builder.add(PathResponse(self._responses.popleft()).encode())
