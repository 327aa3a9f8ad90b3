"""Questions that cost a server no connection: which versions of QUIC it has, and how large a datagram reaches it."""

from __future__ import annotations

import os
import select
import socket
from time import monotonic
from typing import NamedTuple

from quicmini.connection.state import Address, Transmit
from quicmini.errors import DecodeError
from quicmini.sync.addresses import check_address
from quicmini.sync.udp import UdpSocket
from quicmini.wire.packet import VersionNegotiation, parse_long_header

__all__ = ["Answer", "ask_versions"]

# UDP payloads in bytes: what every path must carry (RFC 9000 §14), what tunnels, PPPoE and Ethernet leave of 1500
# bytes under IPv6 and IPv4, jumbo frames, loopback.
SIZES = (1200, 1252, 1350, 1400, 1452, 1472, 8952, 16_376)

# Seconds to wait for answers; what was not answered is asked again.
ROUNDS = (0.5, 1.0, 2.0)
# Once there is an answer, the others are waited for this long, or two round trips.
COMPANY = 0.1

_CID_LENGTH = 8  # bytes
_LONG_HEADER_AND_FIXED_BIT = 0xC0


class Answer(NamedTuple):
    """versions: as the server lists them, those that mean nothing included. rtt: seconds. largest: bytes of UDP payload
    that got through, of `tried`."""

    remote: Address
    versions: tuple[int, ...]
    rtt: float
    largest: int
    tried: tuple[int, ...]


def ask_versions(address: tuple[str, int], sizes: tuple[int, ...] = SIZES) -> Answer:
    """Ask the server at (host, port) for its versions, with datagrams of each size (RFC 9000 §6.1, §14).

    The question is a packet of a version that nobody has (§15); the answer is a Version Negotiation packet, which not
    every server sends. Blocks for about 4 seconds at most. The addresses of the host are tried in order.

    Raises TimeoutError if nobody answers, ConnectionRefusedError and other OSErrors if nobody is there, socket.gaierror
    for an unknown host.
    """
    host, port = check_address(address, lowest_port=1)
    infos = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    failure: OSError | None = None
    for family, _, _, _, remote in infos:
        try:
            udp = UdpSocket.connect(family, remote)
        except OSError as error:
            failure = failure or error
            continue
        try:
            answer = _Inquiry(udp, remote, sizes).run()
        finally:
            udp.close()
        if answer is not None:
            return answer
        failure = failure or udp.error
    raise failure or TimeoutError(f"{host} does not say which versions of QUIC it has")


class _Inquiry:
    """Datagrams sent to one address, and what came back."""

    def __init__(self, udp: UdpSocket, remote: Address, sizes: tuple[int, ...]) -> None:
        self._udp = udp
        self._remote = remote
        self._sizes = sizes
        self._asked: dict[bytes, tuple[int, float]] = {}  # by Source Connection ID: size, when
        self._answered: set[int] = set()
        self._versions: tuple[int, ...] = ()
        self._rtt = 0.0

    def run(self) -> Answer | None:
        """Ask and wait; None if there is no answer."""
        for seconds in ROUNDS:
            for size in self._sizes:
                if size not in self._answered:
                    self._ask(size)
            self._wait(seconds)
            if self._udp.error is not None and not self._answered:
                return None
        if not self._answered:
            return None
        return Answer(self._remote, self._versions, self._rtt, max(self._answered), self._sizes)

    def _ask(self, size: int) -> None:
        """One packet with a long header of a version that is reserved for this (RFC 9000 §15, RFC 8999 §5.1)."""
        version = int.from_bytes(os.urandom(4)) & 0xF0F0F0F0 | 0x0A0A0A0A
        cids = [os.urandom(_CID_LENGTH), os.urandom(_CID_LENGTH)]
        packet = bytes((_LONG_HEADER_AND_FIXED_BIT,)) + version.to_bytes(4)
        packet += b"".join(bytes((len(cid),)) + cid for cid in cids)
        self._asked[cids[1]] = size, monotonic()
        self._udp.send(Transmit(packet.ljust(size, b"\0"), size, self._remote))

    def _wait(self, seconds: float) -> None:
        until = monotonic() + seconds
        while len(self._answered) < len(self._sizes) and (left := until - monotonic()) > 0:
            select.select([self._udp], [], [], left)
            for _, datagrams, _ in self._udp.receive():
                for datagram in datagrams:
                    self._read(datagram)
            if self._udp.error is not None and not self._answered:
                return
            if self._answered:
                until = min(until, monotonic() + max(COMPANY, 2 * self._rtt))

    def _read(self, datagram: bytes) -> None:
        """An answer bears the Source Connection ID of its question (RFC 9000 §17.2.1); anything else is passed over."""
        try:
            packet = parse_long_header(datagram, 0)
        except DecodeError:
            return
        if isinstance(packet, VersionNegotiation) and packet.destination_cid in self._asked:
            size, asked_at = self._asked.pop(packet.destination_cid)
            rtt = monotonic() - asked_at
            self._rtt = min(self._rtt or rtt, rtt)
            self._answered.add(size)
            self._versions = packet.versions
