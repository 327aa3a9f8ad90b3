"""One UDP socket that moves bursts of datagrams: many for each system call where the kernel can (UDP_SEGMENT, UDP_GRO).

A system call for each packet costs about 5 µs, a segment of a burst 0.3 µs. What the kernel lacks is found out at run
time, once when the socket is made and again whenever a send fails; plain sends are always the way out.
"""

from __future__ import annotations

import errno
import logging
import socket
import sys
from typing import Any

from quicmini.connection.state import Address, Transmit
from quicmini.recovery.acks import ECT_0
from quicmini.sync.controls import (
    CONTROL_SPACE,
    SOL_UDP,
    UDP_GRO,
    UDP_SEGMENT,
    Control,
    ask_for_ecn,
    ask_for_local_address,
    ecn_controls,
    mark_by_default,
    parse_controls,
    segment_control,
)

__all__ = ["UdpSocket"]

logger = logging.getLogger("quicmini")

# <linux/in.h>, <linux/in6.h>. PROBE: set "don't fragment" and ignore the kernel's own guess of the path MTU.
IP_MTU_DISCOVER = 10
IPV6_MTU_DISCOVER = 23
PMTUDISC_PROBE = 3
# Linux: beyond the administrator's limit, for a privileged process.
SO_SNDBUFFORCE = 32
SO_RCVBUFFORCE = 33

MAX_SEGMENTS = 64  # UDP_MAX_SEGMENTS of Linux before 6.9
MAX_BURST = 65_507  # bytes: the largest UDP payload over IPv4
MAX_DATAGRAM = 65_535  # bytes: receive buffer for one datagram, or for one burst that GRO put together
SHORT = 1200  # bytes: whoever has more to say sends longer datagrams (RFC 9000 §14.1)
MAX_BATCH = 512 * 1024  # bytes taken at once, …
MAX_RECEIVES = 64  # … in so many system calls: acknowledgements and timers must not wait for ever
SOCKET_BUFFER = 4 * 1024 * 1024  # bytes: more than a connection's receive window, so that bursts are not dropped

# A burst that failed with one of these is sent again datagram by datagram; with the lasting ones GSO is given up.
GSO_LASTING = frozenset({errno.EIO, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOPROTOOPT})
GSO_ERRORS = GSO_LASTING | {errno.EMSGSIZE}
# What ICMP says about the peer of a connected socket; the error is reported by whichever call comes next.
ICMP_ERRORS = frozenset({errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN})
# Errors that will come again, unlike a full queue (ENOBUFS) or a datagram that was too large (EMSGSIZE).
UNREACHABLE = ICMP_ERRORS | {errno.EACCES, errno.EPERM, errno.EADDRNOTAVAIL}


