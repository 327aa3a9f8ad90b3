"""What a client or a server needs for any number of handshakes, loaded and encoded once."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from quicmini.crypto.keys import CIPHER_SUITES
from quicmini.crypto.tokens import TicketKeys
from quicmini.tls.certificates import Credential, TrustStore
from quicmini.tls.codec import encode_u16_list
from quicmini.tls.codes import TLS_1_3, ExtensionType, NamedGroup
from quicmini.tls.extensions import Extensions, encode_protocols
from quicmini.tls.groups import GROUPS, OPTIONAL_GROUPS
from quicmini.tls.messages import CertificateRequest
from quicmini.tls.pins import FINGERPRINT, pinned_server_key
from quicmini.tls.psk import ONLY_WITH_KEY_SHARES
from quicmini.tls.replay import ReplayGuard
from quicmini.tls.signatures import OFFERED_SCHEMES
from quicmini.tls.verification import ServerName, authenticated_key, parse_certificate, public_key

__all__ = ["ClientContext", "ServerContext", "protocol_names"]

# All randomness of these comes from what is handed in, so that a handshake can be repeated. What programs get is
# `Config.groups`, which begins with X25519MLKEM768.
DEFAULT_GROUPS = (NamedGroup.X25519, NamedGroup.SECP256R1, NamedGroup.SECP384R1)


def protocol_names(alpn_protocols: Iterable[str]) -> tuple[str, ...]:
    """The protocols, one by one. Raises TypeError for one string, whose letters are none, for bytes, and for None."""
    is_list = isinstance(alpn_protocols, Iterable) and not isinstance(alpn_protocols, str)
    names = tuple(alpn_protocols) if is_list else ()
    if not is_list or not all(isinstance(name, str) for name in names):
        raise TypeError(f"alpn_protocols must be a list of strings (got {alpn_protocols!r})")
    return names


@dataclass(frozen=True, kw_only=True)
class _Context:
    """alpn_protocols, cipher_suites and groups are in order of preference; ValueError if one of them cannot work.

    A group that this project knows but the installation lacks (ML-KEM) is passed over.
    """

    alpn_protocols: tuple[str, ...]
    cipher_suites: tuple[int, ...] = tuple(CIPHER_SUITES)
    groups: tuple[int, ...] = DEFAULT_GROUPS

    def __post_init__(self) -> None:
        if not self.alpn_protocols:
            raise ValueError("alpn_protocols must name at least one protocol (RFC 9001 §8.1)")
        for protocol in self.protocols:
            if not 1 <= len(protocol) <= 255:
                raise ValueError(f"an ALPN protocol has 1 to 255 bytes (got {len(protocol)})")
        _require_known("cipher suite", self.cipher_suites, CIPHER_SUITES)
        usable = tuple(code for code in self.groups if code in GROUPS or code not in OPTIONAL_GROUPS)
        object.__setattr__(self, "groups", usable)
        _require_known("group", self.groups, GROUPS)

    @cached_property
    def protocols(self) -> dict[bytes, str]:
        """The ALPN protocols by their names on the wire."""
        return {protocol.encode(): protocol for protocol in self.alpn_protocols}


def _require_known(what: str, codes: tuple[int, ...], known: Container[int]) -> None:
    if not codes:
        raise ValueError(f"at least one {what} is needed")
    for code in codes:
        if code not in known:
            raise ValueError(f"{what} {code:#06x} is not implemented")


@dataclass(frozen=True, kw_only=True)
class ClientContext(_Context):
    """For connections to any number of servers.

    trust_store: whom to believe; None: any certificate will do (its signature is verified all the same).
    pinned_key: the `key_fingerprint` of the only key that a server may have; certificates are then not verified.
    clock: the time that certificates' validity and tickets' ages are compared with, an aware datetime.
    credential: whom to be for servers that ask for a certificate; None: nobody.
    """

    trust_store: TrustStore | None
    clock: Callable[[], datetime]
    credential: Credential | None = None
    pinned_key: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pinned_key is not None and not FINGERPRINT.fullmatch(self.pinned_key):
            raise ValueError(f"a pinned key is the fingerprint of one: SHA256:… (got {self.pinned_key!r})")

    def authenticated_key(self, chain: tuple[bytes, ...], server_name: ServerName | None) -> PublicKeyTypes:
        """The public key of the server that shows this chain (DER, its own certificate first), if this side believes
        it. Raises HandshakeError naming the check that failed."""
        if self.pinned_key is not None:
            return pinned_server_key(chain[0], self.pinned_key)
        if self.trust_store is not None and server_name is not None:
            return authenticated_key(chain, server_name, self.trust_store, self.clock())
        return public_key(parse_certificate(chain[0]))

    @cached_property
    def groups_with_shares(self) -> tuple[int, ...]:
        """The groups that a ClientHello brings a key share for; a server that wants another asks for it.

        The preferred one, and if many servers lack it, the best of the others, which spares them and us a round trip.
        """
        common = [code for code in self.groups if code not in OPTIONAL_GROUPS]
        return tuple(dict.fromkeys((self.groups[0], *common[:1])))

    @cached_property
    def hello_extensions(self) -> Extensions:
        """The extensions that every ClientHello of this context shares."""
        return {
            ExtensionType.SUPPORTED_VERSIONS: encode_u16_list(1, (TLS_1_3,)),
            ExtensionType.SUPPORTED_GROUPS: encode_u16_list(2, self.groups),
            ExtensionType.SIGNATURE_ALGORITHMS: encode_u16_list(2, OFFERED_SCHEMES),
            ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION: encode_protocols(self.protocols),
            ExtensionType.PSK_KEY_EXCHANGE_MODES: ONLY_WITH_KEY_SHARES,
        }


def _no_clock() -> datetime:
    raise RuntimeError("this context has no clock")


@dataclass(frozen=True, kw_only=True)
class ServerContext(_Context):
    """For any number of clients.

    ticket_keys: what session tickets are sealed with; None: no resumption. session_tickets: how many each client gets.
    early_data: whether a client that resumes may send 0-RTT data, which somebody may replay (RFC 9001 §9.2).
    replay_guard: recognises such replays. client_trust_store: ask each client for a certificate, and believe only
    these authorities; None: clients may be anybody. clock: as a client's; needed for tickets and for clients'
    certificates (ValueError without it).
    """

    credential: Credential
    ticket_keys: TicketKeys | None = None
    session_tickets: int = 1
    early_data: bool = False
    replay_guard: ReplayGuard = field(default_factory=ReplayGuard)
    client_trust_store: TrustStore | None = None
    clock: Callable[[], datetime] = _no_clock

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.clock is _no_clock and (self.ticket_keys is not None or self.client_trust_store is not None):
            raise ValueError("session tickets and client certificates need a clock")

    @cached_property
    def certificate_request(self) -> bytes:
        """What asks each client for a certificate; empty if clients may be anybody."""
        if self.client_trust_store is None:
            return b""
        return CertificateRequest(
            b"", {ExtensionType.SIGNATURE_ALGORITHMS: encode_u16_list(2, OFFERED_SCHEMES)}
        ).encode()

    def now(self) -> float:
        """Seconds since 1970."""
        return self.clock().timestamp()
