"""What the packets of a test case must show, besides files that arrived whole.

Each check looks at the evidence and says, one sentence each, what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from quicmini.observe.keylog import parse_key_log
from quicmini.study.link.link import Address, Captured
from quicmini.tls.codes import ExtensionType, HandshakeType
from quicmini.tls.messages import HEADER_SIZE, ClientHello, EncryptedExtensions
from quicmini.wire.frames import Ack, ConnectionClose, Crypto, PathChallenge, PathResponse
from quicmini.wire.packet import VERSION_1, VERSION_2, PacketType
from quicmini.wire.transport_parameters import TransportParameters, parse_transport_parameters
from tests.interop.dissect import Packet, crypto_stream, dissect

__all__ = ["Check", "Evidence", "handshakes"]

_CHACHA20 = 0x1303
_CE = 3  # the ECN codepoint for congestion (RFC 3168 §5)
_MAX_STREAMS = 1000  # what the case multiplexing lets a server offer at first, streams
_LONG_CHAIN = 7500  # bytes of TLS messages that only a long chain of certificates makes
_TIME_TO_ANSWER = 0.1  # seconds: what comes later than so much before the end need not be answered
_MAX_LATE = 5000  # bytes of 1-RTT packets that a client may send although it has 0-RTT


@dataclass
class Evidence:
    """What is left of a run: two folders, the captured datagrams, both key logs."""

    www: Path
    downloads: Path
    captured: list[Captured]
    key_logs: list[Path]

    @cached_property
    def packets(self) -> list[Packet]:
        """Every packet that was sent, decrypted where the keys are known."""
        secrets: dict[bytes, dict[str, bytes]] = {}
        for path in self.key_logs:
            if path.exists():
                for client_random, found in parse_key_log(path.read_text()).items():
                    secrets.setdefault(client_random, {}).update(found)
        return dissect(self.captured, secrets)

    def select(self, packet_type: PacketType, *, to_server: bool) -> Iterator[Packet]:
        return (
            packet for packet in self.packets if packet.packet_type is packet_type and packet.to_server == to_server
        )


Check = Callable[[Evidence], Iterable[str]]


# Of every case


def files(evidence: Evidence) -> Iterator[str]:
    """What was downloaded is what the server has, byte for byte."""
    wanted = {path.name for path in evidence.www.iterdir()}
    got = {path.name for path in evidence.downloads.iterdir()}
    if wanted != got:
        yield f"{len(wanted - got)} of {len(wanted)} files are missing, {len(got - wanted)} are unexpected"
    for name in sorted(wanted & got):
        content, original = (evidence.downloads / name).read_bytes(), (evidence.www / name).read_bytes()
        if content != original:
            yield f"{name}: {len(content)} bytes, not the {len(original)} of the server"


def handshakes(count: int) -> Check:
    """As many connections as servers' connection IDs in Initial packets."""

    def check(evidence: Evidence) -> Iterator[str]:
        found = {packet.source_cid for packet in evidence.select(PacketType.INITIAL, to_server=False)}
        if len(found) != count:
            yield f"{len(found)} handshakes, not {count}"

    return check


def only_version_1(evidence: Evidence) -> Iterator[str]:
    versions = {packet.version for packet in evidence.select(PacketType.INITIAL, to_server=False)}
    if versions != {VERSION_1}:
        yield f"the server's versions are {sorted(map(hex, versions))}"


def no_retry(evidence: Evidence) -> Iterator[str]:
    if any(packet.packet_type is PacketType.RETRY for packet in evidence.packets):
        yield "a Retry packet"


# Of single cases


def several_client_hellos(evidence: Evidence) -> Iterator[str]:
    hellos = [
        packet
        for packet in evidence.select(PacketType.INITIAL, to_server=True)
        if any(isinstance(frame, Crypto) and frame.offset == 0 for frame in packet.frames or ())
    ]
    if len(hellos) < 2:
        yield f"{len(hellos)} ClientHello in spite of the long round trip"


def only_chacha20(evidence: Evidence) -> Iterator[str]:
    hello = crypto_stream(evidence.packets, PacketType.INITIAL, to_server=True)
    suites = ClientHello.parse(hello[HEADER_SIZE:]).cipher_suites
    if suites != (_CHACHA20,):
        yield f"the client offers the cipher suites {list(map(hex, suites))}"


