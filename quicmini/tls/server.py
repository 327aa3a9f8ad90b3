"""The server's side of the TLS 1.3 handshake for QUIC (RFC 9846 §2, §A.2; RFC 9001 §4, §8)."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import ClassVar

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from quicmini.crypto.keys import CIPHER_SUITES, EncryptionLevel
from quicmini.errors import crypto_error
from quicmini.tls import signatures
from quicmini.tls.client_hello import check_client_hello, check_retried, choose
from quicmini.tls.codes import TLS_1_3, Alert, ExtensionType, HandshakeType
from quicmini.tls.context import ServerContext
from quicmini.tls.events import EarlyDataDecided, HandshakeComplete, KeysReady, PeerTransportParameters
from quicmini.tls.extensions import (
    Extensions,
    encode_protocols,
    encode_share,
    parse_client_shares,
    parse_protocols,
    parse_server_name,
    parse_u16_list,
    reject_unsolicited,
)
from quicmini.tls.groups import GROUPS, Random
from quicmini.tls.handshake import Handler, Handshake, State
from quicmini.tls.key_schedule import (
    CLIENT_CONTEXT,
    SERVER_CONTEXT,
    KeySchedule,
    TrafficSecrets,
    certificate_verify_content,
    resumption_psk,
)
from quicmini.tls.messages import (
    HEADER_SIZE,
    HELLO_RETRY_REQUEST_RANDOM,
    Certificate,
    CertificateVerify,
    ClientHello,
    EncryptedExtensions,
    Finished,
    ServerHello,
)
from quicmini.tls.psk import OfferedPsks, allows_key_shares
from quicmini.tls.tickets import Ticket, acceptable_ticket, early_data_is_fresh, issue
from quicmini.tls.verification import authenticated_client_key
from quicmini.wire.packet import VERSION_1

__all__ = ["TlsServer"]

_SELECTED_VERSION = TLS_1_3.to_bytes(2)


class TlsServer(Handshake):
    """A server's handshake: `receive` what the client sends; `events` says what is to be done.

    transport_parameters: encoded, or a function from the client's to this server's (it is called once, with the
    first acceptable ClientHello). random: like os.urandom. ticket_data: what the tickets remember for the transport;
    accepts_early_data: whether 0-RTT is possible for what a ticket has remembered; by default if it is the same as
    ticket_data. version: the QUIC version of the connection.
    """

    def __init__(
        self,
        context: ServerContext,
        transport_parameters: bytes | Callable[[bytes], bytes],
        random: Random,
        *,
        ticket_data: bytes = b"",
        accepts_early_data: Callable[[bytes], bool] | None = None,
        version: int = VERSION_1,
    ) -> None:
        super().__init__(State.START)
        self._context = context
        self._transport_parameters = transport_parameters
        self._random = random
        self._ticket_data = ticket_data
        self._accepts_early_data = accepts_early_data or ticket_data.__eq__
        self.version = version  # after compatible version negotiation the transport sets it anew (RFC 9369 §5)
        self.client_random = b""
        self._first_hello: ClientHello | None = None  # kept while a HelloRetryRequest is under way
        self._server_name: str | None = None
        self._alpn_protocol: str
        self._group: int
        self._schedule: KeySchedule
        self._handshake_secrets: TrafficSecrets
        self._application_secrets: TrafficSecrets | None = None
        self._client_resumes = False  # whether tickets are of use to it
        self._resumption: tuple[int, Ticket] | None = None  # the ticket that is resumed, and its place in the offer
        self._early_data_accepted = False
        self._client_chain: tuple[bytes, ...] = ()
        self._client_key: PublicKeyTypes

    def _on_client_hello(self, message: bytes) -> None:
        hello = ClientHello.parse(message[HEADER_SIZE:])
        offered = check_client_hello(hello)
        if self._first_hello is not None:
            check_retried(self._first_hello, hello, self._group)
        self.client_random = hello.random
        suites = self._context.cipher_suites
        suite = CIPHER_SUITES[choose("cipher suite", suites, hello.cipher_suites, Alert.HANDSHAKE_FAILURE)]
        self._alpn_protocol = self._choose_protocol(hello.extensions)
        if (server_name := hello.extensions.get(ExtensionType.SERVER_NAME)) is not None:
            self._server_name = parse_server_name(server_name)
        if (modes := hello.extensions.get(ExtensionType.PSK_KEY_EXCHANGE_MODES)) is not None:
            self._client_resumes = allows_key_shares(modes)
        share = self._client_share(hello.extensions)
        if self._first_hello is None:
            self._schedule = KeySchedule(suite)
        if share is None:
            self._schedule.update(message)
            self._request_retry(hello)
            return
        if offered is not None and self._client_resumes:
            self._try_to_resume(offered, message)
        self._schedule.update(message)
        self._respond(hello, share, offered)

    def _try_to_resume(self, offered: OfferedPsks, message: bytes) -> None:
        """Take one of the client's tickets, if there is a good one (RFC 9846 §4.3.11)."""
        schedule = self._schedule
        found = acceptable_ticket(
            self._context, offered.identities, schedule.suite, self._server_name or "", self.version
        )
        if found is None:
            return
        place, ticket = found
        schedule.use_psk(ticket.psk)
        binder = schedule.binder(message[: -offered.binders_size])
        if not hmac.compare_digest(binder, offered.binders[place]):
            raise crypto_error(Alert.DECRYPT_ERROR, "the client does not know the key that belongs to its ticket")
        self._resumption = found
        if self._context.client_trust_store is not None:
            self._client_chain = ticket.client_chain

    def _choose_protocol(self, extensions: Extensions) -> str:
        """The first of our application protocols that the client speaks too (RFC 7301 §3.2, RFC 9001 §8.1)."""
        offered: tuple[bytes, ...] = ()
        if (alpn := extensions.get(ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION)) is not None:
            offered = parse_protocols(alpn)
        for protocol, name in self._context.protocols.items():
            if protocol in offered:
                return name
        raise crypto_error(Alert.NO_APPLICATION_PROTOCOL, "no application protocol in common")

    def _client_share(self, extensions: Extensions) -> bytes | None:
        """Choose the group; the client's share in it, None if the client must be asked for one.

        A group that comes with a share goes before a better one that would cost a round trip (RFC 9846 §4.3.8).
        """
        supported = parse_u16_list(extensions[ExtensionType.SUPPORTED_GROUPS], "supported_groups")
        shares = parse_client_shares(extensions[ExtensionType.KEY_SHARE])
        for group in shares:
            if group not in supported:
                raise crypto_error(Alert.ILLEGAL_PARAMETER, f"a key share for group {group:#06x}, not in the list")
        for group in self._context.groups:
            if group in shares:
                self._group = group
                return shares[group]
        self._group = choose("group", self._context.groups, supported, Alert.HANDSHAKE_FAILURE)
        return None

    def _request_retry(self, hello: ClientHello) -> None:
        """Ask for a share of a group that both support (RFC 9846 §4.2.4)."""
        self._first_hello = hello
        if ExtensionType.EARLY_DATA in hello.extensions:  # never accepted after a retry (RFC 9846 §4.3.10)
            self._events.append(EarlyDataDecided(False))
        self._schedule.replace_by_message_hash()
        request = ServerHello(
            HELLO_RETRY_REQUEST_RANDOM,
            self._schedule.suite.code,
            {
                ExtensionType.SUPPORTED_VERSIONS: _SELECTED_VERSION,
                ExtensionType.KEY_SHARE: self._group.to_bytes(2),
            },
        ).encode()
        self._schedule.update(request)
        self._send(EncryptionLevel.INITIAL, request)
        self._state = State.WAIT_RETRIED_CH

    def _respond(self, hello: ClientHello, client_share: bytes, offered: OfferedPsks | None) -> None:
        """The server's whole flight, from ServerHello to Finished."""
        schedule, suite = self._schedule, self._schedule.suite
        server_share, shared_secret = GROUPS[self._group].respond(client_share, self._random)
        extensions: dict[int, bytes] = {
            ExtensionType.SUPPORTED_VERSIONS: _SELECTED_VERSION,
            ExtensionType.KEY_SHARE: encode_share(self._group, server_share),
        }
        client_parameters = hello.extensions[ExtensionType.QUIC_TRANSPORT_PARAMETERS]
        self._events.append(PeerTransportParameters(client_parameters))
        if self._resumption is not None:
            extensions[ExtensionType.PRE_SHARED_KEY] = self._resumption[0].to_bytes(2)
        if ExtensionType.EARLY_DATA in hello.extensions:
            self._decide_early_data(offered)
        server_hello = ServerHello(self._random(32), suite.code, extensions).encode()
        schedule.update(server_hello)
        handshake = self._handshake_secrets = schedule.handshake_traffic_secrets(shared_secret)
        self._send(EncryptionLevel.INITIAL, server_hello)
        self._read_from(EncryptionLevel.HANDSHAKE)
        self._events.append(KeysReady(EncryptionLevel.HANDSHAKE, suite, handshake.server, handshake.client))

        flight = self._encrypted_extensions(client_parameters)
        if self._resumption is None:
            flight += self._authenticate(hello.extensions)
        finished = Finished(schedule.verify_data(handshake.server)).encode()
        schedule.update(finished)
        self._send(EncryptionLevel.HANDSHAKE, flight + finished)
        asks = self._context.client_trust_store is not None and self._resumption is None
        self._state = State.WAIT_CERT if asks else State.WAIT_FINISHED
        if self._early_data_accepted or asks:
            # They depend on the transcript up to here. Early data is acknowledged in 1-RTT packets.
            secrets = self._application_secrets = schedule.application_traffic_secrets()
            if self._early_data_accepted:
                self._events.append(KeysReady(EncryptionLevel.ONE_RTT, suite, send_secret=secrets.server))

    def _decide_early_data(self, offered: OfferedPsks | None) -> None:
        """Say whether 0-RTT packets will be read (RFC 9846 §4.3.10, RFC 9001 §4.6.2)."""
        suite = self._schedule.suite
        if offered is not None and self._resumption is not None:
            place, ticket = self._resumption
            self._early_data_accepted = (
                self._context.early_data
                and ticket.early_data
                and place == 0
                and (ticket.cipher_suite, ticket.alpn_protocol) == (suite.code, self._alpn_protocol)
                and self._accepts_early_data(ticket.transport_data)
                and early_data_is_fresh(self._context, ticket, offered.identities[place])
            )
        self._events.append(EarlyDataDecided(self._early_data_accepted))
        if self._early_data_accepted:
            secret = self._schedule.early_traffic_secret()
            self._events.append(KeysReady(EncryptionLevel.ZERO_RTT, suite, receive_secret=secret))

    def _encrypted_extensions(self, client_parameters: bytes) -> bytes:
        own_parameters = self._transport_parameters
        extensions: dict[int, bytes] = {
            ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION: encode_protocols([self._alpn_protocol.encode()]),
            ExtensionType.QUIC_TRANSPORT_PARAMETERS: (
                own_parameters(client_parameters) if callable(own_parameters) else own_parameters
            ),
        }
        if self._early_data_accepted:
            extensions[ExtensionType.EARLY_DATA] = b""
        encoded = EncryptedExtensions(extensions).encode()
        self._schedule.update(encoded)
        return encoded

    def _authenticate(self, client_extensions: Extensions) -> bytes:
        """CertificateRequest, Certificate and CertificateVerify (RFC 9846 §4.4.2, §4.5)."""
        schedule, credential = self._schedule, self._context.credential
        schemes = client_extensions.get(ExtensionType.SIGNATURE_ALGORITHMS)
        if schemes is None:
            raise crypto_error(Alert.MISSING_EXTENSION, "ClientHello without signature_algorithms")
        scheme = choose(
            "signature algorithm",
            credential.schemes,
            parse_u16_list(schemes, "signature_algorithms"),
            Alert.HANDSHAKE_FAILURE,
        )
        flight = self._context.certificate_request + credential.certificate_message
        schedule.update(flight)
        content = certificate_verify_content(SERVER_CONTEXT, schedule.transcript_hash())
        certificate_verify = CertificateVerify(scheme, credential.sign(scheme, content)).encode()
        schedule.update(certificate_verify)
        return flight + certificate_verify

    def _on_certificate(self, message: bytes) -> None:
        certificate = Certificate.parse(message[HEADER_SIZE:])
        if certificate.request_context:
            raise crypto_error(Alert.ILLEGAL_PARAMETER, "the client's Certificate has a request context")
        for entry in certificate.entries:
            reject_unsolicited(entry.extensions, ())
        trust_store = self._context.client_trust_store
        if trust_store is None:
            raise RuntimeError("no certificate was asked for")
        self._client_chain = tuple(entry.data for entry in certificate.entries)
        self._client_key = authenticated_client_key(self._client_chain, trust_store, self._context.clock())
        self._schedule.update(message)
        self._state = State.WAIT_CV

    def _on_certificate_verify(self, message: bytes) -> None:
        verify = CertificateVerify.parse(message[HEADER_SIZE:])
        content = certificate_verify_content(CLIENT_CONTEXT, self._schedule.transcript_hash())
        signatures.verify(verify.algorithm, self._client_key, verify.signature, content)
        self._schedule.update(message)
        self._state = State.WAIT_FINISHED

    def _on_finished(self, message: bytes) -> None:
        schedule = self._schedule
        self._check_finished(message, schedule, self._handshake_secrets.client)
        # Not before now: 1-RTT packets that come earlier must wait (RFC 9001 §5.7), and this server sends none before
        # it knows whom it talks to, though it may (§4.1.4). So its flight does not wait for these secrets.
        secrets = self._application_secrets or schedule.application_traffic_secrets()
        schedule.update(message)
        self._read_from(EncryptionLevel.ONE_RTT)
        send_secret = None if self._early_data_accepted else secrets.server
        self._events.append(KeysReady(EncryptionLevel.ONE_RTT, schedule.suite, send_secret, secrets.client))
        self._events.append(
            HandshakeComplete(
                alpn_protocol=self._alpn_protocol,
                cipher_suite=schedule.suite,
                group=self._group,
                peer_certificate=self._client_chain[0] if self._client_chain else None,
                server_name=self._server_name,
                resumed=self._resumption is not None,
                early_data_accepted=self._early_data_accepted,
            )
        )
        self._state = State.CONNECTED
        if self._context.ticket_keys is not None and self._client_resumes:
            self._send_tickets()

    def _send_tickets(self) -> None:
        """What the client may come back with (RFC 9846 §4.7.1)."""
        schedule, context = self._schedule, self._context
        now = context.now()
        secret = schedule.resumption_secret()
        for number in range(context.session_tickets):
            nonce = number.to_bytes(2)
            ticket = Ticket(
                issued_at=now,
                authenticated_at=now if self._resumption is None else self._resumption[1].authenticated_at,
                cipher_suite=schedule.suite.code,
                age_add=int.from_bytes(self._random(4)),
                version=self.version,
                early_data=context.early_data,
                psk=resumption_psk(schedule.suite, secret, nonce),
                alpn_protocol=self._alpn_protocol,
                server_name=self._server_name or "",
                transport_data=self._ticket_data,
                client_chain=self._client_chain,
            )
            message = issue(context, ticket, nonce)
            if message is not None:
                self._send(EncryptionLevel.ONE_RTT, message)

    TABLE: ClassVar[dict[State, dict[int, Handler]]] = {
        State.START: {HandshakeType.CLIENT_HELLO: _on_client_hello},
        State.WAIT_RETRIED_CH: {HandshakeType.CLIENT_HELLO: _on_client_hello},
        State.WAIT_CERT: {HandshakeType.CERTIFICATE: _on_certificate},
        State.WAIT_CV: {HandshakeType.CERTIFICATE_VERIFY: _on_certificate_verify},
        State.WAIT_FINISHED: {HandshakeType.FINISHED: _on_finished},
        State.CONNECTED: {},  # a client has nothing to say after the handshake
    }
