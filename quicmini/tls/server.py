"""The server's side of the TLS 1.3 handshake for QUIC (RFC 9846 §2, §A.2; RFC 9001 §4, §8)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import ClassVar

from quicmini.crypto.keys import CIPHER_SUITES, EncryptionLevel
from quicmini.errors import crypto_error
from quicmini.tls.codes import LEGACY_VERSION, TLS_1_3, Alert, ExtensionType, HandshakeType
from quicmini.tls.context import ServerContext
from quicmini.tls.events import HandshakeComplete, KeysReady, PeerTransportParameters
from quicmini.tls.extensions import (
    Extensions,
    encode_protocols,
    encode_share,
    parse_client_shares,
    parse_protocols,
    parse_server_name,
    parse_u16_list,
)
from quicmini.tls.groups import GROUPS, Random
from quicmini.tls.handshake import Handler, Handshake, State, protocol_violation
from quicmini.tls.key_schedule import SERVER_CONTEXT, KeySchedule, TrafficSecrets, certificate_verify_content
from quicmini.tls.messages import (
    HEADER_SIZE,
    HELLO_RETRY_REQUEST_RANDOM,
    CertificateVerify,
    ClientHello,
    EncryptedExtensions,
    Finished,
    ServerHello,
)

__all__ = ["TlsServer"]

# What may differ between the ClientHellos before and after a HelloRetryRequest (RFC 9846 §4.2.2).
_RETRY_CHANGES = frozenset(
    {
        ExtensionType.KEY_SHARE,
        ExtensionType.EARLY_DATA,
        ExtensionType.COOKIE,
        ExtensionType.PRE_SHARED_KEY,
        ExtensionType.PADDING,
        ExtensionType.ENCRYPTED_CLIENT_HELLO,
    }
)

# Without these a ClientHello is of no use to a server that has certificates only (RFC 9846 §9.2, RFC 9001 §8.2).
_REQUIRED = (
    ExtensionType.SIGNATURE_ALGORITHMS,
    ExtensionType.SUPPORTED_GROUPS,
    ExtensionType.KEY_SHARE,
    ExtensionType.QUIC_TRANSPORT_PARAMETERS,
)

_SELECTED_VERSION = TLS_1_3.to_bytes(2)


class TlsServer(Handshake):
    """A server's handshake: `receive` what the client sends; `events` says what is to be done.

    transport_parameters: encoded, or a function from the client's to this server's (it is called once, with the
    first acceptable ClientHello). random: like os.urandom.
    """

    def __init__(
        self,
        context: ServerContext,
        transport_parameters: bytes | Callable[[bytes], bytes],
        random: Random,
    ) -> None:
        super().__init__(State.START)
        self._context = context
        self._transport_parameters = transport_parameters
        self._random = random
        self.client_random = b""
        self._first_hello: ClientHello | None = None  # kept while a HelloRetryRequest is under way
        self._server_name: str | None = None
        self._alpn_protocol: str
        self._group: int
        self._schedule: KeySchedule
        self._handshake_secrets: TrafficSecrets

    def _on_client_hello(self, message: bytes) -> None:
        hello = ClientHello.parse(message[HEADER_SIZE:])
        _check_client_hello(hello)
        if self._first_hello is not None:
            _check_retried(self._first_hello, hello, self._group)
        self.client_random = hello.random
        suite = CIPHER_SUITES[
            _choose("cipher suite", self._context.cipher_suites, hello.cipher_suites, Alert.HANDSHAKE_FAILURE)
        ]
        scheme = _choose(
            "signature algorithm",
            self._context.credential.schemes,
            parse_u16_list(hello.extensions[ExtensionType.SIGNATURE_ALGORITHMS], "signature_algorithms"),
            Alert.HANDSHAKE_FAILURE,
        )
        self._alpn_protocol = self._choose_protocol(hello.extensions)
        if (server_name := hello.extensions.get(ExtensionType.SERVER_NAME)) is not None:
            self._server_name = parse_server_name(server_name)
        share = self._client_share(hello.extensions)
        if self._first_hello is None:
            self._schedule = KeySchedule(suite)
        self._schedule.update(message)
        if share is None:
            self._request_retry(hello)
            return
        self._respond(hello, share, scheme)

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
        self._group = _choose("group", self._context.groups, supported, Alert.HANDSHAKE_FAILURE)
        return None

    def _request_retry(self, hello: ClientHello) -> None:
        """Ask for a share of a group that both support (RFC 9846 §4.2.4)."""
        self._first_hello = hello
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

    def _respond(self, hello: ClientHello, client_share: bytes, scheme: int) -> None:
        """The server's whole flight, from ServerHello to Finished."""
        schedule, suite = self._schedule, self._schedule.suite
        server_share, shared_secret = GROUPS[self._group].respond(client_share, self._random)
        server_hello = ServerHello(
            self._random(32),
            suite.code,
            {
                ExtensionType.SUPPORTED_VERSIONS: _SELECTED_VERSION,
                ExtensionType.KEY_SHARE: encode_share(self._group, server_share),
            },
        ).encode()
        schedule.update(server_hello)
        handshake = self._handshake_secrets = schedule.handshake_traffic_secrets(shared_secret)
        client_parameters = hello.extensions[ExtensionType.QUIC_TRANSPORT_PARAMETERS]
        self._events.append(PeerTransportParameters(client_parameters))
        self._send(EncryptionLevel.INITIAL, server_hello)
        self._read_from(EncryptionLevel.HANDSHAKE)
        self._events.append(KeysReady(EncryptionLevel.HANDSHAKE, suite, handshake.server, handshake.client))

        self._send(EncryptionLevel.HANDSHAKE, self._authenticate(client_parameters, scheme))
        self._state = State.WAIT_FINISHED

    def _authenticate(self, client_parameters: bytes, scheme: int) -> bytes:
        """EncryptedExtensions, Certificate, CertificateVerify and Finished (RFC 9846 §4.4, §4.5)."""
        schedule, credential = self._schedule, self._context.credential
        own_parameters = self._transport_parameters
        extensions: dict[int, bytes] = {
            ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION: encode_protocols([self._alpn_protocol.encode()]),
            ExtensionType.QUIC_TRANSPORT_PARAMETERS: (
                own_parameters(client_parameters) if callable(own_parameters) else own_parameters
            ),
        }
        flight = EncryptedExtensions(extensions).encode() + credential.certificate_message
        schedule.update(flight)
        content = certificate_verify_content(SERVER_CONTEXT, schedule.transcript_hash())
        certificate_verify = CertificateVerify(scheme, credential.sign(scheme, content)).encode()
        schedule.update(certificate_verify)
        finished = Finished(schedule.verify_data(self._handshake_secrets.server)).encode()
        schedule.update(finished)
        return flight + certificate_verify + finished

    def _on_finished(self, message: bytes) -> None:
        schedule = self._schedule
        self._check_finished(message, schedule, self._handshake_secrets.client)
        # Not before now: 1-RTT packets that come earlier must wait (RFC 9001 §5.7), and this server sends none before
        # it knows whom it talks to, though it may (§4.1.4). So its flight does not wait for these secrets.
        secrets = schedule.application_traffic_secrets()
        schedule.update(message)
        self._read_from(EncryptionLevel.ONE_RTT)
        self._events.append(KeysReady(EncryptionLevel.ONE_RTT, schedule.suite, secrets.server, secrets.client))
        self._events.append(
            HandshakeComplete(
                alpn_protocol=self._alpn_protocol,
                cipher_suite=schedule.suite,
                group=self._group,
                peer_certificate=None,
                server_name=self._server_name,
            )
        )
        self._state = State.CONNECTED

    TABLE: ClassVar[dict[State, dict[int, Handler]]] = {
        State.START: {HandshakeType.CLIENT_HELLO: _on_client_hello},
        State.WAIT_RETRIED_CH: {HandshakeType.CLIENT_HELLO: _on_client_hello},
        State.WAIT_FINISHED: {HandshakeType.FINISHED: _on_finished},
        State.CONNECTED: {},  # a client has nothing to say after the handshake
    }