def moderate_stream_limit(evidence: Evidence) -> Iterator[str]:
    parameters = _server_parameters(evidence)
    if parameters.initial_max_streams_bidi > _MAX_STREAMS:
        yield f"the server offers {parameters.initial_max_streams_bidi} streams at once"


def retry_is_followed(evidence: Evidence) -> Iterator[str]:
    """RFC 9000 §17.2.5: the token comes back, in a packet whose number goes on from those before."""
    tokens = {packet.token for packet in evidence.packets if packet.packet_type is PacketType.RETRY}
    if not tokens:
        yield "no Retry packet"
        return
    before: list[int] = []
    after: list[int] = []
    for packet in evidence.select(PacketType.INITIAL, to_server=True):
        if packet.packet_number is not None:
            (after if packet.token in tokens else before).append(packet.packet_number)
    if not after:
        yield "no Initial packet with the Retry packet's token"
    elif max(before, default=-1) >= min(after):
        yield f"packet numbers {before} before the Retry, {after} after it"


def certificate_only_once(evidence: Evidence) -> Iterator[str]:
    for number in (0, 1):
        own = [packet for packet in evidence.packets if packet.connection == number]
        flight = dict(_messages(crypto_stream(own, PacketType.HANDSHAKE, to_server=False)))
        if HandshakeType.ENCRYPTED_EXTENSIONS not in flight:
            yield f"connection {number + 1}: no answer of the server can be read"
        elif (HandshakeType.CERTIFICATE in flight) == bool(number):
            yield f"connection {number + 1}: {'a' if number else 'no'} Certificate"


def early_requests(evidence: Evidence) -> Iterator[str]:
    early = sum(packet.size for packet in evidence.select(PacketType.ZERO_RTT, to_server=True))
    late = sum(packet.size for packet in evidence.select(PacketType.ONE_RTT, to_server=True))
    if not early:
        yield "no 0-RTT packets"
    if late > _MAX_LATE:
        yield f"{late} bytes of the client in 1-RTT packets, {early} in 0-RTT packets"


def both_update_keys(evidence: Evidence) -> Iterator[str]:
    for to_server in (True, False):
        phases = [packet.key_phase for packet in evidence.select(PacketType.ONE_RTT, to_server=to_server)]
        if 1 not in phases:
            yield f"the {'client' if to_server else 'server'} never used key phase 1"


def both_use_ecn(evidence: Evidence) -> Iterator[str]:
    for to_server in (True, False):
        side = "client" if to_server else "server"
        marks = [captured.ecn for captured in evidence.captured if captured.to_server == to_server]
        if not any(marks):
            yield f"the {side} marks no packet"
        if _CE in marks:
            yield f"the {side} sends packets that are marked with CE"
        packets = [packet for packet in evidence.packets if packet.to_server == to_server]
        if not any(isinstance(frame, Ack) and frame.ecn for packet in packets for frame in packet.frames or ()):
            yield f"the {side} never reports marks"


def amplification_is_limited(evidence: Evidence) -> Iterator[str]:
    """RFC 9000 §8.1: three times what has come, until a Handshake packet proves that somebody hears."""
    flight = crypto_stream(evidence.packets, PacketType.HANDSHAKE, to_server=False)
    if len(flight) < _LONG_CHAIN:
        yield f"the server's flight has {len(flight)} bytes, less than its chain of certificates"
    proofs = [
        packet.captured.arrival
        for packet in evidence.select(PacketType.HANDSHAKE, to_server=True)
        if packet.captured.arrival is not None
    ]
    if not proofs:
        yield "no Handshake packet of the client arrived"
        return
    events: list[tuple[float, bool, int]] = []  # as the server sees them
    for captured in evidence.captured:
        time = captured.arrival if captured.to_server else captured.time
        if time is not None and time < min(proofs):
            events.append((time, captured.to_server, len(captured.datagram)))
    received = sent = 0
    for _, to_server, size in sorted(events):
        received, sent = (received + size, sent) if to_server else (received, sent + size)
        if sent > 3 * received:
            yield f"{sent} bytes sent to an address that {received} have come from"
            return


def only_ipv6(evidence: Evidence) -> Iterator[str]:
    if any(":" not in captured.source[0] for captured in evidence.captured):
        yield "IPv4 packets"


