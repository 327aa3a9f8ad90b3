"""The network path a connection runs over, and how much may be sent to an address that may be forged (RFC 9000 §8)."""

from __future__ import annotations

from collections import deque

from quicmini.connection.state import Address
from quicmini.streams.control import ControlFrames
from quicmini.wire.frames import PathChallenge, PathResponse

__all__ = ["AMPLIFICATION_FACTOR", "MAX_QUEUED_PATH_RESPONSES", "Path"]

# RFC 9000 §8.1: before the address is validated, at most three times the bytes received from it.
AMPLIFICATION_FACTOR = 3

# PATH_CHALLENGE frames that may wait for their answer; the newest win (RFC 9000 §8.2.2 asks for an answer to each,
# §9.3 lets an endpoint limit what it holds).
MAX_QUEUED_PATH_RESPONSES = 8


class Path:
    """One remote address: what was received from it, what was sent to it, whether it is validated.

    max_datagram_size: the largest datagram to send there, in bytes (RFC 9000 §14). expand: a PATH_RESPONSE was written,
    whose datagram must have 1200 bytes (§8.2.2); the sender clears it. control: where its frames wait.
    """

    __slots__ = (
        "_control",
        "_responses",
        "bytes_received",
        "bytes_sent",
        "expand",
        "max_datagram_size",
        "remote",
        "validated",
    )

    def __init__(self, remote: Address, max_datagram_size: int, control: ControlFrames, *, validated: bool) -> None:
        self.remote = remote
        self.max_datagram_size = max_datagram_size
        self.validated = validated
        self.bytes_received = 0
        self.bytes_sent = 0
        self.expand = False
        self._control = control
        self._responses: deque[bytes] = deque(maxlen=MAX_QUEUED_PATH_RESPONSES)

    def allowance(self) -> int | None:
        """Bytes that may be sent now; None: no limit."""
        if self.validated:
            return None
        return AMPLIFICATION_FACTOR * self.bytes_received - self.bytes_sent

    def on_challenge(self, frame: PathChallenge) -> None:
        """RFC 9000 §8.2.2: the answer carries the challenge's bytes."""
        self._responses.append(frame.data)
        self._control.request(self._response_frame)

    def _response_frame(self) -> bytes | None:
        """The oldest answer that waits. A lost one is not sent again: the peer makes a new challenge (§13.3)."""
        if not self._responses:
            return None
        data = self._responses.popleft()
        if self._responses:
            self._control.request(self._response_frame)
        self.expand = True
        return PathResponse(data).encode()
