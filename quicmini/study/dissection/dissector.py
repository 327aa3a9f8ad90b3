"""Datagrams to packets, one after the other: each is taken apart with all that those before it have taught."""

from __future__ import annotations

from collections.abc import Iterator

from quicmini.crypto.retry import RETRY_INTEGRITY_TAG_LENGTH, retry_integrity_tag
from quicmini.study.dissection.connection import KeyLogSecrets
from quicmini.study.dissection.connections import Candidate, Connections, Flow
from quicmini.study.dissection.frame_fields import DEFAULT_ACK_DELAY_EXPONENT, dissect_payload
from quicmini.study.dissection.header_fields import Header, first_byte_field, read_header, read_short_header
from quicmini.study.dissection.learning import learn
from quicmini.study.dissection.opening import FIRST_INITIAL_MISSING, Failure, Opened
from quicmini.study.dissection.packets import Address, Datagram, Packet, Payload
from quicmini.study.dissection.segments import Segments
from quicmini.study.fields import Field, unreadable
from quicmini.study.texts import bytes_text
from quicmini.wire.frames import RESET_TOKEN_LENGTH
from quicmini.wire.packet import PacketType

__all__ = ["Dissector"]

_AEAD_TAG_LENGTH = 16
_MIN_STATELESS_RESET = 21  # bytes (RFC 9000 §10.3)
_FIXED_BIT, _LONG_HEADER = 0x40, 0x80


