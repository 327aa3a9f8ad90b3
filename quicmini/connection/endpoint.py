"""Which connection a datagram belongs to, and what to say to those that belong to none (RFC 9000 §5.2, §6, §10.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import NamedTuple, TypeGuard

from quicmini.config import Config
from quicmini.connection.address_tokens import AddressProof, AddressTokens
from quicmini.connection.cids import ACTIVE_CONNECTION_ID_LIMIT, LOCAL_CID_LENGTH, LocalCids
from quicmini.connection.connection import Connection
from quicmini.connection.core import Core
from quicmini.connection.early_data import accept_ticket
from quicmini.connection.early_state import EarlyData
from quicmini.connection.issuer import CidIssuer
from quicmini.connection.overtaken import Overtaken
from quicmini.connection.receive import MIN_INITIAL_SIZE
from quicmini.connection.reset import StatelessResets
from quicmini.connection.state import Address, Transmit
from quicmini.connection.stateless import refusal, retry
from quicmini.connection.version_negotiation import server_parameters, version_information
from quicmini.connection.watched import make_connection
from quicmini.crypto.protection import Opener, initial_protection
from quicmini.errors import DecodeError, TransportError, TransportErrorCode
from quicmini.tls.certificates import Credential, TrustStore
from quicmini.tls.client import TlsClient
from quicmini.tls.context import ClientContext, ServerContext
from quicmini.tls.groups import Random
from quicmini.tls.server import TlsServer
from quicmini.tls.session import Session
from quicmini.wire.packet import (
    LongHeader,
    PacketType,
    UnknownVersion,
    decode_packet_number,
    encode_version_negotiation,
    parse_long_header,
)
from quicmini.wire.transport_parameters import (
    DISABLE_ACTIVE_MIGRATION,
    INITIAL_SOURCE_CONNECTION_ID,
    ORIGINAL_DESTINATION_CONNECTION_ID,
    PREFERRED_ADDRESS,
    RETRY_SOURCE_CONNECTION_ID,
    STATELESS_RESET_TOKEN,
    PreferredAddress,
    TransportParameters,
    encode_parameter,
    parse_transport_parameters,
)

__all__ = ["ClientSettings", "Endpoint", "ServerSettings", "first_version"]

# A client's first Destination Connection ID must be this long at least, in bytes (RFC 9000 §7.2).
_MIN_ORIGINAL_CID_LENGTH = 8

# Answers to datagrams that belong to no connection, kept until they are sent. More are not worth a flood (§5.2.2).
MAX_STATELESS_ANSWERS = 64

_RESET_KEY_LENGTH = 32  # bytes

# Sets of limits that are kept as transport parameters: programs have one or two, but an endpoint for each connection.
CACHED_LIMITS = 8


class ClientSettings(NamedTuple):
    """server_name: whom to talk to (SNI, and the name that the certificate must have).

    token: of a `NewTokenReceived` event of an earlier connection to the same server (RFC 9000 §8.1.3).
    session: of an earlier connection to the same server; one that does not fit is ignored (RFC 9846 §2.2).
    early_data: send 0-RTT data, if the session allows it: anybody who records it may send it again (RFC 9001 §9.2).
    """

    context: ClientContext
    server_name: str | None
    token: bytes = b""
    session: Session | None = None
    early_data: bool = False


class ServerSettings(NamedTuple):
    context: ServerContext


class Endpoint:
    """All connections of one UDP socket, without the socket.

    transmits: answers that belong to no connection; the caller sends and clears them.
    dropped: counts, by reason, datagrams that nobody wanted. accepting: False refuses new connections.
    """

    def __init__(self, config: Config, *, random: Random, server: ServerSettings | None = None) -> None:
        self._config = config
        self._random = random
        self._server = server
        if server is not None:
            self._tokens = AddressTokens(random, config.ticket_keys)
        self._limits, self._encoded_limits = _limits(
            config.idle_timeout,
            config.max_data,
            config.max_stream_data,
            config.max_streams_bidi,
            config.max_streams_uni,
            config.max_datagram_frame_size,
        )
        # Keys are bytes, whose hash a peer cannot predict.
        self._connections: dict[bytes, Connection] = {}
        self._resets = StatelessResets(config.stateless_reset_key or random(_RESET_KEY_LENGTH), random)
        self._overtaken = Overtaken()
        self.transmits: list[Transmit] = []
        self.dropped: dict[str, int] = {}
        self.accepting = True

    def replace_credential(self, credential: Credential, client_trust_store: TrustStore | None = None) -> None:
        """Server: who to be in handshakes that begin from now on, and, if that is given, which authorities of clients'
        certificates to believe. Handshakes under way are not touched, nor are tickets: but the certificate that a
        client showed for its ticket is looked at again (RFC 9846 §4.4.2)."""
        if self._server is not None:
            context = self._server.context
            trust_store = client_trust_store or context.client_trust_store
            self._server = ServerSettings(replace(context, credential=credential, client_trust_store=trust_store))

    def replace_ticket_keys(self, keys: Sequence[bytes]) -> None:
        """Server: seal tickets and tokens with the first of these from now on, and open them with all."""
        if self._server is not None:
            self._tokens.replace_keys(keys)
            if self._server.context.ticket_keys is not None:
                self._server.context.ticket_keys.replace(keys)

    def connect(self, remote: Address, settings: ClientSettings, now: float) -> Connection:
        """A new client connection; its ClientHello is ready to be sent."""
        issuer = CidIssuer(self._connections, self._random, self._resets)
        local_cids = LocalCids(issuer)
        original_cid = self._random(_MIN_ORIGINAL_CID_LENGTH)
        core = Core(
            self._config,
            is_client=True,
            remote=remote,
            original_destination_cid=original_cid,
            local_cids=local_cids,
            remote_cid=original_cid,
            parameters=self._limits,
            now=now,
            random=self._random,
            version=first_version(self._config, settings.session),
            token=settings.token,
            early=_early_data(settings),
        )

        def make_tls() -> TlsClient:
            core.local_parameters = self._parameters(local_cids.handshake_cid) + version_information(core)
            tls = TlsClient(
                settings.context,
                settings.server_name,
                core.local_parameters,
                self._random,
                settings.session,
                early_data=core.early is not None,
                version=core.version,
            )
            tls.start()
            return tls

        protection = initial_protection(original_cid, core.version, is_client=True)
        connection = make_connection(self._config, core, make_tls, *protection)
        connection.start(now)
        issuer.lead_to(connection)
        return connection

    def receive(self, datagrams: list[bytes], source: Address, now: float) -> list[tuple[Connection, list[bytes]]]:
        """Sort datagrams by connection. A new server connection turns up with the Initial that made it."""
        routed: list[tuple[Connection, list[bytes]]] = []
        last: Connection | None = None
        for datagram in datagrams:
            connection = self._connections.get(_destination_cid(datagram))
            if connection is None and self._server is None and datagram:
                connection = self._talking_to(source, datagram)
            if connection is None:
                connection = self._on_unknown(datagram, source, now)
                if connection is not None:
                    routed.append((connection, [datagram, *self._overtaken.take(_destination_cid(datagram), source)]))
                    last = connection
            elif connection is last:
                routed[-1][1].append(datagram)
            else:
                routed.append((connection, [datagram]))
                last = connection
        return routed

    def forget(self, connection: Connection) -> None:
        """Remove a connection that is over: its datagrams belong to nobody from now on."""
        for cid in connection.connection_ids:
            if self._connections.get(cid) is connection:
                del self._connections[cid]

    def _talking_to(self, source: Address, datagram: bytes) -> Connection | None:
        """A client's connection with this server: a stateless reset's own ID is random (RFC 9000 §10.3.1)."""
        for connection in self._connections.values():
            if source in connection.remote_addresses and (
                datagram[0] < 0x80 or connection.is_stateless_reset(datagram)
            ):
                return connection
        return None

    def _on_unknown(self, datagram: bytes, source: Address, now: float) -> Connection | None:
        """A datagram for no connection that is known (RFC 9000 §5.2.2)."""
        reason = "unknown connection"
        if self._server is not None and datagram and datagram[0] >= 0x80:
            try:
                header = parse_long_header(datagram, 0, quic_bit=True)
            except DecodeError:
                reason = "malformed header"
            else:
                if self._may_be_early_data(header):
                    self._overtaken.keep(header.destination_cid, source, datagram)
                    return None
                if len(datagram) < MIN_INITIAL_SIZE:
                    reason = "small datagram"
                elif isinstance(header, UnknownVersion) or (
                    isinstance(header, LongHeader) and header.version not in self._config.versions
                ):
                    reason = "other version"
                    self._answer(self._version_negotiation(header, datagram), source)
                elif isinstance(header, LongHeader) and header.packet_type is PacketType.INITIAL:
                    connection = self._accept(header, datagram, source, now)
                    if connection is not None:
                        return connection
                    reason = "refused Initial"
        elif self._server is not None and datagram:
            # What a connection's peer sends when this side has lost its state (RFC 9000 §10.3).
            reset = self._resets.answer(datagram, _destination_cid(datagram), now)
            if reset is not None:
                self._answer(reset, source)
        self.dropped[reason] = self.dropped.get(reason, 0) + 1
        return None

    def _may_be_early_data(self, header: object) -> TypeGuard[LongHeader]:
        """Whether the packet is worth keeping until its Initial comes (RFC 9000 §5.2.2)."""
        return (
            isinstance(header, LongHeader)
            and header.packet_type is PacketType.ZERO_RTT
            and header.version in self._config.versions
            and self._server is not None
            and self._server.context.early_data
        )

    def _accept(self, header: LongHeader, datagram: bytes, source: Address, now: float) -> Connection | None:
        """A connection for a client's first Initial; only a packet that authenticates is worth its state."""
        if self._server is None or len(header.destination_cid) < _MIN_ORIGINAL_CID_LENGTH:
            return None
        sealer, opener = initial_protection(header.destination_cid, header.version, is_client=False)
        if not _authenticates(header, datagram, opener):
            return None
        try:
            proof = self._admit(header, source, now)
        except TransportError as error:
            self._answer(refusal(header, sealer, error), source)
            return None
        if proof is None:
            return None
        issuer = CidIssuer(self._connections, self._random, self._resets)
        local_cids = LocalCids(issuer)
        core = Core(
            self._config,
            is_client=False,
            remote=source,
            original_destination_cid=proof.original_cid,
            local_cids=local_cids,
            remote_cid=header.source_cid,
            parameters=self._limits,
            now=now,
            random=self._random,
            version=header.version,
            tokens=self._tokens,
            retry_source_cid=proof.retry_cid,
            address_validated=proof.validated,
            early=EarlyData() if self._server.context.early_data else None,
        )
        parameters = self._parameters(local_cids.handshake_cid, proof.original_cid, proof.retry_cid)
        if self._config.preferred_address is not None:
            preferred = PreferredAddress.at(self._config.preferred_address, *local_cids.issue())
            parameters += encode_parameter(PREFERRED_ADDRESS, preferred.encode())
        answer = partial(server_parameters, core, parameters)
        make_tls = partial(
            TlsServer,
            self._server.context,
            answer,
            self._random,
            ticket_data=self._encoded_limits,
            accepts_early_data=partial(accept_ticket, core, self._limits),
            version=core.version,
        )
        connection = make_connection(self._config, core, make_tls, sealer, opener)
        issuer.lead_to(connection)
        self._connections[header.destination_cid] = connection
        return connection

    def _admit(self, header: LongHeader, source: Address, now: float) -> AddressProof | None:
        """What is known of the client's address; None: it was asked to prove it, before it costs any state (§8.1.2).

        Raises TransportError where the client is not welcome.
        """
        if not self.accepting:
            raise TransportError(TransportErrorCode.CONNECTION_REFUSED, "the server is too busy")
        if not header.token and not self._config.retry:
            return AddressProof(False, header.destination_cid)
        proof = self._tokens.check(header.token, source, header.destination_cid, header.version, now)
        if proof.validated or not self._config.retry:
            return proof
        retry_cid = self._random(LOCAL_CID_LENGTH)
        token = self._tokens.for_retry(source, header.destination_cid, retry_cid, header.version, now)
        self._answer(retry(header, retry_cid, token, self._random(1)[0]), source)
        return None

    def _parameters(self, local_cid: bytes, original_cid: bytes | None = None, retry_cid: bytes | None = None) -> bytes:
        """What this side announces; the last two are a server's (RFC 9000 §7.3, §18.2)."""
        parameters = self._encoded_limits + encode_parameter(INITIAL_SOURCE_CONNECTION_ID, local_cid)
        if original_cid is not None:
            parameters += encode_parameter(ORIGINAL_DESTINATION_CONNECTION_ID, original_cid)
            parameters += encode_parameter(STATELESS_RESET_TOKEN, self._resets.token(local_cid))
            if self._config.disable_active_migration:
                parameters += encode_parameter(DISABLE_ACTIVE_MIGRATION, b"")
        if retry_cid is not None:
            parameters += encode_parameter(RETRY_SOURCE_CONNECTION_ID, retry_cid)
        return parameters

    def _version_negotiation(self, header: UnknownVersion | LongHeader, datagram: bytes) -> bytes:
        return encode_version_negotiation(
            header.source_cid, header.destination_cid, self._config.versions, self._random(1)[0]
        )

    def _answer(self, payload: bytes, destination: Address) -> None:
        if len(self.transmits) < MAX_STATELESS_ANSWERS:
            self.transmits.append(Transmit(payload, len(payload), destination))


