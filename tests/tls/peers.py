"""Clients and servers for the tests of TLS: contexts, a pump between the two, a server that says what it is told."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from quicmini.crypto.keys import CIPHER_SUITES, EncryptionLevel
from quicmini.crypto.tokens import TicketKeys
from quicmini.errors import HandshakeError, TransportError
from quicmini.tls.certificates import Credential, TrustStore
from quicmini.tls.client import TlsClient
from quicmini.tls.codes import TLS_1_3, ExtensionType
from quicmini.tls.context import ClientContext, ServerContext
from quicmini.tls.events import CryptoData, HandshakeComplete, KeysReady, SessionTicket, TlsEvent
from quicmini.tls.extensions import encode_protocols, encode_share, parse_client_shares
from quicmini.tls.groups import GROUPS
from quicmini.tls.key_schedule import SERVER_CONTEXT, KeySchedule, TrafficSecrets, certificate_verify_content
from quicmini.tls.messages import (
    HELLO_RETRY_REQUEST_RANDOM,
    CertificateVerify,
    ClientHello,
    EncryptedExtensions,
    Finished,
    ServerHello,
)
from quicmini.tls.server import TlsServer
from quicmini.tls.session import Session
from tests.tls.certs import make

INITIAL, HANDSHAKE, ONE_RTT = EncryptionLevel.INITIAL, EncryptionLevel.HANDSHAKE, EncryptionLevel.ONE_RTT

CLIENT_PARAMETERS = b"the client's transport parameters"
SERVER_PARAMETERS = b"the server's transport parameters"

KINDS = ("ecdsa", "ecdsa-p384", "rsa", "ed25519")


def counting_random(seed: str) -> Callable[[int], bytes]:
    """Bytes that look random and are the same in every run."""
    count = 0

    def random(size: int) -> bytes:
        nonlocal count
        count += 1
        return hashlib.shake_128(f"{seed} {count}".encode()).digest(size)

    return random


def now() -> datetime:
    return datetime.now(UTC)


@cache
def credential(kind: str) -> Credential:
    """A self-signed certificate of that kind for localhost, the same for the whole session."""
    made = make("localhost", kind=kind)
    return Credential((made.der,), made.key)


def client_context(trust_store: TrustStore | None = None, **changes: Any) -> ClientContext:
    return ClientContext(**{"alpn_protocols": ("chat", "h3"), "trust_store": trust_store, "clock": now, **changes})


def server_context(kind: str = "ecdsa", **changes: Any) -> ServerContext:
    return ServerContext(**{"alpn_protocols": ("h3", "chat"), "credential": credential(kind), **changes})


def ticket_context(kind: str = "ecdsa", **changes: Any) -> ServerContext:
    """A server's context that hands out tickets."""
    return server_context(kind, **{"ticket_keys": TicketKeys(counting_random("keys")), "clock": now, **changes})


def make_client(
    context: ClientContext | None = None, server_name: str | None = "localhost", **settings: Any
) -> TlsClient:
    return TlsClient(context or client_context(), server_name, CLIENT_PARAMETERS, counting_random("client"), **settings)


def make_server(context: ServerContext | None = None, **settings: Any) -> TlsServer:
    return TlsServer(context or server_context(), SERVER_PARAMETERS, counting_random("server"), **settings)


def sessions(events: list[TlsEvent]) -> list[Session]:
    """The sessions that a client got tickets for."""
    return [event.session for event in events if isinstance(event, SessionTicket)]


def first_session(server: ServerContext, client: ClientContext | None = None, **settings: Any) -> Session:
    """Connect, and keep the session. settings: of the server."""
    events, _ = shake_hands(make_client(client), make_server(server, **settings))
    return sessions(events)[0]


def crypto_data(events: list[TlsEvent], level: EncryptionLevel) -> bytes:
    """What the events say is to be sent at a level."""
    return b"".join(event.data for event in events if isinstance(event, CryptoData) and event.level == level)


def started(client: TlsClient) -> bytes:
    """Start the client; its ClientHello."""
    client.start()
    return crypto_data(client.events(), INITIAL)


def shake_hands(client: TlsClient, server: TlsServer, piece: int = 1 << 20) -> tuple[list[TlsEvent], list[TlsEvent]]:
    """Carry the data to and fro in pieces of `piece` bytes until both are silent: the client's and server's events."""
    client.start()
    seen: dict[TlsClient | TlsServer, list[TlsEvent]] = {client: [], server: []}
    pairs: tuple[tuple[TlsClient | TlsServer, TlsClient | TlsServer], ...] = ((client, server), (server, client))
    active = True
    while active:
        active = False
        for sender, receiver in pairs:
            events = sender.events()
            seen[sender] += events
            for event in events:
                if isinstance(event, CryptoData):
                    active = True
                    for start in range(0, len(event.data), piece):
                        receiver.receive(event.level, event.data[start : start + piece])
    return seen[client], seen[server]