class Dissector:
    """Takes datagrams apart, in the order in which they were sent or captured. Never raises on any bytes.

    key_log: client random -> label -> secret, as `quicmini.observe.keylog.parse_key_log` gives it. dcid_length: bytes
    of the connection IDs in short headers where no handshake tells.
    """

    def __init__(self, key_log: KeyLogSecrets | None = None, *, dcid_length: int | None = None) -> None:
        self._connections = Connections(key_log or {}, dcid_length)
        self._dcid_length = dcid_length
        self._segments = Segments()

    def datagram(
        self,
        data: bytes,
        *,
        number: int = 1,
        time: float = 0.0,
        source: Address | None = None,
        destination: Address | None = None,
        remark: str = "",
        ecn: int = 0,
    ) -> Datagram:
        """One datagram with its packets; number, time, addresses, remark and ecn are passed on as they are."""
        flow = (source, destination) if source and destination else None
        packets = tuple(self._packets(data, flow))
        return Datagram(number, time, source, destination, data, packets, remark if data else "an empty datagram", ecn)

    def _packets(self, data: bytes, flow: Flow) -> Iterator[Packet]:
        """Coalesced packets lie one behind the other (RFC 9000 §12.2)."""
        position = 0
        while position < len(data):
            if data[position] & _LONG_HEADER:
                packet = self._long(data, position, flow)
            elif position and not any(data[position:]):
                zeros = Field("padding", position, data[position:], "zeros behind the last packet", "RFC 9000 §12.2")
                packet = Packet("padding", position, data[position:], (zeros,), "RFC 9000 §12.2")
            else:
                packet = self._short(data, position, flow)
                if packet.problem and not packet.needs_keys:
                    packet = self._first_of_several(data, position, flow) or packet
            yield packet
            position = packet.offset + len(packet.raw)

    def _long(self, data: bytes, start: int, flow: Flow) -> Packet:
        header = read_header(data, start)
        packet = Packet(
            header.name,
            start,
            data[start : header.end],
            header.fields,
            header.section,
            header.packet_type,
            version=header.version,
            destination_cid=header.destination_cid,
            source_cid=header.source_cid,
            token=header.token,
            versions=header.versions,
            problem=header.problem,
        )
        if header.problem and not header.pn_offset:
            return packet
        candidates = self._connections.of_long(header, flow)
        if header.packet_type is PacketType.RETRY:
            return self._retry(packet, header, candidates)
        if not header.pn_offset:  # Version Negotiation, or a version that is not spoken here
            if candidates and header.packet_type is PacketType.VERSION_NEGOTIATION:
                candidates[0].connection.versions_seen(header.versions)
            return _of(packet, candidates[0]) if candidates else packet
        packet = packet._replace(header=header.fields + _protected(header, data))
        if header.problem:
            return packet
        if not candidates:
            if header.packet_type is PacketType.INITIAL:
                return packet._replace(problem=FIRST_INITIAL_MISSING)
            return packet._replace(problem=_STRANGER_LONG, needs_keys=True)
        return self._opened(packet, header, data, flow, candidates)

    def _retry(self, packet: Packet, header: Header, candidates: list[Candidate]) -> Packet:
        """The tag proves that whoever sent the Retry saw the Initial (RFC 9001 §5.8)."""
        without_tag = packet.raw[:-RETRY_INTEGRITY_TAG_LENGTH]
        for connection, _, _ in candidates:
            for cid in connection.initial_cids[:1]:
                if retry_integrity_tag(without_tag, cid, header.version) == header.tag:
                    connection.retry_seen(header.source_cid)
                    self._connections.add_cid(Candidate(connection, to_server=True), header.source_cid)
                    right = f"the integrity tag is right for the Initial to {cid.hex()}"
                    return _of(packet, Candidate(connection, to_server=False))._replace(remark=right)
        if any(connection.initial_cids for connection, _, _ in candidates):
            return _of(packet, candidates[0])._replace(problem="the Retry Integrity Tag is wrong (RFC 9001 §5.8)")
        return packet._replace(remark="the Initial that it answers was not seen: the integrity tag cannot be checked")

    def _short(self, data: bytes, start: int, flow: Flow) -> Packet:
        candidates = self._connections.of_short(data, start, flow)
        cid_length = candidates[0].cid_length if candidates else self._dcid_length
        if candidates and candidates[0].connection.number is None:  # a guess
            cid_length = self._dcid_length
        if cid_length is None:
            header = read_short_header(data, start, 0)
            rest = unreadable(start + 1, data[start + 1 :], _STRANGER_SHORT)
            fields: tuple[Field, ...] = (header.fields[0], rest)
        else:
            header = read_short_header(data, start, cid_length)
            fields = header.fields + (_protected(header, data) if header.pn_offset else ())
        packet = Packet(
            header.name,
            start,
            data[start:],
            fields,
            header.section,
            header.packet_type,
            destination_cid=header.destination_cid,
            problem=header.problem or _STRANGER_SHORT,
            needs_keys=True,
        )
        opened = self._opened(packet, header, data, flow, candidates) if candidates else packet
        if opened.payload:
            return opened
        reset = self._reset(opened, data, start)
        if reset:
            return reset
        if opened.connection is None:
            return opened if data[start] & _FIXED_BIT else _not_quic(data, start)
        if header.destination_cid and not opened.needs_keys and not self._connections.knows(header.destination_cid):
            return opened._replace(problem=opened.problem + _PERHAPS_RESET)
        return opened

    def _first_of_several(self, data: bytes, start: int, flow: Flow) -> Packet | None:
        """The packet at `start` if it ends before the datagram does, because that is several of them."""
        candidates = self._connections.of_short(data, start, flow)
        for size in self._segments.sizes(len(data) - start):
            raw = data[start : start + size]
            for connection, to_server, cid_length in candidates:
                opened = connection.open(PacketType.ONE_RTT, 0, raw, 1 + cid_length, to_server=to_server)
                if isinstance(opened, Opened):
                    self._segments.found(size)
                    return self._short(data[: start + size], start, flow)._replace(remark=_ONE_OF_SEVERAL)
        return None

    def _reset(self, packet: Packet, data: bytes, start: int) -> Packet | None:
        """A stateless reset looks like any packet but for the token at its end (RFC 9000 §10.3)."""
        token_at = len(data) - RESET_TOKEN_LENGTH
        found = self._connections.reset_by(data[token_at:]) if token_at > 0 else None
        if found is None or start or len(data) < _MIN_STATELESS_RESET:
            return None
        section = "RFC 9000 §10.3"
        fields = (
            Field("Fixed Bits and Unpredictable Bits", 0, data[:token_at], bytes_text(token_at), section),
            Field("Stateless Reset Token", token_at, data[token_at:], "the one announced before", section),
        )
        reset = packet._replace(name="Stateless Reset", header=fields, section=section, packet_type=None, problem="")
        return _of(reset, found)._replace(destination_cid=b"", needs_keys=False)

    def _opened(self, packet: Packet, header: Header, data: bytes, flow: Flow, candidates: list[Candidate]) -> Packet:
        """The packet with its payload, with the keys of whichever candidate fit; or with the reason why none do."""
        failed: tuple[Candidate, Failure] | None = None
        for candidate in candidates:
            tried = header
            if not header.is_long and candidate.cid_length != len(header.destination_cid):
                tried = read_short_header(data, packet.offset, candidate.cid_length)
            if not tried.pn_offset:
                continue
            result = candidate.connection.open(
                PacketType.ONE_RTT if tried.packet_type is None else tried.packet_type,
                tried.version,
                packet.raw,
                tried.pn_offset - packet.offset,
                to_server=candidate.to_server,
            )
            if isinstance(result, Opened):
                return self._read(packet, tried, data, flow, candidate, result)
            failed = failed or (candidate, result)
        if failed is None:
            return packet
        return _of(packet, failed[0])._replace(problem=failed[1].why, needs_keys=failed[1].needs_keys)

    def _read(
        self, packet: Packet, header: Header, data: bytes, flow: Flow, candidate: Candidate, opened: Opened
    ) -> Packet:
        """The decrypted packet, frame by frame, and what it teaches."""
        connection, to_server, _ = candidate
        kind = PacketType.ONE_RTT if header.packet_type is None else header.packet_type
        self._connections.belongs(candidate, header, flow)
        exponent = DEFAULT_ACK_DELAY_EXPONENT
        if kind is PacketType.ONE_RTT:
            exponent = connection.ack_delay_exponents[to_server]
        frames = dissect_payload(opened.payload, kind, exponent)
        parsed = tuple(frame for _, frame in frames if frame is not None)
        messages, waiting = learn(self._connections, candidate, kind, parsed)
        payload = Payload(opened.payload, opened.keys, tuple(field for field, _ in frames), parsed, messages, waiting)
        return _of(packet, candidate)._replace(
            header=_unprotected(header, data, opened),
            version=header.version or connection.version,
            destination_cid=header.destination_cid,
            packet_number=opened.packet_number,
            key_phase=None if header.is_long else opened.first_byte >> 2 & 1,
            payload=payload,
            problem="",
            needs_keys=False,
        )


