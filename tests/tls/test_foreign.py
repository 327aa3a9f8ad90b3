"""Handshakes with other people's TLS 1.3: aioquic's in both roles, and OpenSSL's for HelloRetryRequest."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aioquic import tls as foreign
from aioquic._buffer import Buffer
from cryptography import x509
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from quicmini.crypto.hkdf import hkdf_expand_label
from quicmini.crypto.keys import CIPHER_SUITES, EncryptionLevel
from quicmini.tls.certificates import Credential, TrustStore
from quicmini.tls.client import TlsClient
from quicmini.tls.codes import Alert, ExtensionType
from quicmini.tls.events import CryptoData, HandshakeComplete, KeysReady, PeerTransportParameters, TlsEvent
from quicmini.tls.groups import GROUPS, OPTIONAL_GROUPS
from quicmini.tls.messages import ServerHello
from quicmini.tls.server import TlsServer
from quicmini.tls.session import Session
from tests.tls.certs import Made, make
from tests.tls.peers import (
    CLIENT_PARAMETERS,
    HANDSHAKE,
    INITIAL,
    KINDS,
    ONE_RTT,
    SERVER_PARAMETERS,
    alert_of,
    client_context,
    crypto_data,
    make_client,
    make_server,
    now,
    server_context,
    sessions,
    started,
    ticket_context,
)

EPOCHS = {
    foreign.Epoch.INITIAL: INITIAL,
    foreign.Epoch.ZERO_RTT: EncryptionLevel.ZERO_RTT,
    foreign.Epoch.HANDSHAKE: HANDSHAKE,
    foreign.Epoch.ONE_RTT: ONE_RTT,
}
THEIR_GROUPS = [group for group in GROUPS if group not in OPTIONAL_GROUPS]  # aioquic knows no ML-KEM
QUIC_TRANSPORT_PARAMETERS = int(ExtensionType.QUIC_TRANSPORT_PARAMETERS)


@dataclass
class Aioquic:
    """aioquic's TLS: what it says, and the secrets that it announces, by level and direction."""

    context: foreign.Context
    secrets: dict[tuple[EncryptionLevel, str], bytes] = field(default_factory=dict)
    output: list[tuple[EncryptionLevel, bytes]] = field(default_factory=list)

    @classmethod
    def make(cls, *, is_client: bool, **settings: Any) -> Aioquic:
        context = foreign.Context(is_client=is_client, alpn_protocols=["h3"], **settings)
        parameters = CLIENT_PARAMETERS if is_client else SERVER_PARAMETERS
        context.handshake_extensions = [(QUIC_TRANSPORT_PARAMETERS, parameters)]
        peer = cls(context)
        context.update_traffic_key_cb = lambda direction, epoch, suite, secret: peer.secrets.update(
            {(EPOCHS[epoch], direction.name): secret}
        )
        return peer

    def receive(self, data: bytes) -> None:
        buffers = {epoch: Buffer(capacity=1 << 16) for epoch in EPOCHS}
        self.context.handle_message(data, buffers)
        self.output += [(EPOCHS[epoch], buffer.data) for epoch, buffer in buffers.items() if buffer.data]


def shake_hands(ours: TlsClient | TlsServer, theirs: Aioquic) -> list[TlsEvent]:
    """Until both are silent; all of our events."""
    seen: list[TlsEvent] = []
    active = True
    while active:
        events = ours.events()
        seen += events
        for event in events:
            if isinstance(event, CryptoData):
                theirs.receive(event.data)
        output, theirs.output = theirs.output, []
        for level, data in output:
            ours.receive(level, data)
        active = bool(events or output)
    return seen


def assert_agreed(events: list[TlsEvent], theirs: Aioquic) -> HandshakeComplete:
    ours: dict[tuple[EncryptionLevel, str], bytes] = {}
    for event in events:
        if isinstance(event, KeysReady):
            if event.send_secret:
                ours[event.level, "DECRYPT"] = event.send_secret
            if event.receive_secret:
                ours[event.level, "ENCRYPT"] = event.receive_secret
    assert ours == theirs.secrets
    assert len(ours) == 4
    (complete,) = (event for event in events if isinstance(event, HandshakeComplete))
    return complete


def foreign_server(own: Made, **settings: Any) -> Aioquic:
    peer = Aioquic.make(is_client=False, **settings)
    peer.context.certificate, peer.context.certificate_private_key = own.certificate, own.key
    return peer


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suite", CIPHER_SUITES)
def test_our_client_with_their_server(kind: str, suite: int) -> None:
    own = make("localhost", "localhost", kind=kind)
    theirs = foreign_server(own)
    client = make_client(client_context(TrustStore([own.certificate]), cipher_suites=(suite,)))
    client.start()
    events = shake_hands(client, theirs)
    complete = assert_agreed(events, theirs)
    assert (complete.cipher_suite.code, complete.alpn_protocol) == (suite, "h3")
    assert theirs.context.state == foreign.State.SERVER_POST_HANDSHAKE
    assert PeerTransportParameters(SERVER_PARAMETERS) in events
    assert (QUIC_TRANSPORT_PARAMETERS, CLIENT_PARAMETERS) in (theirs.context.received_extensions or [])


