"""The client's side of the TLS 1.3 handshake for QUIC (RFC 9846 §2, §A.1; RFC 9001 §4, §8)."""

from __future__ import annotations

from typing import ClassVar

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from quicmini.crypto.keys import CIPHER_SUITES, CipherSuite, EncryptionLevel
from quicmini.errors import crypto_error
from quicmini.tls import signatures
from quicmini.tls.codes import Alert, ExtensionType, HandshakeType
from quicmini.tls.context import ClientContext
from quicmini.tls.events import (
    EarlyDataDecided,
    HandshakeComplete,
    KeysReady,
    PeerTransportParameters,
    SessionTicket,
)
from quicmini.tls.extensions import (
    encode_client_shares,
    encode_server_name,
    parse_cookie,
    parse_number,
    parse_protocols,
    parse_share,
    parse_u16_list,
    reject_unsolicited,
)
from quicmini.tls.groups import GROUPS, KeyShare, Random
from quicmini.tls.handshake import Handler, Handshake, State, protocol_violation
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
    MAX_EARLY_DATA_SIZE,
    Certificate,
    CertificateRequest,
    CertificateVerify,
    ClientHello,
    EncryptedExtensions,
    Finished,
    NewSessionTicket,
    ServerHello,
)
from quicmini.tls.resumption import encode_with_psk, may_resume
from quicmini.tls.server_hello import check_server_hello
from quicmini.tls.session import MAX_TICKET_SIZE, Session, identity_of
from quicmini.tls.verification import parse_server_name
from quicmini.wire.packet import VERSION_1

__all__ = ["TlsClient"]


