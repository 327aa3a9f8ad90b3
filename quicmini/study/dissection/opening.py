"""Which keys open a packet, and if none does, which step failed (RFC 9001 §5, §6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from quicmini.crypto.keys import CIPHER_SUITES, INITIAL_SUITE, initial_secrets
from quicmini.crypto.protection import Opener
from quicmini.errors import DecodeError
from quicmini.study.versions import version_name
from quicmini.wire.packet import PacketType, decode_packet_number

__all__ = [
    "FIRST_INITIAL_MISSING",
    "Failure",
    "Keys",
    "Opened",
    "Secrets",
    "initial_keys",
    "logged_keys",
    "secret_label",
]

Secrets = Mapping[str, bytes]

# The key log's labels (RFC 9850 §3) of the secrets of client and server.
_LABELS = {
    PacketType.ZERO_RTT: ("CLIENT_EARLY_TRAFFIC_SECRET", ""),
    PacketType.HANDSHAKE: ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET"),
    PacketType.ONE_RTT: ("CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"),
}

FIRST_INITIAL_MISSING = "Initial keys come from the client's first Initial, which was not seen (RFC 9001 §5.2)"


class Opened(NamedTuple):
    """A packet that authenticated. first_byte: without header protection. keys: which ones, for people."""

    packet_number: int
    pn_length: int
    first_byte: int
    payload: bytes
    keys: str


class Failure(NamedTuple):
    """Why a packet stays closed: a sentence. needs_keys: there are none; otherwise there are, and they do not fit."""

    why: str
    needs_keys: bool = False


class Keys:
    """What may open the packets of one type and direction.

    To begin with, guesses at the cipher suite. Once one has fitted, an opener for each key phase, of which the last two
    are kept: as with a receiver, packets of the phase before may still come, and any may be the first of the next phase
    (RFC 9001 §6.3, §6.5).
    """

    def __init__(self, what: str, guesses: Sequence[Opener]) -> None:
        self._what = what
        self._guesses = tuple(guesses)
        self._current: Opener | None = None
        self._previous: Opener | None = None
        self._successors: dict[Opener, Opener] = {}  # those of the phase after, of the current one or of the guesses
        self._phase = 0
        self._phase_start = 0  # the lowest packet number seen in the current phase

    def open(self, packet: bytes, pn_offset: int, largest: int) -> Opened | Failure:
        """The packet without its protection, or why not.

        pn_offset: where its packet number starts. largest: the largest packet number of its space so far, -1: none.
        """
        result: Failure | None = None
        for opener in (self._current,) if self._current else self._guesses:
            try:
                first_byte, truncated, pn_length = opener.unmask(packet, pn_offset)
            except DecodeError:
                size = len(packet)
                return Failure(f"header protection: {size} bytes are too few to take a sample from (RFC 9001 §5.4.2)")
            number = decode_packet_number(largest, truncated, 8 * pn_length)
            for phase, candidate in self._phases(opener, first_byte, number):
                try:
                    payload = candidate.open(packet, pn_offset, first_byte, pn_length, number)
                except DecodeError:
                    continue
                self._fitted(phase, candidate, number)
                return Opened(number, pn_length, first_byte, payload, self._name(candidate, phase, first_byte))
            result = result or self._not_authentic(opener, first_byte, pn_length, number)
        return result or Failure(f"no cipher suite has a secret of this length: {self._what}")

    def _phases(self, opener: Opener, first_byte: int, number: int) -> list[tuple[int, Opener]]:
        """The openers that the packet's key phase bit leaves, the likeliest first. Long headers have no such bit."""
        phase = self._phase
        if first_byte & 0x80 or (first_byte >> 2 & 1) == phase & 1:
            return [(phase, opener)]
        if self._current is None:
            # A connection begins with phase 0 (RFC 9001 §6); a capture may begin later.
            return [(1, self._successor(opener))]
        successor = (phase + 1, self._successor(opener))
        if self._previous is None:
            return [successor]
        predecessor = (phase - 1, self._previous)
        return [predecessor, successor] if number < self._phase_start else [successor, predecessor]

    def _successor(self, opener: Opener) -> Opener:
        """The opener of the next phase, derived once however many damaged packets there are."""
        if opener not in self._successors:
            self._successors[opener] = opener.updated()
        return self._successors[opener]

    def _fitted(self, phase: int, opener: Opener, number: int) -> None:
        if self._current is None:
            self._current, self._phase, self._phase_start = opener, phase, number
            self._successors.clear()
        elif phase > self._phase:
            self._previous = self._current
            self._current, self._phase, self._phase_start = opener, phase, number
            self._successors.clear()
        elif phase == self._phase:
            self._phase_start = min(self._phase_start, number)

    def _name(self, opener: Opener, phase: int, first_byte: int) -> str:
        return f"{self._what}, {opener.suite.name}" + ("" if first_byte & 0x80 else f", key phase {phase}")

    def _not_authentic(self, opener: Opener, first_byte: int, pn_length: int, number: int) -> Failure:
        long = first_byte & 0x80
        phase = "" if long else f", key phase bit {first_byte >> 2 & 1}"
        reserved = first_byte & (0x0C if long else 0x18)
        doubt = " and reserved bits that are not 0" if reserved else ""
        size = f"{pn_length} byte{'' if pn_length == 1 else 's'}"
        return Failure(
            f"header protection gives packet number {number} in {size}{phase}{doubt}; AEAD authentication failed "
            f"({self._what}, {opener.suite.name}): damaged on the way, or protected with other keys"
        )


def initial_keys(cid: bytes, version: int, *, to_server: bool) -> Keys:
    """Those that anyone can derive (RFC 9001 §5.2). cid: what the client's first Initial was sent to."""
    client, server = initial_secrets(cid, version)
    sender = "client" if to_server else "server"
    opener = Opener(INITIAL_SUITE, client if to_server else server, version)
    return Keys(f"{sender} Initial keys of {version_name(version)} from {cid.hex() or 'an empty ID'}", [opener])


def secret_label(packet_type: PacketType, *, to_server: bool) -> str:
    """What the key log calls the secret that such packets are protected with; "" for packets that cannot be."""
    return _LABELS[packet_type][0 if to_server else 1]


def logged_keys(secrets: Secrets, packet_type: PacketType, version: int, *, to_server: bool) -> Keys | None:
    """Those of a key log; None if it lacks the secret. The hash's length leaves one or two cipher suites."""
    label = secret_label(packet_type, to_server=to_server)
    secret = secrets.get(label)
    if secret is None:
        return None
    suites = [suite for suite in CIPHER_SUITES.values() if suite.hash_length == len(secret)]
    return Keys(label, [Opener(suite, secret, version) for suite in suites])