@pytest.mark.parametrize("group", THEIR_GROUPS)
def test_our_client_with_their_server_in_each_group(group: int) -> None:
    client = make_client(client_context(groups=(group,)))
    client.start()
    assert assert_agreed(shake_hands(client, theirs := foreign_server(make("localhost"))), theirs).group == group


def test_their_server_asks_for_a_certificate() -> None:
    theirs = foreign_server(make("localhost"))
    theirs.context._request_client_certificate = True
    client = make_client()
    client.start()
    assert_agreed(shake_hands(client, theirs), theirs)
    assert theirs.context.state == foreign.State.SERVER_POST_HANDSHAKE


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suite", CIPHER_SUITES)
def test_their_client_with_our_server(kind: str, suite: int) -> None:
    server = make_server(server_context(kind))
    certificate = x509.load_der_x509_certificate(server_context(kind).credential.chain[0])
    theirs = Aioquic.make(
        is_client=True,
        server_name="localhost",
        verify_mode=ssl.CERT_NONE,
        cipher_suites=[foreign.CipherSuite(suite)],
    )
    theirs.receive(b"")
    events = shake_hands(server, theirs)
    complete = assert_agreed(events, theirs)
    assert (complete.cipher_suite.code, complete.server_name) == (suite, "localhost")
    assert theirs.context.state == foreign.State.CLIENT_POST_HANDSHAKE
    assert theirs.context._peer_certificate == certificate
    assert theirs.context.alpn_negotiated == "h3"
    assert PeerTransportParameters(CLIENT_PARAMETERS) in events


@pytest.mark.parametrize("group", THEIR_GROUPS)
def test_their_client_with_our_server_in_each_group(group: int) -> None:
    theirs = Aioquic.make(is_client=True, server_name="localhost", verify_mode=ssl.CERT_NONE)
    theirs.context._supported_groups = [foreign.Group.GREASE, foreign.Group(group)]
    theirs.receive(b"")
    assert assert_agreed(shake_hands(make_server(), theirs), theirs).group == group


def agreed_secrets(events: list[TlsEvent], theirs: Aioquic) -> HandshakeComplete:
    """As `assert_agreed`, for a handshake that may have 0-RTT secrets as well."""
    early = [event for event in events if isinstance(event, KeysReady) and event.level is EncryptionLevel.ZERO_RTT]
    early_secret = {secret for event in early for secret in (event.send_secret, event.receive_secret) if secret}
    assert early_secret == {
        theirs.secrets.pop(key) for key in list(theirs.secrets) if key[0] is EncryptionLevel.ZERO_RTT
    }
    return assert_agreed([event for event in events if event not in early], theirs)


@pytest.mark.parametrize("suite", CIPHER_SUITES)
@pytest.mark.parametrize("early_data", [False, True])
def test_their_client_resumes_with_our_server(suite: int, early_data: bool) -> None:
    context = ticket_context(early_data=early_data)
    tickets: list[foreign.SessionTicket] = []

    def connect() -> tuple[HandshakeComplete, Aioquic]:
        settings = {"server_name": "localhost", "verify_mode": ssl.CERT_NONE}
        theirs = Aioquic.make(is_client=True, cipher_suites=[foreign.CipherSuite(suite)], **settings)
        theirs.context.new_session_ticket_cb = tickets.append
        theirs.context.session_ticket = tickets.pop() if tickets else None
        theirs.receive(b"")
        return agreed_secrets(shake_hands(make_server(context), theirs), theirs), theirs

    complete, _ = connect()
    assert (complete.resumed, len(tickets)) == (False, 1)
    for _ in range(2):
        complete, theirs = connect()
        assert (complete.resumed, complete.early_data_accepted) == (True, early_data)
        assert theirs.context.session_resumed
        assert theirs.context.early_data_accepted == early_data
        assert len(tickets) == 1