def compatible_version_2(evidence: Evidence) -> Iterator[str]:
    """RFC 9369: begun with version 1, and version 2 from the server's answer on."""
    if VERSION_1 not in {packet.version for packet in evidence.select(PacketType.INITIAL, to_server=True)}:
        yield "the client does not begin with version 1"
    if VERSION_2 not in {packet.version for packet in evidence.select(PacketType.INITIAL, to_server=False)}:
        yield "the server does not choose version 2"
    for to_server in (True, False):
        versions = {packet.version for packet in evidence.select(PacketType.HANDSHAKE, to_server=to_server)}
        if versions != {VERSION_2}:
            direction = "to" if to_server else "from"
            yield f"Handshake packets {direction} the server have versions {sorted(map(hex, versions))}"


def new_paths_are_validated(evidence: Evidence) -> Iterator[str]:
    """RFC 9000 §9.3: the first that a server sends to a new address challenges it, and the client answers."""
    answers: set[bytes] = set()
    challenges: dict[Address, set[bytes]] = {}  # by path: those that the client had time to answer
    first: dict[Address, Captured] = {}  # by path
    challenged_at_once: set[Address] = set()
    end = _client_closes(evidence) - _TIME_TO_ANSWER
    for packet in evidence.select(PacketType.ONE_RTT, to_server=True):
        answers.update(frame.data for frame in packet.frames or () if isinstance(frame, PathResponse))
    for packet in (packet for packet in evidence.packets if not packet.to_server):
        path, arrival = packet.captured.path, packet.captured.arrival
        data = {frame.data for frame in packet.frames or () if isinstance(frame, PathChallenge)}
        if data and first.setdefault(path, packet.captured) is packet.captured:
            challenged_at_once.add(path)
        first.setdefault(path, packet.captured)
        if arrival is not None and arrival < end:
            challenges.setdefault(path, set()).update(data)
    if len(first) < 2:
        yield "the server saw one path only"
    new = list(first)[1:]
    if not challenged_at_once.issuperset(new):
        yield "the first datagram to a new address has no PATH_CHALLENGE"
    if any(challenges.get(path) and not challenges[path] & answers for path in new):
        yield "no PATH_CHALLENGE to a new address was answered"


def _client_closes(evidence: Evidence) -> float:
    """When the client says that it is done; a very long time if it never does."""
    closing = (
        packet.captured.time
        for packet in evidence.packets
        if packet.to_server and any(isinstance(frame, ConnectionClose) for frame in packet.frames or ())
    )
    return min(closing, default=float("inf"))


def several_addresses(evidence: Evidence) -> Iterator[str]:
    if len({captured.path[0] for captured in evidence.captured}) < 2:
        yield "the server saw one address only"


def preferred_address_is_announced(evidence: Evidence) -> Iterator[str]:
    if _server_parameters(evidence).preferred_address is None:
        yield "the server announces no preferred address"


def new_path_new_cid(evidence: Evidence) -> Iterator[str]:
    """RFC 9000 §9.5: who moves on purpose does not say so by the connection ID."""
    used: dict[bytes, object] = {}
    paths = set()
    for packet in evidence.packets:
        if packet.to_server and packet.packet_type is PacketType.ONE_RTT:
            path = (packet.captured.source, packet.captured.destination)
            paths.add(path)
            if used.setdefault(packet.destination_cid, path) != path:
                yield f"the ID {packet.destination_cid.hex()} is used on two paths"
                return
    if len(paths) < 2:
        yield "the client stayed where it was"


def _server_parameters(evidence: Evidence) -> TransportParameters:
    """The transport parameters in the server's EncryptedExtensions."""
    flight = dict(_messages(crypto_stream(evidence.packets, PacketType.HANDSHAKE, to_server=False)))
    extensions = EncryptedExtensions.parse(flight[HandshakeType.ENCRYPTED_EXTENSIONS]).extensions
    return parse_transport_parameters(extensions[ExtensionType.QUIC_TRANSPORT_PARAMETERS], from_client=False)


def _messages(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """The TLS handshake messages of a CRYPTO stream: type and body."""
    while len(stream) >= HEADER_SIZE:
        end = HEADER_SIZE + int.from_bytes(stream[1:HEADER_SIZE])
        yield stream[0], stream[HEADER_SIZE:end]
        stream = stream[end:]