def _choose(what: str, preferred: Iterable[int], offered: Collection[int], alert: Alert) -> int:
    """The first of ours that the client offers. What we do not know (GREASE, RFC 8701) is passed over."""
    for code in preferred:
        if code in offered:
            return code
    raise crypto_error(alert, f"no {what} in common")


def _check_client_hello(hello: ClientHello) -> None:
    """The rules that do not depend on what this server supports (RFC 9846 §4.2.2, §9.2; RFC 9001 §8)."""
    extensions = hello.extensions
    versions = extensions.get(ExtensionType.SUPPORTED_VERSIONS)
    if versions is None or TLS_1_3 not in parse_u16_list(versions, "supported_versions", size=1):
        raise crypto_error(Alert.PROTOCOL_VERSION, "the client does not speak TLS 1.3")
    if hello.legacy_version != LEGACY_VERSION:
        raise crypto_error(Alert.PROTOCOL_VERSION, f"the legacy version is {hello.legacy_version:#06x}")
    if hello.legacy_session_id:
        raise protocol_violation("a legacy session ID in QUIC")  # RFC 9001 §8.4
    if hello.legacy_compression_methods != b"\0":
        raise crypto_error(Alert.ILLEGAL_PARAMETER, "the client offers compression")
    for required in _REQUIRED:
        if required not in extensions:
            raise crypto_error(Alert.MISSING_EXTENSION, f"ClientHello without {required.name.lower()}")
    if ExtensionType.PRE_SHARED_KEY in extensions:
        if next(reversed(extensions)) != ExtensionType.PRE_SHARED_KEY:  # RFC 9846 §4.3.11
            raise crypto_error(Alert.ILLEGAL_PARAMETER, "pre_shared_key is not the last extension")
        if ExtensionType.PSK_KEY_EXCHANGE_MODES not in extensions:  # RFC 9846 §4.3.9
            raise crypto_error(Alert.MISSING_EXTENSION, "pre_shared_key without psk_key_exchange_modes")


def _check_retried(first: ClientHello, second: ClientHello, group: int) -> None:
    """The second ClientHello is the first with the share that was asked for (RFC 9846 §4.2.2)."""

    def constant(hello: ClientHello) -> ClientHello:
        kept = {code: content for code, content in hello.extensions.items() if code not in _RETRY_CHANGES}
        return hello._replace(extensions=kept)

    if constant(first) != constant(second):
        raise crypto_error(Alert.ILLEGAL_PARAMETER, "the second ClientHello is not the first one again")
    if list(parse_client_shares(second.extensions[ExtensionType.KEY_SHARE])) != [group]:
        raise crypto_error(Alert.ILLEGAL_PARAMETER, "the second ClientHello lacks the key share asked for")