@pytest.mark.parametrize("suite", CIPHER_SUITES)
@pytest.mark.parametrize("early_data", [False, True])
def test_our_client_resumes_with_their_server(suite: int, early_data: bool) -> None:
    own = make("localhost", "localhost")
    tickets: dict[bytes, foreign.SessionTicket] = {}
    context = client_context(TrustStore([own.certificate]), cipher_suites=(suite,), alpn_protocols=("h3",))

    def connect(session: Session | None) -> tuple[list[TlsEvent], HandshakeComplete]:
        theirs = foreign_server(own, max_early_data=0xFFFFFFFF if early_data else None)
        theirs.context.new_session_ticket_cb = lambda ticket: tickets.update({ticket.ticket: ticket})
        theirs.context.get_session_ticket_cb = tickets.get
        client = make_client(context, session=session, early_data=True)
        client.start()
        events = shake_hands(client, theirs)
        complete = agreed_secrets(events, theirs)
        assert theirs.context.session_resumed == (session is not None)
        return events, complete

    events, complete = connect(None)
    assert not complete.resumed
    for _ in range(2):
        (session,) = sessions(events)
        assert session.early_data == early_data
        events, complete = connect(session)
        assert (complete.resumed, complete.early_data_accepted) == (True, early_data)
        assert complete.peer_certificate == own.der


@pytest.mark.parametrize("kind", KINDS)
def test_their_server_asks_for_a_certificate_and_gets_one(kind: str) -> None:
    own = make("Alice", kind=kind)
    theirs = foreign_server(make("localhost"))
    theirs.context._request_client_certificate = True
    client = make_client(client_context(credential=Credential((own.der,), own.key)))
    client.start()
    assert_agreed(shake_hands(client, theirs), theirs)
    assert theirs.context.state == foreign.State.SERVER_POST_HANDSHAKE
    assert theirs.context._peer_certificate == own.certificate


@pytest.mark.parametrize("kind", KINDS)
def test_their_client_shows_a_certificate_to_our_server(kind: str) -> None:
    authority = make("clients", ca=True)
    own = make("Alice", kind=kind, issuer=authority)
    server = make_server(server_context(client_trust_store=TrustStore([authority.certificate]), clock=now))
    theirs = Aioquic.make(is_client=True, server_name="localhost", verify_mode=ssl.CERT_NONE)
    theirs.context.certificate, theirs.context.certificate_private_key = own.certificate, own.key
    theirs.receive(b"")
    assert assert_agreed(shake_hands(server, theirs), theirs).peer_certificate == own.der


def record(content_type: int, data: bytes) -> bytes:
    return bytes((content_type,)) + b"\3\3" + len(data).to_bytes(2) + data


def records(data: bytes) -> list[tuple[int, bytes, bytes]]:
    """Content type, header and fragment of each record (RFC 9846 §5.1)."""
    result = []
    while data:
        end = 5 + int.from_bytes(data[3:5])
        result.append((data[0], data[:5], data[5:end]))
        data = data[end:]
    return result


@pytest.mark.parametrize(("curve", "group"), [("prime256v1", 23), ("secp384r1", 24)])
def test_a_hello_retry_request_of_openssl(tmp_path: Path, curve: str, group: int) -> None:
    """OpenSSL's TLS knows no QUIC, so the handshake ends with its EncryptedExtensions, which lack the transport
    parameters. That they can be decrypted at all proves the transcript of the retried handshake.
    """
    own = make("localhost", "localhost")
    (tmp_path / "both.pem").write_bytes(own.pem + own.key_pem)
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    settings.load_cert_chain(tmp_path / "both.pem")
    settings.set_ecdh_curve(curve)
    settings.set_alpn_protocols(["h3"])
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = settings.wrap_bio(incoming, outgoing, server_side=True)

    def exchange(message: bytes) -> list[tuple[int, bytes, bytes]]:
        incoming.write(record(22, message))
        with pytest.raises(ssl.SSLWantReadError):
            server.do_handshake()
        return records(outgoing.read())

    client = make_client(client_context(cipher_suites=(0x1301,)))
    ((_, _, request),) = (item for item in exchange(started(client)) if item[0] == 22)
    extensions = ServerHello.parse(request[4:]).extensions
    assert extensions[ExtensionType.KEY_SHARE] == group.to_bytes(2)
    client.receive(INITIAL, request)
    hello, first, *_ = (item for item in exchange(crypto_data(client.events(), INITIAL)) if item[0] in (22, 23))
    client.receive(INITIAL, hello[2])
    (keys,) = client.events()
    assert isinstance(keys, KeysReady)
    assert keys.receive_secret is not None
    key = hkdf_expand_label("sha256", keys.receive_secret, "key", b"", 16)
    nonce = hkdf_expand_label("sha256", keys.receive_secret, "iv", b"", 12)
    plaintext = AESGCM(key).decrypt(nonce, first[2], first[1])
    assert plaintext[-1] == 22
    assert alert_of(client.receive, HANDSHAKE, plaintext[:-1]) == Alert.MISSING_EXTENSION
