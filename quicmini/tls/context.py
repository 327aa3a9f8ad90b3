"""What a client or a server needs for any number of handshakes, loaded and encoded once."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from quicmini.crypto.keys import CIPHER_SUITES
from quicmini.tls.certificates import Credential, TrustStore
from quicmini.tls.codec import encode_u16_list
from quicmini.tls.codes import TLS_1_3, ExtensionType, NamedGroup
from quicmini.tls.extensions import Extensions, encode_protocols
from quicmini.tls.groups import GROUPS
from quicmini.tls.signatures import OFFERED_SCHEMES

__all__ = ["ClientContext", "ServerContext"]

DEFAULT_GROUPS = (NamedGroup.X25519, NamedGroup.SECP256R1, NamedGroup.SECP384R1)


@dataclass(frozen=True, kw_only=True)
class _Context:
    """alpn_protocols, cipher_suites and groups are in order of preference; ValueError if one of them cannot work."""

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
    clock: the time that certificates' validity is compared with, an aware datetime; called once for each handshake.
    """

    trust_store: TrustStore | None
    clock: Callable[[], datetime]

    @cached_property
    def hello_extensions(self) -> Extensions:
        """The extensions that every ClientHello of this context shares."""
        return {
            ExtensionType.SUPPORTED_VERSIONS: encode_u16_list(1, (TLS_1_3,)),
            ExtensionType.SUPPORTED_GROUPS: encode_u16_list(2, self.groups),
            ExtensionType.SIGNATURE_ALGORITHMS: encode_u16_list(2, OFFERED_SCHEMES),
            ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION: encode_protocols(self.protocols),
        }


@dataclass(frozen=True, kw_only=True)
class ServerContext(_Context):
    """For any number of clients."""

    credential: Credential
