"""TLS and QUIC's part of the handshake: CRYPTO bytes, keys, transport parameters, confirmation (RFC 9001 §4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from quicmini.connection import early_data
from quicmini.connection.core import Core
from quicmini.connection.events import HandshakeCompleted, HandshakeConfirmed
from quicmini.connection.first_flight import begin_again
from quicmini.connection.keylog import log_secrets
from quicmini.connection.spaces import LEVELS, PACKET_TYPES
from quicmini.connection.state import ConnectionState
from quicmini.connection.version_negotiation import check_servers_version
from quicmini.crypto.keys import EncryptionLevel
from quicmini.crypto.protection import Opener, Sealer
from quicmini.errors import TransportError, TransportErrorCode
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.tls.events import (
    CryptoData,
    EarlyDataDecided,
    HandshakeComplete,
    KeysReady,
    PeerTransportParameters,
    SessionTicket,
    TlsEvent,
)
from quicmini.tls.session import Session
from quicmini.wire.frames import Crypto, HandshakeDone, NewConnectionId, NewToken
from quicmini.wire.transport_parameters import TransportParameters, parse_transport_parameters

__all__ = ["Handshake", "Tls"]

_SPACES = {level: space for space, level in LEVELS.items()}


class Tls(Protocol):
    """What both roles of `quicmini.tls` offer.

    client_random: the ClientHello's, once there is one. version: that of the connection, to which sessions belong.
    """

    client_random: bytes
    version: int

    def receive(self, level: EncryptionLevel, data: bytes) -> None: ...
    def events(self) -> list[TlsEvent]: ...


class Handshake:
    """Feeds TLS, and does what TLS says."""

    __slots__ = ("_core", "_make_tls", "_peer_cid_limit", "_tls", "complete", "confirmed", "expected_source_cid",
                 "result", "session")  # fmt: skip

    def __init__(self, core: Core, make_tls: Callable[[], Tls]) -> None:
        self._core = core
        self._make_tls = make_tls
        self._tls = make_tls()
        self._peer_cid_limit = 0
        self.complete = False
        self.confirmed = False
        self.result: HandshakeComplete | None = None
        self.session: Session | None = None  # the newest: a server may send any number of tickets
        # What the peer's initial_source_connection_id must be: the Source Connection ID of its first packet.
        self.expected_source_cid: bytes | None = None

    def begin_again(self, version: int, now: float) -> None:
        """Client: a new first flight, in another version (RFC 9368 §2.1)."""
        begin_again(self._core, version)
        early_data.refuse(self._core)
        self._tls = self._make_tls()
        self.follow_tls(now)

    def on_crypto(self, space: PacketNumberSpace, frame: Crypto, now: float) -> None:
        """A CRYPTO frame of the peer: what is in order goes to TLS (RFC 9001 §4.1.3)."""
        if not self._core.lifecycle.alive:
            return  # it stands behind a CONNECTION_CLOSE: TLS must not bring the connection back to life
        data = self._core.spaces[space].crypto.receive(frame)
        if data:
            if self._core.is_client:  # what TLS of a server says comes in the negotiated version (RFC 9369 §4.1)
                self._core.versions.settled = True
            self._tls.receive(LEVELS[space], data)
            self.follow_tls(now)

    def follow_tls(self, now: float) -> None:
        """Do what TLS has decided since the last call."""
        for event in self._tls.events():
            match event:
                case CryptoData(level, data):
                    self._core.spaces[_SPACES[level]].crypto.send(data)
                    if not self._core.is_client:
                        self._core.versions.settled = True
                case KeysReady():
                    self._install_keys(event)
                case PeerTransportParameters(data):
                    self._apply_parameters(data)
                case EarlyDataDecided(accepted):
                    early_data.decide(self._core, accepted)
                case HandshakeComplete():
                    self._on_complete(event, now)
                case SessionTicket(session):
                    self.session = session

    def _install_keys(self, keys: KeysReady) -> None:
        core = self._core
        if core.keylog is not None:
            log_secrets(core.keylog, keys, self._tls.client_random, is_client=core.is_client)
        if keys.level is EncryptionLevel.ZERO_RTT:
            early_data.install_keys(core, keys)
            return
        space = core.spaces[_SPACES[keys.level]]
        if keys.receive_secret is not None:
            for earlier in core.spaces[: space.number]:
                earlier.crypto.finish()
        if keys.send_secret is not None:
            space.sealer = Sealer(keys.suite, keys.send_secret, core.version)
            space.packet_type = PACKET_TYPES[space.number]
        if keys.receive_secret is not None:
            space.opener = Opener(keys.suite, keys.receive_secret, core.version)
        if keys.level is EncryptionLevel.HANDSHAKE:
            core.recovery.has_handshake_keys = True

    def _apply_parameters(self, data: bytes) -> None:
        core = self._core
        # A server has read them already, to choose the version.
        parameters = core.peer_parameters or parse_transport_parameters(data, from_client=not core.is_client)
        core.peer_parameters = parameters
        self._tls.version = core.version  # it is negotiated by now
        self._check_cids(parameters)
        if core.is_client:
            check_servers_version(core, parameters)
        self._peer_cid_limit = parameters.active_connection_id_limit
        core.idle.negotiate(parameters.max_idle_timeout / 1000)
        core.recovery.max_ack_delay = parameters.max_ack_delay / 1000
        core.recovery.ack_delay_exponent = parameters.ack_delay_exponent
        core.mtu.limit(parameters.max_udp_payload_size)
        core.datagram_size = min(core.datagram_size, parameters.max_udp_payload_size)
        if parameters.stateless_reset_token is not None:
            core.remote_cids.set_reset_token(parameters.stateless_reset_token)
        if (preferred := parameters.preferred_address) is not None:
            # Wherever the client will be, the ID is one of the server's, and has number 1 (RFC 9000 §5.1.1).
            frame = NewConnectionId(1, 0, preferred.connection_id, preferred.stateless_reset_token)
            core.remote_cids.on_new(frame)
        core.quic_bit.greased = parameters.grease_quic_bit
        core.datagrams.remote_limit = parameters.max_datagram_frame_size
        early_data.apply_limits(core, parameters)

    def _check_cids(self, parameters: TransportParameters) -> None:
        """The connection IDs of the handshake are authenticated after the fact (RFC 9000 §7.3)."""
        core = self._core
        expected = {"initial_source_connection_id": self.expected_source_cid}
        if core.is_client:
            expected["original_destination_connection_id"] = core.original_destination_cid
            expected["retry_source_connection_id"] = core.retry_source_cid
        for name, value in expected.items():
            if getattr(parameters, name) != value:
                raise TransportError(
                    TransportErrorCode.TRANSPORT_PARAMETER_ERROR, f"{name} is not what the packets said", 0x06
                )

    def _on_complete(self, result: HandshakeComplete, now: float) -> None:
        core = self._core
        self.complete = True
        self.result = result
        core.lifecycle.state = ConnectionState.CONNECTED
        core.idle.on_handshake_complete()
        core.stats.handshake_time = now - core.created
        core.events.append(HandshakeCompleted(result.alpn_protocol))
        if not core.is_client:
            # The server confirms at once, and tells the client (RFC 9001 §4.1.2).
            core.streams.control.request(HandshakeDone().encode)
            early_data.end_reading(core, now)
            self.offer_token()
            self.confirm()

    def offer_token(self) -> None:
        """Server: a token for the client's present address (RFC 9000 §8.1.3)."""
        if self._core.tokens is not None:
            self._core.streams.control.request(self._new_token_frame)

    def _new_token_frame(self) -> bytes | None:
        """Proves the client's address when it comes back (RFC 9000 §8.1.3)."""
        core = self._core
        return (
            NewToken(core.tokens.for_later(core.path.remote, core.version, core.now)).encode() if core.tokens else None
        )

    def confirm(self) -> None:
        """The handshake is confirmed: its keys are of no use any more (RFC 9001 §4.1.2, §4.9.2)."""
        if not self.confirmed:
            self.confirmed = True
            self._core.recovery.handshake_confirmed = True
            self._core.recovery.peer_completed_address_validation = True
            # Nobody may change the path earlier (RFC 9000 §9). A client needs the server's IDs to do it; a server can
            # wait for the client's until something else comes of it, which may be the end.
            self._core.local_cids.supply(self._peer_cid_limit, at_once=not self._core.is_client)
            self._core.key_phases.start(self._core.now)
            self._core.mtu.start(self._core.now)
            if self._core.is_client:
                self._core.events.append(HandshakeConfirmed())
            self._core.discard_space(PacketNumberSpace.INITIAL)
            self._core.discard_space(PacketNumberSpace.HANDSHAKE)