class UdpSocket:
    """A non-blocking UDP socket.

    gso, gro: whether bursts are sent and received. local_address: (host, port). error: the last sign that the peer
    cannot be reached, for the owner to take (set it to None); for the connection it is loss like any other.
    On a socket that is bound to all of the host's addresses, a source has the one that was used as its last item, and
    what is sent to it comes from there: the peer would not know another address of this host.
    """

    def __init__(self, sock: socket.socket, *, connected: bool) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._connected = connected
        self._segment_controls: dict[int, Control] = {}
        self._mark = ECT_0 if mark_by_default(sock, ECT_0) else 0
        self._unmarked = ecn_controls(sock.family, 0)
        ask_for_ecn(sock)
        self.gso = _supports_gso(sock)
        self.gro = _try_option(sock, SOL_UDP, UDP_GRO, 1)
        self.error: OSError | None = None
        self.local_address: tuple[str, int] = sock.getsockname()[:2]
        if self.local_address[0] in ("0.0.0.0", "::"):
            ask_for_local_address(sock)
        _forbid_fragments(sock)
        _enlarge_buffers(sock)

    @property
    def remote_address(self) -> Address:
        """Where a connected socket is connected to, in the form in which `receive` names sources."""
        address: Address = self._sock.getpeername()
        return address

    @classmethod
    def bind(cls, family: int, address: Address) -> UdpSocket:
        """A socket for a listener; "::" takes IPv4 too. OSError (EADDRINUSE, EACCES, …) if it cannot."""
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            if family == socket.AF_INET6:
                _try_option(sock, socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            sock.bind(address)
            return cls(sock, connected=False)
        except BaseException:
            sock.close()
            raise

    @classmethod
    def connect(cls, family: int, address: Address, local: Address | None = None) -> UdpSocket:
        """A socket for a client: connected, so that the kernel drops what others send and reports ICMP errors.

        local: the address to send from; None: the system chooses.
        """
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            if local is not None:
                sock.bind(local)
            sock.connect(address)
            return cls(sock, connected=True)
        except BaseException:
            sock.close()
            raise

    def fileno(self) -> int:
        return self._sock.fileno()

    def close(self) -> None:
        self._sock.close()

    def receive(self, caught: bool = False) -> list[tuple[Address, list[bytes], int]]:
        """What has arrived, in order, by source and ECN field; never blocks, and takes a bounded amount at once.

        caught: the socket was empty a moment ago. Then a datagram that its sender could have filled further most likely
        came alone, and is not worth a second system call; if it did not, the next call takes all that is there.
        """
        batch: list[tuple[Address, list[bytes], int]] = []
        recvmsg = self._sock.recvmsg
        last: Address | None = None
        last_ecn = 0
        room = MAX_BATCH
        for _ in range(MAX_RECEIVES):
            try:
                data, control, _flags, source = recvmsg(MAX_DATAGRAM, CONTROL_SPACE)
            except BlockingIOError:
                break
            except OSError as error:
                self._note(error)
                continue
            room -= len(data)
            datagrams = [data]
            ecn = 0
            if control:
                size, answer, ecn = parse_controls(control)
                if 0 < size < len(data):
                    datagrams = [data[i : i + size] for i in range(0, len(data), size)]
                if answer is not None:
                    source = (*source, answer)
            if source == last and ecn == last_ecn:
                batch[-1][1].extend(datagrams)
            else:
                batch.append((source, datagrams, ecn))
                last, last_ecn = source, ecn
            if room <= 0 or (caught and len(data) < SHORT):
                break
        return batch

    def send(self, transmit: Transmit) -> Transmit | None:
        """Sends without blocking. Returns the part that the socket has no room for now, None when everything has gone.

        Whatever fails for another reason counts as lost, and is noted in `error`.
        """
        payload, segment_size, destination, ecn, _ = transmit
        size = len(payload)
        burst = segment_size
        if size > segment_size and self.gso:
            burst *= min(MAX_SEGMENTS, MAX_BURST // segment_size) or 1
        for start in range(0, size, burst):
            piece = payload if size <= burst else payload[start : start + burst]
            try:
                self._send_piece(piece, segment_size, destination, ecn)
            except BlockingIOError:
                return transmit._replace(payload=payload[start:])
            except OSError as error:
                if len(piece) > segment_size and error.errno in GSO_ERRORS:
                    return self._send_plainly(transmit._replace(payload=payload[start:]), error)
                self._note(error)
        return None

    def _send_plainly(self, transmit: Transmit, error: OSError) -> Transmit | None:
        """Sends a burst that the kernel would not segment, datagram by datagram."""
        logger.debug("UDP_SEGMENT failed (%s): sending datagram by datagram", error)
        self.gso = False
        rest = self.send(transmit)
        # EMSGSIZE blames the size of the datagrams, not the mechanism.
        self.gso = error.errno not in GSO_LASTING
        return rest

    def _send_piece(self, piece: bytes, segment_size: int, destination: Address, ecn: int) -> None:
        try:
            self._sendmsg(piece, segment_size, destination, ecn)
        except OSError as error:
            if error.errno not in ICMP_ERRORS or not self._connected:
                raise
            # The error of an earlier datagram, reported instead of sending this one.
            self._note(error)
            self._sendmsg(piece, segment_size, destination, ecn)

    def _sendmsg(self, piece: bytes, segment_size: int, destination: Address, ecn: int) -> None:
        control: tuple[Control, ...] = ()
        if len(piece) > segment_size:
            control = (self._segment_control(segment_size),)
        if not ecn and self._mark:
            control += self._unmarked
        if self._connected:
            if control:
                self._sock.sendmsg((piece,), control)
            else:
                self._sock.send(piece)
        elif type(destination[-1]) is tuple:
            self._sock.sendmsg((piece,), (*control, destination[-1]), 0, destination[:-1])
        elif control:
            self._sock.sendmsg((piece,), control, 0, destination)
        else:
            self._sock.sendto(piece, destination)

    def _segment_control(self, size: int) -> Control:
        control = self._segment_controls.get(size)
        if control is None:
            # A connection uses few sizes, but a listener has many connections.
            if len(self._segment_controls) >= 64:
                self._segment_controls.clear()
            control = self._segment_controls[size] = segment_control(size)
        return control

    def _note(self, error: OSError) -> None:
        logger.debug("UDP socket %s: %s", self.local_address, error)
        if error.errno in UNREACHABLE:
            self.error = error


def _supports_gso(sock: socket.socket) -> bool:
    try:
        sock.getsockopt(SOL_UDP, UDP_SEGMENT)
    except OSError:
        return False
    return sys.platform == "linux"


def _try_option(sock: socket.socket, level: int, option: int, value: int) -> bool:
    try:
        sock.setsockopt(level, option, value)
    except OSError:
        return False
    return True


def _forbid_fragments(sock: socket.socket) -> None:
    """QUIC datagrams must not be fragmented (RFC 9000 §14)."""
    if sys.platform == "linux":
        _try_option(sock, socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_PROBE)
        if sock.family == socket.AF_INET6:
            _try_option(sock, socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_PROBE)


def _enlarge_buffers(sock: socket.socket) -> None:
    """Best effort: an unprivileged process gets what the administrator allows."""
    options: list[tuple[Any, Any]] = [(SO_RCVBUFFORCE, socket.SO_RCVBUF), (SO_SNDBUFFORCE, socket.SO_SNDBUF)]
    for forced, plain in options:
        if not (sys.platform == "linux" and _try_option(sock, socket.SOL_SOCKET, forced, SOCKET_BUFFER)):
            _try_option(sock, socket.SOL_SOCKET, plain, SOCKET_BUFFER)