class TlsClient(Handshake):
    """A client's handshake: `start`, then `receive` what the server sends; `events` says what is to be done.

    server_name: a host name or an IP literal that the certificate must be for; None only where the context trusts
    everybody. transport_parameters: encoded. random: like os.urandom. session: what an earlier connection has left;
    it is ignored if it does not go with this one. early_data: offer 0-RTT data, if the session allows it.
    version: the QUIC version that this connection begins with. Raises ValueError for a name that is none.
    """

    def __init__(
        self,
        context: ClientContext,
        server_name: str | None,
        transport_parameters: bytes,
        random: Random,
        session: Session | None = None,
        early_data: bool = False,
        version: int = VERSION_1,
    ) -> None:
        super().__init__(State.START)
        if server_name is None and context.trust_store is not None:
            raise ValueError("a server name is needed to verify the server's certificate")
        self._context = context
        self._server_name = None if server_name is None else parse_server_name(server_name)
        self._transport_parameters = transport_parameters
        self._random = random
        self.version = version  # after compatible version negotiation the transport sets it anew (RFC 9369 §5)
        self.client_random = random(32)
        self._hello: ClientHello
        self._first_flight: bytes  # the ClientHello as sent, until the hash of the transcript is known
        self._shares: dict[int, KeyShare]
        self._group: int
        self._schedule: KeySchedule | None = None  # from the first ServerHello or HelloRetryRequest on
        self._retried = False
        self._handshake_secrets: TrafficSecrets
        self._session = session  # the one that is offered; None when it is not, or no longer
        self._offer_early_data = early_data
        self._resumed = False
        self._early_data_accepted = False
        self._accepted_schemes: tuple[int, ...] | None = None  # for signatures, of a server that asks who this is
        self._identity = b""
        self._alpn_protocol: str
        self._server_parameters: bytes
        self._peer_chain: tuple[bytes, ...]
        self._peer_key: PublicKeyTypes

    def start(self) -> None:
        """Make the ClientHello, with key shares of the groups that the server is likely to take."""
        context = self._context
        self._shares = {group: GROUPS[group].offer(self._random) for group in context.groups_with_shares}
        extensions = dict(context.hello_extensions)
        extensions[ExtensionType.KEY_SHARE] = self._encode_shares()
        extensions[ExtensionType.QUIC_TRANSPORT_PARAMETERS] = self._transport_parameters
        if self._server_name is not None and self._server_name.sni is not None:
            extensions[ExtensionType.SERVER_NAME] = encode_server_name(self._server_name.sni)
        # An empty legacy_session_id: QUIC has no middlebox compatibility mode (RFC 9001 §8.4).
        self._hello = ClientHello(self.client_random, context.cipher_suites, extensions)
        session = self._session
        if session is None or not may_resume(session, context, self._server_name, self.version):
            self._session = None
            self._first_flight = self._hello.encode()
            self._send(EncryptionLevel.INITIAL, self._first_flight)
        else:
            self._start_with(session)
        self._state = State.WAIT_SH

    def _start_with(self, session: Session) -> None:
        """The ClientHello that asks to resume, and the keys of early data (RFC 9846 §2.3)."""
        suite = CIPHER_SUITES[session.cipher_suite]
        schedule = KeySchedule(suite, session.psk)
        # The suite must be among those offered, or the server could not choose it (RFC 9846 §4.3.10).
        early_data = self._offer_early_data and session.early_data and suite.code in self._context.cipher_suites
        if early_data:
            self._hello.extensions[ExtensionType.EARLY_DATA] = b""
        self._first_flight = encode_with_psk(self._hello, session, self._now(), schedule)
        self._send(EncryptionLevel.INITIAL, self._first_flight)
        if early_data:
            schedule.update(self._first_flight)
            self._events.append(KeysReady(EncryptionLevel.ZERO_RTT, suite, send_secret=schedule.early_traffic_secret()))

    def _encode_shares(self) -> bytes:
        return encode_client_shares([(share.group, share.public) for share in self._shares.values()])

    def _now(self) -> float:
        """Seconds since 1970."""
        return self._context.clock().timestamp()

    def _on_server_hello(self, message: bytes) -> None:
        hello = ServerHello.parse(message[HEADER_SIZE:])
        suite = check_server_hello(hello, self._hello)
        if self._schedule is not None and suite != self._schedule.suite:
            raise crypto_error(Alert.ILLEGAL_PARAMETER, "another cipher suite than in HelloRetryRequest")
        if hello.is_hello_retry_request:
            self._retry(hello, suite, message)
            return
        reject_unsolicited(hello.extensions, self._offered)
        psk = self._selected_psk(hello, suite)
        if ExtensionType.KEY_SHARE not in hello.extensions:
            # Without a pre-shared key it is missing; with one it is a mode that was not offered (RFC 9846 §4.3.11).
            alert = Alert.MISSING_EXTENSION if psk is None else Alert.ILLEGAL_PARAMETER
            raise crypto_error(alert, "ServerHello without key_share")
        self._group, server_share = parse_share(hello.extensions[ExtensionType.KEY_SHARE])
        if self._group not in self._shares:
            reason = f"the server chose group {self._group:#06x}, which has no share"
            raise crypto_error(Alert.ILLEGAL_PARAMETER, reason)
        if self._schedule is None:
            self._schedule = KeySchedule(suite)
            self._schedule.update(self._first_flight)
        self._schedule.use_psk(psk)
        self._schedule.update(message)
        secrets = self._schedule.handshake_traffic_secrets(self._shares[self._group].shared_secret(server_share))
        self._handshake_secrets = secrets
        self._read_from(EncryptionLevel.HANDSHAKE)
        self._events.append(KeysReady(EncryptionLevel.HANDSHAKE, suite, secrets.client, secrets.server))
        self._state = State.WAIT_EE

    @property
    def _offered(self) -> set[int]:
        """The extensions of the last ClientHello."""
        return {*self._hello.extensions, *([ExtensionType.PRE_SHARED_KEY] if self._session is not None else [])}

    def _selected_psk(self, hello: ServerHello, suite: CipherSuite) -> bytes | None:
        """The pre-shared key if the server takes it (RFC 9846 §4.3.11)."""
        selected = hello.extensions.get(ExtensionType.PRE_SHARED_KEY)
        if selected is None or self._session is None:
            return None
        if parse_number(selected, "pre_shared_key") != 0:
            raise crypto_error(Alert.ILLEGAL_PARAMETER, "the server selected a pre-shared key that was not offered")
        if suite.hash_name != self._session.hash_name:
            raise crypto_error(Alert.ILLEGAL_PARAMETER, "the cipher suite does not go with the pre-shared key")
        self._resumed = True
        self._peer_chain = self._session.peer_chain
        self._identity = self._session.identity
        return self._session.psk

    def _retry(self, hello: ServerHello, suite: CipherSuite, message: bytes) -> None:
        """Answer a HelloRetryRequest with the ClientHello that it asks for (RFC 9846 §4.2.2, §4.2.4)."""
        if self._retried:
            raise crypto_error(Alert.UNEXPECTED_MESSAGE, "a second HelloRetryRequest")
        self._retried = True
        reject_unsolicited(hello.extensions, {*self._offered, ExtensionType.COOKIE})
        extensions = dict(self._hello.extensions)
        if (selected := hello.extensions.get(ExtensionType.KEY_SHARE)) is not None:
            group = parse_number(selected, "key_share")
            if group not in self._context.groups or group in self._shares:
                raise crypto_error(Alert.ILLEGAL_PARAMETER, f"HelloRetryRequest for group {group:#06x}")
            self._shares = {group: GROUPS[group].offer(self._random)}
            extensions[ExtensionType.KEY_SHARE] = self._encode_shares()
        if (cookie := hello.extensions.get(ExtensionType.COOKIE)) is not None:
            extensions[ExtensionType.COOKIE] = parse_cookie(cookie)
        if extensions == self._hello.extensions:
            raise crypto_error(Alert.ILLEGAL_PARAMETER, "HelloRetryRequest asks for no change")
        if extensions.pop(ExtensionType.EARLY_DATA, None) is not None:  # RFC 9846 §4.3.10
            self._events.append(EarlyDataDecided(False))
        self._hello = self._hello._replace(extensions=extensions)
        self._schedule = KeySchedule(suite)
        self._schedule.update(self._first_flight)
        self._schedule.replace_by_message_hash()
        self._schedule.update(message)
        encoded = self._encode_second_hello(self._schedule)
        self._schedule.update(encoded)
        self._send(EncryptionLevel.INITIAL, encoded)

    def _encode_second_hello(self, schedule: KeySchedule) -> bytes:
        if self._session is not None and self._session.hash_name != schedule.suite.hash_name:
            self._session = None  # it cannot be used with this cipher suite (RFC 9846 §4.2.2)
        if self._session is None:
            return self._hello.encode()
        schedule.use_psk(self._session.psk)
        return encode_with_psk(self._hello, self._session, self._now(), schedule)

    def _on_encrypted_extensions(self, message: bytes) -> None:
        extensions = EncryptedExtensions.parse(message[HEADER_SIZE:]).extensions
        reject_unsolicited(extensions, self._hello.extensions)
        if extensions.get(ExtensionType.SERVER_NAME):
            raise crypto_error(Alert.DECODE_ERROR, "the server's server_name is not empty")
        if ExtensionType.SUPPORTED_GROUPS in extensions:  # a hint for later connections (RFC 9846 §4.3.7)
            parse_u16_list(extensions[ExtensionType.SUPPORTED_GROUPS], "supported_groups")
        self._alpn_protocol = self._selected_protocol(
            extensions.get(ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION)
        )
        transport_parameters = extensions.get(ExtensionType.QUIC_TRANSPORT_PARAMETERS)
        if transport_parameters is None:
            raise crypto_error(Alert.MISSING_EXTENSION, "the server sent no QUIC transport parameters")
        self._server_parameters = transport_parameters
        self._decide_early_data(extensions.get(ExtensionType.EARLY_DATA))
        self._established.update(message)
        self._events.append(PeerTransportParameters(transport_parameters))
        # A resumed server is who it was: it shows no certificate, and asks for none (RFC 9846 §4.4.2, §4.5.1).
        self._state = State.WAIT_FINISHED if self._resumed else State.WAIT_CERT_CR

    def _decide_early_data(self, extension: bytes | None) -> None:
        """What the server made of the offer of early data, if there was one (RFC 9846 §4.3.10)."""
        if ExtensionType.EARLY_DATA not in self._hello.extensions:
            return
        if extension is not None:
            if extension:
                raise crypto_error(Alert.DECODE_ERROR, "the server's early_data is not empty")
            session = self._session
            suite = self._established.suite.code
            if (
                session is None
                or not self._resumed
                or (session.cipher_suite, session.alpn_protocol) != (suite, self._alpn_protocol)
            ):
                raise crypto_error(Alert.ILLEGAL_PARAMETER, "early data accepted for something else than the session")
            self._early_data_accepted = True
        self._events.append(EarlyDataDecided(self._early_data_accepted))

    def _selected_protocol(self, extension: bytes | None) -> str:
        """The application protocol that the server chose (RFC 7301 §3.2, RFC 9001 §8.1)."""
        if extension is None:
            raise crypto_error(Alert.NO_APPLICATION_PROTOCOL, "the server chose no application protocol")
        protocols = parse_protocols(extension)
        if len(protocols) != 1 or protocols[0] not in self._context.protocols:
            raise crypto_error(Alert.ILLEGAL_PARAMETER, "the server chose an application protocol that was not offered")
        return self._context.protocols[protocols[0]]

    def _on_certificate_request(self, message: bytes) -> None:
        request = CertificateRequest.parse(message[HEADER_SIZE:])
        if request.request_context:
            raise crypto_error(Alert.ILLEGAL_PARAMETER, "CertificateRequest with a context inside the handshake")
        schemes = request.extensions.get(ExtensionType.SIGNATURE_ALGORITHMS)
        if schemes is None:
            raise crypto_error(Alert.MISSING_EXTENSION, "CertificateRequest without signature_algorithms")
        self._accepted_schemes = parse_u16_list(schemes, "signature_algorithms")
        self._established.update(message)
        self._state = State.WAIT_CERT

    def _on_certificate(self, message: bytes) -> None:
        certificate = Certificate.parse(message[HEADER_SIZE:])
        if certificate.request_context:
            raise crypto_error(Alert.ILLEGAL_PARAMETER, "the server's Certificate has a request context")
        if not certificate.entries:
            raise crypto_error(Alert.DECODE_ERROR, "the server sent no certificate")  # RFC 9846 §4.5.1.3
        for entry in certificate.entries:
            reject_unsolicited(entry.extensions, self._hello.extensions)
        chain = tuple(entry.data for entry in certificate.entries)
        self._peer_key = self._context.authenticated_key(chain, self._server_name)
        self._peer_chain = chain
        self._established.update(message)
        self._state = State.WAIT_CV

    def _on_certificate_verify(self, message: bytes) -> None:
        verify = CertificateVerify.parse(message[HEADER_SIZE:])
        content = certificate_verify_content(SERVER_CONTEXT, self._established.transcript_hash())
        signatures.verify(verify.algorithm, self._peer_key, verify.signature, content)
        self._established.update(message)
        self._state = State.WAIT_FINISHED

    def _on_finished(self, message: bytes) -> None:
        schedule = self._established
        self._check_finished(message, schedule, self._handshake_secrets.server)
        schedule.update(message)
        secrets = schedule.application_traffic_secrets()
        self._read_from(EncryptionLevel.ONE_RTT)
        flight = b"" if self._accepted_schemes is None else self._authenticate(self._accepted_schemes)
        finished = Finished(schedule.verify_data(self._handshake_secrets.client)).encode()
        schedule.update(finished)
        self._send(EncryptionLevel.HANDSHAKE, flight + finished)
        self._events.append(KeysReady(EncryptionLevel.ONE_RTT, schedule.suite, secrets.client, secrets.server))
        self._events.append(
            HandshakeComplete(
                alpn_protocol=self._alpn_protocol,
                cipher_suite=schedule.suite,
                group=self._group,
                peer_certificate=self._peer_chain[0],
                server_name=None if self._server_name is None else self._server_name.sni,
                resumed=self._resumed,
                early_data_accepted=self._early_data_accepted,
            )
        )
        self._state = State.CONNECTED

    def _authenticate(self, accepted: tuple[int, ...]) -> bytes:
        """The client's Certificate, and CertificateVerify if it has one that the server can use (RFC 9846 §4.5.1)."""
        schedule, credential = self._established, self._context.credential
        schemes = [] if credential is None else [scheme for scheme in credential.schemes if scheme in accepted]
        if credential is None or not schemes:  # to say that there is none to show is not optional
            self._identity = identity_of(None)
            flight = Certificate(b"", ()).encode()
            schedule.update(flight)
            return flight
        self._identity = identity_of(credential.chain[0])
        schedule.update(credential.certificate_message)
        content = certificate_verify_content(CLIENT_CONTEXT, schedule.transcript_hash())
        verify = CertificateVerify(schemes[0], credential.sign(schemes[0], content)).encode()
        schedule.update(verify)
        return credential.certificate_message + verify

    def _on_new_session_ticket(self, message: bytes) -> None:
        ticket = NewSessionTicket.parse(message[HEADER_SIZE:])
        early_data = ticket.extensions.get(ExtensionType.EARLY_DATA)
        if early_data is not None:
            if len(early_data) != 4:
                raise crypto_error(Alert.DECODE_ERROR, "a ticket's early_data has the wrong length")
            if int.from_bytes(early_data) != MAX_EARLY_DATA_SIZE:
                raise protocol_violation("a ticket's max_early_data_size is not 0xffffffff")  # RFC 9001 §4.6.1
        # Without a lifetime it is to be thrown away at once (RFC 9846 §4.7.1).
        if ticket.lifetime and len(ticket.ticket) <= MAX_TICKET_SIZE:
            self._events.append(SessionTicket(self._session_of(ticket, early_data is not None)))

    def _session_of(self, ticket: NewSessionTicket, early_data: bool) -> Session:
        schedule = self._established
        return Session(
            ticket=ticket.ticket,
            psk=resumption_psk(schedule.suite, schedule.resumption_secret(), ticket.nonce),
            cipher_suite=schedule.suite.code,
            issued_at=self._now(),
            lifetime=ticket.lifetime,
            age_add=ticket.age_add,
            server_name=None if self._server_name is None else self._server_name.text,
            alpn_protocol=self._alpn_protocol,
            early_data=early_data,
            transport_parameters=self._server_parameters,
            version=self.version,
            peer_chain=self._peer_chain,
            identity=self._identity,
        )

    def _on_late_certificate_request(self, message: bytes) -> None:
        raise protocol_violation("post-handshake CertificateRequest")  # RFC 9001 §4.4

    @property
    def _established(self) -> KeySchedule:
        """The key schedule, in the states that follow ServerHello."""
        if self._schedule is None:
            raise RuntimeError("no ServerHello yet")
        return self._schedule

    TABLE: ClassVar[dict[State, dict[int, Handler]]] = {
        State.START: {},
        State.WAIT_SH: {HandshakeType.SERVER_HELLO: _on_server_hello},
        State.WAIT_EE: {HandshakeType.ENCRYPTED_EXTENSIONS: _on_encrypted_extensions},
        State.WAIT_CERT_CR: {
            HandshakeType.CERTIFICATE_REQUEST: _on_certificate_request,
            HandshakeType.CERTIFICATE: _on_certificate,
        },
        State.WAIT_CERT: {HandshakeType.CERTIFICATE: _on_certificate},
        State.WAIT_CV: {HandshakeType.CERTIFICATE_VERIFY: _on_certificate_verify},
        State.WAIT_FINISHED: {HandshakeType.FINISHED: _on_finished},
        State.CONNECTED: {
            HandshakeType.NEW_SESSION_TICKET: _on_new_session_ticket,
            HandshakeType.CERTIFICATE_REQUEST: _on_late_certificate_request,
        },
    }
