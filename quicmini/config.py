"""What a user of the library can choose for a connection; the defaults suit most programs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from typing import Protocol

__all__ = ["KNOWN_VERSIONS", "MAX_CONCURRENT_STREAMS", "Capture", "Config", "Keylog", "MakeObserver", "Observer"]

KIB = 1024
MIB = 1024 * KIB

# Streams of one type that a peer may be allowed at once. The RFC's bound is 2**60 (RFC 9000 §4.6); but a frame for a
# stream opens all below it (§3.2), so that the allowance is also the work that one frame can cause.
MAX_CONCURRENT_STREAMS = 65_536

# The versions of QUIC that this project speaks: RFC 9000 and RFC 9369.
KNOWN_VERSIONS = (0x00000001, 0x6B3343CF)

# Called with a label, the ClientHello's Random, and the secret.
Keylog = Callable[[str, bytes, bytes], None]

# Called with the time (seconds of the connection's clock) and one of `quicmini.connection.occurrences`.
Observer = Callable[[float, object], None]

# Called with the original Destination Connection ID, and whether this side is the client.
MakeObserver = Callable[[bytes, bool], Observer]


class Capture(Protocol):
    """What is told each datagram, and the secrets to open them with. Called with locks held: it must not block."""

    def keylog(self, *, is_client: bool) -> Keylog:
        """Whom to tell the secrets of what one call of `connect` or `listen` makes."""
        ...

    def add(
        self,
        time: int,
        datagrams: Sequence[bytes],
        source: tuple[str, int],
        destination: tuple[str, int],
        ecn: int,
        *,
        is_sent: bool,
    ) -> None:
        """Datagrams that left together, or arrived together; time: nanoseconds since 1970, ecn: their IP headers'."""
        ...


# Tickets for each client: one for each of the next connections, so that nobody can tell that they belong together.
MAX_SESSION_TICKETS = 16

TICKET_KEY_LENGTH = 32  # bytes: AES-256

# Seconds: in milliseconds it must be a variable-length integer (RFC 9000 §18.2).
MAX_IDLE_TIMEOUT = (2**62 - 1) // 1000

