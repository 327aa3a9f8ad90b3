"""The client's side of the TLS 1.3 handshake for QUIC (RFC 9846 §2, §A.1; RFC 9001 §4, §8)."""

from __future__ import annotations

from typing import ClassVar

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from quicmini.crypto.keys import CIPHER_SUITES, CipherSuite, EncryptionLevel
from quicmini.errors import crypto_error
from quicmini.tls import signatures
from quicmini.tls.codes import LEGACY_VERSION, TLS_1_3, Alert, ExtensionType, HandshakeType
from quicmini.tls.context import ClientContext
from quicmini.tls.events import HandshakeComplete, KeysReady, PeerTransportParameters
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
from quicmini.tls.key_schedule import SERVER_CONTEXT, KeySchedule, TrafficSecrets, certificate_verify_content
from quicmini.tls.messages import (
    HEADER_SIZE,
    Certificate,
    CertificateRequest,
    CertificateVerify,
    ClientHello,
    EncryptedExtensions,
    Finished,
    NewSessionTicket,
    ServerHello,
)
from quicmini.tls.verification import authenticated_key, parse_certificate, parse_server_name, public_key

__all__ = ["TlsClient"]

# The end of a Random by which a TLS 1.3 server says that it was made to speak an older version (RFC 9846 §4.2.3).
_DOWNGRADES = (b"DOWNGRD\x01", b"DOWNGRD\x00")

# The only max_early_data_size that a ticket may have in QUIC (RFC 9001 §4.6.1).
_MAX_EARLY_DATA_SIZE = 0xFFFFFFFF