def keys(events: list[TlsEvent]) -> dict[EncryptionLevel, tuple[bytes | None, bytes | None]]:
    """The secrets to send and to receive with, by level."""
    found: dict[EncryptionLevel, tuple[bytes | None, bytes | None]] = {}
    for event in events:
        if isinstance(event, KeysReady):
            send, receive = found.get(event.level, (None, None))
            found[event.level] = (event.send_secret or send, event.receive_secret or receive)
    return found


def completion(events: list[TlsEvent]) -> HandshakeComplete:
    (complete,) = (event for event in events if isinstance(event, HandshakeComplete))
    return complete


def assert_agreed(client_events: list[TlsEvent], server_events: list[TlsEvent]) -> None:
    """Both sides have the same secrets, mirrored, and both levels of them."""
    client_keys, server_keys = keys(client_events), keys(server_events)
    assert {level: (receive, send) for level, (send, receive) in server_keys.items()} == client_keys
    assert set(client_keys) == {HANDSHAKE, ONE_RTT}
    assert None not in {secret for pair in client_keys.values() for secret in pair}


def split_messages(data: bytes) -> list[bytes]:
    """The handshake messages in a flight."""
    messages = []
    while data:
        end = 4 + int.from_bytes(data[1:4])
        messages.append(data[:end])
        data = data[end:]
    return messages


def error_of(call: Callable[..., object], *arguments: object) -> TransportError:
    """The error that the call raises: anything but a TransportError is a fault of ours."""
    try:
        call(*arguments)
    except TransportError as error:
        return error
    raise AssertionError("no error was raised")


def alert_of(call: Callable[..., object], *arguments: object) -> int:
    """The TLS alert that the call raises."""
    error = error_of(call, *arguments)
    assert isinstance(error, HandshakeError)
    return error.alert


def outcome(call: Callable[..., object], *arguments: object) -> int | None:
    """The error code that the call raises, None if it is content."""
    try:
        call(*arguments)
    except TransportError as error:
        return error.error_code
    return None


class ScriptedServer:
    """A server that sends what a test wants: the transcript, the signature and Finished are right all the same."""

    def __init__(self, suite: int = 0x1301, kind: str = "ecdsa") -> None:
        self.suite = CIPHER_SUITES[suite]
        self.credential = credential(kind)
        self.schedule = KeySchedule(self.suite)
        self.secrets: TrafficSecrets

    def retry(self, client_hello: bytes, extensions: dict[int, bytes]) -> bytes:
        """A HelloRetryRequest with these extensions beside supported_versions."""
        self.schedule.update(client_hello)
        self.schedule.replace_by_message_hash()
        versions: dict[int, bytes] = {ExtensionType.SUPPORTED_VERSIONS: TLS_1_3.to_bytes(2)}
        request = ServerHello(HELLO_RETRY_REQUEST_RANDOM, self.suite.code, versions | extensions).encode()
        self.schedule.update(request)
        return request

    def hello(self, client_hello: bytes) -> bytes:
        """ServerHello for the first share of the ClientHello."""
        self.schedule.update(client_hello)
        shares = parse_client_shares(ClientHello.parse(client_hello[4:]).extensions[ExtensionType.KEY_SHARE])
        group, client_share = next(iter(shares.items()))
        public, shared_secret = GROUPS[group].respond(client_share, counting_random("share"))
        extensions: dict[int, bytes] = {
            ExtensionType.SUPPORTED_VERSIONS: TLS_1_3.to_bytes(2),
            ExtensionType.KEY_SHARE: encode_share(group, public),
        }
        hello = ServerHello(bytes(range(32)), self.suite.code, extensions).encode()
        self.schedule.update(hello)
        self.secrets = self.schedule.handshake_traffic_secrets(shared_secret)
        return hello

    def flight(self, request: bytes = b"", extensions: dict[int, bytes] | None = None) -> bytes:
        """EncryptedExtensions to Finished, with a CertificateRequest if there is one."""
        answers: dict[int, bytes] = {
            ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION: encode_protocols([b"chat"]),
            ExtensionType.QUIC_TRANSPORT_PARAMETERS: SERVER_PARAMETERS,
        }
        flight = EncryptedExtensions(answers | (extensions or {})).encode() + request
        flight += self.credential.certificate_message
        self.schedule.update(flight)
        scheme = self.credential.schemes[0]
        content = certificate_verify_content(SERVER_CONTEXT, self.schedule.transcript_hash())
        verify = CertificateVerify(scheme, self.credential.sign(scheme, content)).encode()
        self.schedule.update(verify)
        finished = Finished(self.schedule.verify_data(self.secrets.server)).encode()
        self.schedule.update(finished)
        return flight + verify + finished