# What values may be, by the type of the field's default; and those of the fields whose default is None.
_KINDS: dict[type, tuple[type, ...]] = {bool: (bool,), int: (int,), float: (int, float), tuple: (tuple,)}
_OPTIONAL: dict[str, tuple[type, ...]] = {
    "keep_alive_interval": (int, float),
    "initial_version": (int,),
    "stateless_reset_key": (bytes,),
    "preferred_address": (tuple,),
}
# What must be there to call in the fields that have something called, and what is said if it is not.
_CALLED = {"keylog": "__call__", "observer": "__call__", "capture": "add"}
_WANTED = {"keylog": "Callable", "observer": "Callable", "capture": "Capture"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Settings of a connection. Times are in seconds, sizes in bytes. Raises ValueError for what cannot work, TypeError
    for what is of another type.

    idle_timeout: silence after which the connection is given up; the smaller of both sides' counts; 0: never
        (RFC 9000 §10.1).
    keep_alive_interval: send a PING after this much silence, never later than half the negotiated idle timeout;
        None: no keep-alive (RFC 9000 §10.1.2).
    max_data, max_stream_data: how much a peer may send beyond what the application has read, on the connection and
        on each stream (RFC 9000 §4.1).
    max_streams_bidi, max_streams_uni: how many streams of each type a peer may have open at once (RFC 9000 §4.6).
    max_datagram_size: the size of the datagrams sent, 1200 or more (RFC 9000 §14).
    path_mtu_discovery: find out whether the path carries larger ones, and use them (RFC 9000 §14.3).
    max_datagram_frame_size: the largest DATAGRAM frame that a peer may send; 0: none (RFC 9221 §3).
    ecn: mark what is sent as able to be marked by routers instead of dropped, where that works (RFC 9000 §13.4).
    send_buffer_size: how much `sendall` holds for a stream before it blocks: unsent and unacknowledged bytes.
    send_buffer_total: how much all streams of a connection hold together; beyond that each may still hold 16 KiB.
    initial_rtt: the round-trip time assumed before the first measurement (RFC 9002 §6.2.2).
    cipher_suites, groups: TLS code points in order of preference (RFC 9846 §B.4, §4.3.7). The first group,
        X25519MLKEM768, is passed over where the `cryptography` package does not offer ML-KEM.
    session_tickets: how many tickets a server gives each client, to resume its session with (RFC 9846 §4.7.1).
    early_data: a server lets clients that resume a session send data with their first flight, which saves a round trip.
        Such data may be a replay (RFC 9001 §9.2): see `Stream.early_data`.
    retry: a server has every client prove its address first: costs a round trip, and keeps floods from forged addresses
        from costing state (RFC 9000 §8.1.2).
    versions: QUIC version numbers in order of preference. A server answers in the first of them that the client offers
        as well (RFC 9368 §2.3).
    initial_version: what a client begins with; None: the first of `versions`.
    max_pending: how many connections a listener holds that nobody has accepted yet.
    stateless_reset_key: 16 or more secret bytes from which a server that was restarted, or another server of the same
        address, can tell peers that their connections are lost; None: made anew by each endpoint (RFC 9000 §10.3.2).
    ticket_keys: 32 secret bytes each, by which a server that was restarted resumes what the one before it began: the
        first seals session tickets and address validation tokens, all of them open them. Whoever hands them in changes
        them from time to time, with `Listener.replace_ticket_keys`. Early data that came with an older ticket is
        refused for a while after the start, as it may be a replay of what the earlier process took; servers that run
        at the same time must not share their keys if they take early data (RFC 9846 §8.2). Empty: each listener makes
        its own, and changes them daily.
    disable_active_migration: a server asks its clients not to move to other addresses (RFC 9000 §18.2).
    preferred_address: the IP address and port to which a server asks its clients to move, and where it listens as well
        (RFC 9000 §9.6). follow_preferred_address: a client moves there, if that works.
    keylog: is told each connection's traffic secrets, to decrypt captures with: `quicmini.observe.keylog.KeyLog`
        writes them to a file. Called with a lock held: it must not block, nor raise. None: nobody is told.
    observer: makes, for each connection, what is told all that happens on it: `quicmini.observe.qlog.Qlog` has a file
        written for each. Called with a lock held: it must not block. None: nobody is told, and nothing gets slower.
    capture: is told each datagram and the secrets to open it: `quicmini.observe.pcapng.PcapNg` writes a file that
        Wireshark opens. None: nobody is told, and nothing gets slower.
    """

    idle_timeout: float = 30.0
    keep_alive_interval: float | None = None
    max_data: int = 3 * MIB
    max_stream_data: int = 2 * MIB
    max_streams_bidi: int = 128
    max_streams_uni: int = 128
    max_datagram_size: int = 1200
    path_mtu_discovery: bool = True
    max_datagram_frame_size: int = 65_535
    ecn: bool = True
    send_buffer_size: int = 1 * MIB
    send_buffer_total: int = 16 * MIB
    initial_rtt: float = 0.333
    cipher_suites: tuple[int, ...] = (0x1301, 0x1302, 0x1303)
    groups: tuple[int, ...] = (0x11EC, 0x001D, 0x0017, 0x0018)
    session_tickets: int = 1
    early_data: bool = False
    retry: bool = False
    versions: tuple[int, ...] = KNOWN_VERSIONS
    initial_version: int | None = None
    max_pending: int = 128
    stateless_reset_key: bytes | None = field(default=None, repr=False)
    ticket_keys: tuple[bytes, ...] = field(default=(), repr=False)
    disable_active_migration: bool = False
    preferred_address: tuple[str, int] | None = None
    follow_preferred_address: bool = True
    keylog: Keylog | None = None
    observer: MakeObserver | None = None
    capture: Capture | None = None

    def __post_init__(self) -> None:
        self._check_types()
        limit = MAX_IDLE_TIMEOUT
        _require(0 <= self.idle_timeout <= limit, f"idle_timeout must be 0 to {limit} seconds", self.idle_timeout)
        if self.keep_alive_interval is not None:
            _require(self.keep_alive_interval > 0, "keep_alive_interval must be above 0", self.keep_alive_interval)
        for name in ("max_data", "max_stream_data"):
            _require(0 <= getattr(self, name) < 2**62, f"{name} must be 0 to 2**62-1 bytes", getattr(self, name))
        for name in ("max_streams_bidi", "max_streams_uni"):
            most = MAX_CONCURRENT_STREAMS
            _require(0 <= getattr(self, name) <= most, f"{name} must be 0 to {most}", getattr(self, name))
        _require(1200 <= self.max_datagram_size <= 65527, "max_datagram_size: 1200 to 65527", self.max_datagram_size)
        limit = self.max_datagram_frame_size
        _require(0 <= limit <= 65535, "max_datagram_frame_size must be 0 to 65535 bytes", limit)
        for name in ("send_buffer_size", "send_buffer_total"):
            _require(getattr(self, name) > 0, f"{name} must be above 0 bytes", getattr(self, name))
        works = self.initial_rtt > 0 and math.isfinite(self.initial_rtt)
        _require(works, "initial_rtt must be above 0 seconds, and finite", self.initial_rtt)
        for name in ("cipher_suites", "groups"):
            codes = getattr(self, name)
            works = bool(codes) and all(isinstance(code, int) for code in codes)
            _require(works, f"{name} must be numbers, at least one", codes)
        _require(
            0 <= self.session_tickets <= MAX_SESSION_TICKETS,
            f"session_tickets must be 0 to {MAX_SESSION_TICKETS}",
            self.session_tickets,
        )
        known = bool(self.versions) and set(self.versions) <= set(KNOWN_VERSIONS)
        _require(known, "versions must be some of those that are known", self.versions)
        known = self.initial_version is None or self.initial_version in self.versions
        _require(known, "initial_version must be one of versions", self.initial_version)
        _require(self.max_pending > 0, "max_pending must be above 0", self.max_pending)
        if self.preferred_address is not None:
            works = _can_be_preferred(self.preferred_address)
            _require(works, "preferred_address must be an IP address and a port", self.preferred_address)
        if self.stateless_reset_key is not None:
            length = len(self.stateless_reset_key)
            _require(length >= 16, "stateless_reset_key must have 16 bytes or more", length)
        works = all(isinstance(key, bytes) and len(key) == TICKET_KEY_LENGTH for key in self.ticket_keys)
        _require(works, f"ticket_keys must have {TICKET_KEY_LENGTH} bytes each", [*map(_length, self.ticket_keys)])

    def _check_types(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            kinds = _OPTIONAL.get(item.name) or _KINDS.get(type(item.default))
            if value is item.default or (item.name in _CALLED and callable(getattr(value, _CALLED[item.name], None))):
                continue
            if kinds is None or not isinstance(value, kinds):
                wanted = " or ".join(kind.__name__ for kind in kinds) if kinds else _WANTED[item.name]
                raise TypeError(f"{item.name} must be of type {wanted} (got {value!r})")


def _can_be_preferred(address: tuple[str, int]) -> bool:
    try:
        host, port = address
        return 0 < port < 65536 and not ip_address(host).is_unspecified
    except (TypeError, ValueError):
        return False


def _length(key: object) -> object:
    """What can be told of a secret key that is wrong."""
    return len(key) if isinstance(key, bytes) else type(key).__name__


def _require(condition: bool, sentence: str, value: object) -> None:
    if not condition:
        raise ValueError(f"{sentence} (got {value!r})")
