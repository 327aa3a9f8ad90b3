"""A network path: two addresses, what may be sent from one to the other, and whether it works (RFC 9000 §8, §9).

`Path.allowance` is what keeps an attack from being amplified by way of this side.
"""

from __future__ import annotations

from collections import deque

from quicmini.connection.state import Address
from quicmini.recovery.loss import PathMeasures
from quicmini.wire.frames import PathChallenge, PathResponse

__all__ = ["AMPLIFICATION_FACTOR", "MAX_QUEUED_PATH_RESPONSES", "Path", "PathValidation"]

# RFC 9000 §8.1: before the address is validated, at most three times the bytes received from it.
AMPLIFICATION_FACTOR = 3

# PATH_CHALLENGE frames of one path that may wait for their answer; the newest win (RFC 9000 §8.2.2 asks for an answer
# to each, §21.9 lets an endpoint drop what is too much).
MAX_QUEUED_PATH_RESPONSES = 8

# Bytes of a PATH_CHALLENGE or PATH_RESPONSE frame (RFC 9000 §19.17, §19.18).
FRAME_SIZE = 9

# How much longer than the first wait for an answer to a PATH_CHALLENGE the later ones become at most: whoever has time
# should use it, since giving up may be the end of the connection.
MAX_GROWTH = 4


class PathValidation:
    """An attempt to validate a path (RFC 9000 §8.2). Times in seconds.

    wants_challenge: a PATH_CHALLENGE should be sent. next_challenge: when another one should be. expires: when the
    attempt has failed.
    """

    __slots__ = ("_interval", "_longest", "expires", "next_challenge", "wants_challenge")

    def __init__(self, now: float, interval: float, lifetime: float) -> None:
        self.wants_challenge = True
        self._interval = interval
        self._longest = MAX_GROWTH * interval
        self.next_challenge = now + interval
        self.expires = now + lifetime

    @property
    def deadline(self) -> float:
        return min(self.next_challenge, self.expires)

    def on_timer(self, now: float) -> None:
        """Like a probe timeout, each later one takes twice as long (RFC 9000 §9.4), up to MAX_GROWTH."""
        if now >= self.next_challenge:
            self.wants_challenge = True
            self._interval = min(2 * self._interval, self._longest)
            self.next_challenge = now + self._interval


class Path:
    """One pair of addresses: what was received and sent there, whether the peer's is validated.

    remote: the peer's address. local: which of this side's sockets, as the caller names it; None: the first one.
    max_datagram_size: the largest datagram to send there, in bytes (RFC 9000 §14). cid_number: the peer's ID for it.
    own_cid: this side's ID by which it was reached first. measures: what was learned of it while it was in use.
    wanted: the peer has moved there, and this side will follow when it is validated.
    validation: the attempt under way. drop_at: when it may be forgotten. followed: the peer uses it, too, as far as is
    known: not yet, if this side has just moved there.
    """

    __slots__ = (
        "_responses",
        "bytes_received",
        "bytes_sent",
        "cid_number",
        "drop_at",
        "followed",
        "local",
        "max_datagram_size",
        "measures",
        "own_cid",
        "remote",
        "validated",
        "validation",
        "wanted",
    )

    def __init__(
        self,
        remote: Address,
        max_datagram_size: int,
        *,
        validated: bool,
        local: object = None,
        own_cid: bytes = b"",
    ) -> None:
        self.remote = remote
        self.local = local
        self.max_datagram_size = max_datagram_size
        self.validated = validated
        self.own_cid = own_cid
        self.cid_number: int | None = None
        self.bytes_received = 0
        self.bytes_sent = 0
        self.measures: PathMeasures | None = None
        self.wanted = False
        self.validation: PathValidation | None = None
        self.drop_at: float | None = None
        self.followed = True
        self._responses: deque[bytes] = deque(maxlen=MAX_QUEUED_PATH_RESPONSES)

    def allowance(self) -> int | None:
        """Bytes that may be sent now, before the address is validated (RFC 9000 §8.1); None: no limit."""
        if self.validated:
            return None
        return AMPLIFICATION_FACTOR * self.bytes_received - self.bytes_sent

    @property
    def waits(self) -> bool:
        """Whether it has a PATH_CHALLENGE or PATH_RESPONSE to send."""
        return bool(self._responses) or (self.validation is not None and self.validation.wants_challenge)

    def on_challenge(self, frame: PathChallenge) -> None:
        """RFC 9000 §8.2.2: the answer carries the challenge's bytes, and goes the same way back."""
        self._responses.append(frame.data)

    def take_responses(self, room: int) -> list[bytes]:
        """The answers that wait, oldest first. A lost one is not sent again: the peer makes a new challenge (§13.3)."""
        count = min(len(self._responses), room // FRAME_SIZE)
        return [PathResponse(self._responses.popleft()).encode() for _ in range(count)]

    def take_challenge(self, data: bytes, room: int) -> list[bytes]:
        """A PATH_CHALLENGE with this data, if one is due and fits."""
        validation = self.validation
        if validation is None or not validation.wants_challenge or room < FRAME_SIZE:
            return []
        validation.wants_challenge = False
        return [PathChallenge(data).encode()]