@lru_cache(maxsize=CACHED_LIMITS)
def _limits(
    idle_timeout: float,
    max_data: int,
    max_stream_data: int,
    max_streams_bidi: int,
    max_streams_uni: int,
    max_datagram_frame_size: int,
) -> tuple[TransportParameters, bytes]:
    """What this side announces on each connection (RFC 9000 §18.2), and the same encoded; the IDs are still to come."""
    limits = TransportParameters(
        max_idle_timeout=int(idle_timeout * 1000),
        initial_max_data=max_data,
        initial_max_stream_data_bidi_local=max_stream_data,
        initial_max_stream_data_bidi_remote=max_stream_data,
        initial_max_stream_data_uni=max_stream_data,
        initial_max_streams_bidi=max_streams_bidi,
        initial_max_streams_uni=max_streams_uni,
        max_datagram_frame_size=max_datagram_frame_size,
        grease_quic_bit=True,
        active_connection_id_limit=ACTIVE_CONNECTION_ID_LIMIT,
    )
    return limits, limits.encode()


def _early_data(settings: ClientSettings) -> EarlyData | None:
    """What a client that wants to send early data remembers for it; None if it cannot."""
    session = settings.session
    if not settings.early_data or session is None or not session.early_data:
        return None
    try:
        return EarlyData(parse_transport_parameters(session.transport_parameters, from_client=False))
    except TransportError:  # somebody has changed the session
        return None


def first_version(config: Config, session: Session | None) -> int:
    """The QUIC version that a client begins with: that of the session, which is of no use in another (RFC 9369 §5)."""
    if session is not None and session.version in config.versions:
        return session.version
    return config.initial_version or config.versions[0]


def _destination_cid(datagram: bytes) -> bytes:
    """The Destination Connection ID, if there is one (RFC 8999 §5)."""
    if datagram and datagram[0] < 0x80:
        return datagram[1 : 1 + LOCAL_CID_LENGTH]
    return datagram[6 : 6 + datagram[5]] if len(datagram) > 5 else b""


def _authenticates(header: LongHeader, datagram: bytes, opener: Opener) -> bool:
    """Whether a client's Initial was protected with the keys that its own ID gives (RFC 9001 §5.2)."""
    packet = datagram[: header.end]
    try:
        first_byte, truncated, pn_length = opener.unmask(packet, header.pn_offset)
        number = decode_packet_number(-1, truncated, 8 * pn_length)
        opener.open(packet, header.pn_offset, first_byte, pn_length, number)
    except DecodeError:
        return False
    return True
