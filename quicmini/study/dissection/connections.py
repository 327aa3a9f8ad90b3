"""Whose packet is it? Connections are found by connection IDs and by addresses (RFC 9000 §5.2)."""

from __future__ import annotations

from typing import NamedTuple

from quicmini.study.dissection.connection import Connection, KeyLogSecrets
from quicmini.study.dissection.header_fields import Header
from quicmini.study.dissection.packets import Address
from quicmini.wire.packet import MAX_CID_LENGTH, PacketType

__all__ = ["Candidate", "Connections", "Flow"]

Flow = tuple[Address, Address] | None  # from, to; None: not known

_MIN_FIRST_CID = 8  # bytes of the first Destination Connection ID that a client chooses (RFC 9000 §7.2)

_LENGTHS = (8, 0, *range(1, 8), *range(9, MAX_CID_LENGTH + 1))  # of connection IDs, the usual ones first

_MAX_STRANGERS = 32
"""Flows whose handshake was not seen, on which the key log is tried: every try takes all of it."""
_MAX_TRIES = 3  # packets of each of them


class Candidate(NamedTuple):
    """Who a packet may belong to, and which way it goes. cid_length: of a short header."""

    connection: Connection
    to_server: bool
    cid_length: int = 0


class Connections:
    """All that were seen. dcid_length: bytes of the IDs in short headers that no handshake explains, None: unknown."""

    def __init__(self, key_log: KeyLogSecrets, dcid_length: int | None = None) -> None:
        self._key_log = key_log
        self._dcid_length = dcid_length
        self._count = 0
        self._by_cid: dict[bytes, Candidate] = {}
        self._lengths: list[int] = []  # of the keys of `_by_cid`, descending
        self._by_flow: dict[Flow, Candidate] = {}
        self._tokens: dict[bytes, Candidate] = {}
        self._strangers: dict[Flow, tuple[Connection, int]] = {}
        self._latest: Connection | None = None

    def of_long(self, header: Header, flow: Flow) -> list[Candidate]:
        """Who a packet with a long header may belong to, the likeliest first."""
        cid = header.destination_cid
        if cid in self._by_cid:
            return [self._by_cid[cid]]
        candidates = []
        if header.packet_type is PacketType.INITIAL and len(cid) >= _MIN_FIRST_CID:
            first = Connection(self._key_log, cid, header.version)
            candidates.append(Candidate(first, to_server=True))
        if header.source_cid in self._by_cid:
            back = self._by_cid[header.source_cid]
            candidates.append(Candidate(back.connection, not back.to_server))
        # Of the Initial packets of a stranger no key log has the secret.
        return candidates + self._others(flow, strangers=header.packet_type is not PacketType.INITIAL)

    def of_short(self, datagram: bytes, start: int, flow: Flow) -> list[Candidate]:
        """Who a packet with a short header may belong to, the likeliest first."""
        start += 1
        found = [
            self._by_cid[cid]._replace(cid_length=length)
            for length in self._lengths
            if (cid := datagram[start : start + length]) in self._by_cid
        ]
        return found or [
            candidate._replace(cid_length=length)
            for candidate in self._others(flow)
            for length in self._cid_lengths(candidate)
        ]

    def _others(self, flow: Flow, *, strangers: bool = True) -> list[Candidate]:
        """Who talks between these addresses, or whoever spoke last if there are none; else a stranger."""
        if flow in self._by_flow:
            return [self._by_flow[flow]]
        if flow is None and self._latest:
            return [Candidate(self._latest, to_server) for to_server in (True, False)]
        return self._stranger(flow) if strangers else []

    def _stranger(self, flow: Flow) -> list[Candidate]:
        """A connection that has begun before the capture did: the key log may open it all the same."""
        if not self._key_log or (flow not in self._strangers and len(self._strangers) >= _MAX_STRANGERS):
            return []
        connection, tries = self._strangers.get(flow, (Connection(self._key_log), 0))
        self._strangers[flow] = connection, tries + 1
        if tries >= _MAX_TRIES:
            return []
        return [Candidate(connection, to_server) for to_server in (True, False)]

    def _cid_lengths(self, candidate: Candidate) -> tuple[int, ...]:
        known = candidate.connection.cid_lengths.get(candidate.to_server)
        if known is not None:
            return (known,)
        return _LENGTHS if self._dcid_length is None else (self._dcid_length,)

    def belongs(self, candidate: Candidate, header: Header, flow: Flow) -> None:
        """A packet has authenticated as this one's: its IDs and addresses are known from now on."""
        connection, to_server, _ = candidate
        if connection.number is None:
            connection.number = self._count
            self._count += 1
        self._latest = connection
        self.add_cid(candidate, header.destination_cid)
        connection.cid_lengths[to_server] = len(header.destination_cid)
        if header.is_long:
            self.add_cid(Candidate(connection, not to_server), header.source_cid)
            connection.cid_lengths[not to_server] = len(header.source_cid)
        if flow:
            self._by_flow[flow] = Candidate(connection, to_server)
            self._by_flow[flow[1], flow[0]] = Candidate(connection, not to_server)

    def add_cid(self, candidate: Candidate, cid: bytes) -> None:
        """Packets that are addressed to `cid` are this one's."""
        if cid and cid not in self._by_cid:
            self._by_cid[cid] = candidate
            if len(cid) not in self._lengths:
                self._lengths = sorted([*self._lengths, len(cid)], reverse=True)

    def knows(self, cid: bytes) -> bool:
        """Whether anyone has announced this connection ID."""
        return cid in self._by_cid

    def add_reset_token(self, candidate: Candidate, token: bytes) -> None:
        """A datagram that ends with `token` is a stateless reset of this one (RFC 9000 §10.3)."""
        self._tokens.setdefault(token, candidate)

    def reset_by(self, token: bytes) -> Candidate | None:
        """Whose stateless reset it is."""
        return self._tokens.get(token)