_ONE_OF_SEVERAL = "a datagram of its own: several were captured as one, before they were cut apart (UDP_SEGMENT)"
_STRANGER_LONG = "it belongs to no connection whose first Initial was seen"
_STRANGER_SHORT = (
    "no handshake with this connection ID was seen, so that its length is not known; --dcid-length may tell"
)
_PERHAPS_RESET = (
    "; nobody has announced this connection ID: it may be a stateless reset whose token was not seen (RFC 9000 §10.3)"
)


def _of(packet: Packet, candidate: Candidate) -> Packet:
    number = candidate.connection.number
    if number is None:  # a guess that nothing has confirmed
        return packet
    return packet._replace(connection=number, to_server=candidate.to_server)


def _not_quic(data: bytes, start: int) -> Packet:
    why = (
        "no QUIC packet: its Fixed Bit is 0, and it belongs to no connection whose handshake was seen (a greased one "
        "may look so, RFC 9287)"
    )
    return Packet(
        "not QUIC", start, data[start:], (unreadable(start, data[start:], why),), "RFC 9000 §17.3.1", problem=why
    )


def _protected(header: Header, data: bytes) -> tuple[Field, ...]:
    raw = data[header.pn_offset : header.end]
    value = f"{bytes_text(len(raw))}: packet number and payload"
    return (Field("protected", header.pn_offset, raw, value, "RFC 9001 §5"),)


def _unprotected(header: Header, data: bytes, opened: Opened) -> tuple[Field, ...]:
    """The header with its first byte and packet number as they were before protection."""
    first = header.fields[0]
    start, after = header.pn_offset, header.pn_offset + opened.pn_length
    number = (opened.packet_number & (1 << 8 * opened.pn_length) - 1).to_bytes(opened.pn_length)
    size = header.end - after
    wire = data[start:after].hex()
    return (
        first_byte_field(header.packet_type, header.version, first.offset, data[first.offset], opened.first_byte),
        *header.fields[1:],
        Field("Packet Number", start, number, f"{opened.packet_number}; {wire} on the wire", "RFC 9000 §17.1"),
        Field(
            "Packet Payload", after, data[after : header.end],
            f"{bytes_text(size - _AEAD_TAG_LENGTH)} and a tag of {_AEAD_TAG_LENGTH}", "RFC 9001 §5.3",
        ),
    )  # fmt: skip