class TlsClient(Handshake):
    """A client's handshake: `start`, then `receive` what the server sends; `events` says what is to be done.

    server_name: a host name or an IP literal that the certificate must be for; None only where the context trusts
    everybody. transport_parameters: encoded. random: like os.urandom. Raises ValueError for a name that is none.
    """

    def __init__(
        self, context: ClientContext, server_name: str | None, transport_parameters: bytes, random: Random
    ) -> None:
        super().__init__(State.START)
        if server_name is None and context.trust_store is not None:
            raise ValueError("a server name is needed to verify the server's certificate")
        self._context = context
        self._server_name = None if server_name is None else parse_server_name(server_name)
        self._transport_parameters = transport_parameters
        self._random = random
        self.client_random = random(32)
        self._hello: ClientHello
        self._first_flight: bytes  # the ClientHello as sent, until the hash of the transcript is known
        self._share: KeyShare
        self._schedule: KeySchedule | None = None  # from the first ServerHello or HelloRetryRequest on
        self._retried = False
        self._handshake_secrets: TrafficSecrets
        self._certificate_requested = False
        self._alpn_protocol: str
        self._peer_certificate: bytes
        self._peer_key: PublicKeyTypes

    def start(self) -> None:
        """Make the ClientHello. One key share, of the preferred group: a server that wants another asks for it."""
        context = self._context
        self._share = GROUPS[context.groups[0]].offer(self._random)
        extensions = dict(context.hello_extensions)
        extensions[ExtensionType.KEY_SHARE] = encode_client_shares([(self._share.group, self._share.public)])
        extensions[ExtensionType.QUIC_TRANSPORT_PARAMETERS] = self._transport_parameters
        if self._server_name is not None and self._server_name.sni is not None:
            extensions[ExtensionType.SERVER_NAME] = encode_server_name(self._server_name.sni)
        # An empty legacy_session_id: QUIC has no middlebox compatibility mode (RFC 9001 §8.4).
        self._hello = ClientHello(self.client_random, context.cipher_suites, extensions)
        self._first_flight = self._hello.encode()
        self._send(EncryptionLevel.INITIAL, self._first_flight)
        self._state = State.WAIT_SH

    def _on_server_hello(self, message: bytes) -> None:
        hello = ServerHello.parse(message[HEADER_SIZE:])
        suite = self._check_server_hello(hello)
        if hello.is_hello_retry_request:
            self._retry(hello, suite, message)
            return
        reject_unsolicited(hello.extensions, self._hello.extensions)
        if ExtensionType.KEY_SHARE not in hello.extensions:
            raise crypto_error(Alert.MISSING_EXTENSION, "ServerHello without key_share")
        group, server_share = parse_share(hello.extensions[ExtensionType.KEY_SHARE])
        if group != self._share.group:
            raise crypto_error(Alert.ILLEGAL_PARAMETER, f"the server chose group {group:#06x}, which has no share")
        if self._schedule is None:
            self._schedule = KeySchedule(suite)
            self._schedule.update(self._first_flight)
        self._schedule.update(message)
        secrets = self._schedule.handshake_traffic_secrets(self._share.shared_secret(server_share))
        self._handshake_secrets = secrets
        self._read_from(EncryptionLevel.HANDSHAKE)
        self._events.append(KeysReady(EncryptionLevel.HANDSHAKE, suite, secrets.client, secrets.server))
        self._state = State.WAIT_EE

    def _check_server_hello(self, hello: ServerHello) -> CipherSuite:
        """What holds for ServerHello and HelloRetryRequest alike, the version first (RFC 9846 §4.2.3, §4.3.1)."""
        selected = hello.extensions.get(ExtensionType.SUPPORTED_VERSIONS)
        if selected is None:
            if hello.random[-8:] in _DOWNGRADES:
                raise crypto_error(Alert.ILLEGAL_PARAMETER, "somebody made the server speak an older TLS version")
            raise crypto_error(Alert.PROTOCOL_VERSION, "the server does not speak TLS 1.3")
        version = parse_number(selected, "supported_versions")
        if version != TLS_1_3:
            raise crypto_error(Alert.ILLEGAL_PARAMETER, f"the server selected version {version:#06x}, not offered")
        if hello.legacy_version != LEGACY_VERSION:
            raise crypto_error(Alert.PROTOCOL_VERSION, f"the legacy version is {hello.legacy_version:#06x}")
        if hello.legacy_session_id_echo != self._hello.legacy_session_id:
            raise crypto_error(Alert.ILLEGAL_PARAMETER, "the server does not echo the session ID")
        if hello.legacy_compression_method != 0:
            raise crypto_error(Alert.ILLEGAL_PARAMETER, "the server selected a compression method")
        if hello.cipher_suite not in self._hello.cipher_suites:
            raise crypto_error(Alert.ILLEGAL_PARAMETER, f"cipher suite {hello.cipher_suite:#06x} was not offered")
        suite = CIPHER_SUITES[hello.cipher_suite]
        if self._schedule is not None and suite != self._schedule.suite:
            raise crypto_error(Alert.ILLEGAL_PARAMETER, "another cipher suite than in HelloRetryRequest")
        return suite

    def _retry(self, hello: ServerHello, suite: CipherSuite, message: bytes) -> None:
        """Answer a HelloRetryRequest with the ClientHello that it asks for (RFC 9846 §4.2.2, §4.2.4)."""
        if self._retried:
            raise crypto_error(Alert.UNEXPECTED_MESSAGE, "a second HelloRetryRequest")
        self._retried = True
        reject_unsolicited(hello.extensions, {*self._hello.extensions, ExtensionType.COOKIE})
        extensions = dict(self._hello.extensions)
        if (selected := hello.extensions.get(ExtensionType.KEY_SHARE)) is not None:
            group = parse_number(selected, "key_share")
            if group not in self._context.groups or group == self._share.group:
                raise crypto_error(Alert.ILLEGAL_PARAMETER, f"HelloRetryRequest for group {group:#06x}")
            self._share = GROUPS[group].offer(self._random)
            extensions[ExtensionType.KEY_SHARE] = encode_client_shares([(group, self._share.public)])
        if (cookie := hello.extensions.get(ExtensionType.COOKIE)) is not None:
            extensions[ExtensionType.COOKIE] = parse_cookie(cookie)
        if extensions == self._hello.extensions:
            raise crypto_error(Alert.ILLEGAL_PARAMETER, "HelloRetryRequest asks for no change")
        self._hello = self._hello._replace(extensions=extensions)
        encoded = self._hello.encode()
        self._schedule = KeySchedule(suite)
        self._schedule.update(self._first_flight)
        self._schedule.replace_by_message_hash()
        self._schedule.update(message)
        self._schedule.update(encoded)
        self._send(EncryptionLevel.INITIAL, encoded)

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
        self._established.update(message)
        self._events.append(PeerTransportParameters(transport_parameters))
        self._state = State.WAIT_CERT_CR

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
        parse_u16_list(schemes, "signature_algorithms")
        self._established.update(message)
        self._certificate_requested = True
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
        trust_store, server_name = self._context.trust_store, self._server_name
        if trust_store is not None and server_name is not None:
            self._peer_key = authenticated_key(chain, server_name, trust_store, self._context.clock())
        else:
            self._peer_key = public_key(parse_certificate(chain[0]))
        self._peer_certificate = chain[0]
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
        flight = b""
        if self._certificate_requested:  # there is none to show, and saying so is not optional (RFC 9846 §4.5.1)
            flight = Certificate(b"", ()).encode()
            schedule.update(flight)
        flight += Finished(schedule.verify_data(self._handshake_secrets.client)).encode()
        self._send(EncryptionLevel.HANDSHAKE, flight)
        self._events.append(KeysReady(EncryptionLevel.ONE_RTT, schedule.suite, secrets.client, secrets.server))
        self._events.append(
            HandshakeComplete(
                alpn_protocol=self._alpn_protocol,
                cipher_suite=schedule.suite,
                group=self._share.group,
                peer_certificate=self._peer_certificate,
                server_name=None if self._server_name is None else self._server_name.sni,
            )
        )
        self._state = State.CONNECTED

    def _on_new_session_ticket(self, message: bytes) -> None:
        """A client that does not resume ignores tickets (RFC 9846 §4.7.1), once they are well-formed."""
        ticket = NewSessionTicket.parse(message[HEADER_SIZE:])
        early_data = ticket.extensions.get(ExtensionType.EARLY_DATA)
        if early_data is None:
            return
        if len(early_data) != 4:
            raise crypto_error(Alert.DECODE_ERROR, "a ticket's early_data has the wrong length")
        if int.from_bytes(early_data) != _MAX_EARLY_DATA_SIZE:
            raise protocol_violation("a ticket's max_early_data_size is not 0xffffffff")  # RFC 9001 §4.6.1

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
