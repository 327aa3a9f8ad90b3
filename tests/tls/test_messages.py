"""The messages: RFC 8448's own, malformed ones, and whatever hypothesis thinks of."""

from __future__ import annotations

from typing import Any, Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vectors
from quicmini.tls.codes import Alert
from quicmini.tls.messages import (
    HELLO_RETRY_REQUEST_RANDOM,
    MAX_CERTIFICATES,
    Certificate,
    CertificateEntry,
    CertificateRequest,
    CertificateVerify,
    ClientHello,
    EncryptedExtensions,
    Finished,
    NewSessionTicket,
    ServerHello,
)
from tests.tls.peers import alert_of, outcome

SIMPLE = vectors.load("rfc8448-3-simple-1rtt").values
RESUMED = vectors.load("rfc8448-4-resumed-0rtt").values


class Message(Protocol):
    @classmethod
    def parse(cls, body: bytes) -> Any: ...


RECORDED: list[tuple[type[Message], bytes]] = [
    (ClientHello, SIMPLE.octets("client_hello")),
    (ServerHello, SIMPLE.octets("server_hello")),
    (EncryptedExtensions, SIMPLE.octets("encrypted_extensions")),
    (Certificate, SIMPLE.octets("certificate")),
    (CertificateVerify, SIMPLE.octets("certificate_verify")),
    (Finished, SIMPLE.octets("server_finished")),
    (NewSessionTicket, SIMPLE.octets("new_session_ticket")),
    (ClientHello, RESUMED.octets("client_hello")),
    (ServerHello, RESUMED.octets("server_hello")),
    (EncryptedExtensions, RESUMED.octets("encrypted_extensions")),
]


@pytest.mark.parametrize(("kind", "message"), RECORDED)
def test_the_messages_of_rfc_8448_encode_to_the_same_bytes(kind: type[Message], message: bytes) -> None:
    assert kind.parse(message[4:]).encode() == message


def test_the_values_of_rfc_8448() -> None:
    hello = ClientHello.parse(SIMPLE.octets("client_hello")[4:])
    assert hello.cipher_suites == (0x1301, 0x1303, 0x1302)
    assert list(hello.extensions) == [0, 0xFF01, 10, 35, 51, 43, 13, 45, 28]
    answer = ServerHello.parse(SIMPLE.octets("server_hello")[4:])
    assert (answer.cipher_suite, answer.is_hello_retry_request) == (0x1301, False)
    ticket = NewSessionTicket.parse(SIMPLE.octets("new_session_ticket")[4:])
    assert (ticket.lifetime, ticket.age_add) == (SIMPLE.integer("ticket_lifetime"), SIMPLE.integer("ticket_age_add"))
    assert (ticket.ticket, ticket.nonce) == (SIMPLE.octets("ticket"), SIMPLE.octets("ticket_nonce"))
    assert int.from_bytes(ticket.extensions[42]) == SIMPLE.integer("max_early_data_size")


@pytest.mark.parametrize(("kind", "message"), [item for item in RECORDED if item[0] is not Finished])
def test_cut_short_or_with_a_byte_too_many(kind: type[Message], message: bytes) -> None:
    body = message[4:]
    assert alert_of(kind.parse, body + b"\0") == Alert.DECODE_ERROR
    outcomes = [outcome(kind.parse, body[:end]) for end in range(len(body))]
    # Before TLS 1.3 a hello could end where the extensions begin (RFC 9846 §4.2.2).
    assert outcomes.count(None) == (1 if kind in (ClientHello, ServerHello) else 0)
    assert set(outcomes) <= {None, 0x100 + Alert.DECODE_ERROR}


def test_a_hello_without_extensions_is_of_an_older_version() -> None:
    hello = ClientHello(bytes(32), (0x1301,), {})
    assert ClientHello.parse(hello.encode()[4:-2]) == hello
    answer = ServerHello(bytes(32), 0x1301, {})
    assert ServerHello.parse(answer.encode()[4:-2]) == answer


def test_the_random_tells_a_hello_retry_request() -> None:
    request = ServerHello(HELLO_RETRY_REQUEST_RANDOM, 0x1301, {43: b"\3\4", 44: b"\0\1x"})
    assert ServerHello.parse(request.encode()[4:]).is_hello_retry_request
    ordinary = request._replace(random=bytes(32))
    # A cookie is for HelloRetryRequest alone.
    assert alert_of(ServerHello.parse, ordinary.encode()[4:]) == Alert.ILLEGAL_PARAMETER


@pytest.mark.parametrize(
    "message",
    [
        ClientHello(bytes(32), (0x1301,), {}, legacy_session_id=bytes(33)),
        ClientHello(bytes(32), (), {}),
        ClientHello(bytes(32), (0x1301,), {}, legacy_compression_methods=b""),
        ServerHello(bytes(32), 0x1301, {}, legacy_session_id_echo=bytes(33)),
        Certificate(b"", (CertificateEntry(b"", {}),)),
        NewSessionTicket(1, 2, b"", b"", {}),
    ],
)
def test_values_outside_of_their_range(
    message: ClientHello | ServerHello | Certificate | NewSessionTicket,
) -> None:
    assert alert_of(message.parse, message.encode()[4:]) == Alert.DECODE_ERROR


def test_a_chain_has_a_limit() -> None:
    entry = CertificateEntry(b"x", {})
    longest = Certificate(b"", (entry,) * MAX_CERTIFICATES)
    assert Certificate.parse(longest.encode()[4:]) == longest
    longer = Certificate(b"", (entry,) * (MAX_CERTIFICATES + 1))
    assert alert_of(Certificate.parse, longer.encode()[4:]) == Alert.BAD_CERTIFICATE


octets = st.binary(max_size=40)
# GREASE and private numbers only: where the others may stand is test_extensions' concern.
blocks = st.dictionaries(st.sampled_from([0x0A0A, 0x1A1A, 0xFF01, 0xFFCE]), octets, max_size=4)
u16 = st.integers(0, 0xFFFF)
randoms = st.binary(min_size=32, max_size=32)

messages = st.one_of(
    st.builds(
        ClientHello,
        randoms,
        st.lists(u16, min_size=1, max_size=8).map(tuple),
        blocks,
        st.binary(max_size=32),
        st.binary(min_size=1, max_size=8),
        u16,
    ),
    st.builds(ServerHello, randoms, u16, blocks, st.binary(max_size=32), st.integers(0, 255), u16),
    st.builds(EncryptedExtensions, blocks),
    st.builds(CertificateRequest, octets, blocks),
    st.builds(
        Certificate,
        octets,
        st.lists(st.builds(CertificateEntry, st.binary(min_size=1, max_size=40), blocks), max_size=4).map(tuple),
    ),
    st.builds(CertificateVerify, u16, octets),
    st.builds(Finished, octets),
    st.builds(
        NewSessionTicket,
        st.integers(0, 2**32 - 1),
        st.integers(0, 2**32 - 1),
        octets,
        st.binary(min_size=1, max_size=40),
        blocks,
    ),
)


@settings(deadline=None, max_examples=200)
@given(messages)
def test_what_is_encoded_is_parsed_again(message: Any) -> None:
    encoded = message.encode()
    assert int.from_bytes(encoded[1:4]) == len(encoded) - 4
    assert message.parse(encoded[4:]) == message


@settings(deadline=None, max_examples=200)
@given(messages, st.data())
def test_a_changed_byte_gives_an_alert_or_another_message(message: Any, data: st.DataObject) -> None:
    body = bytearray(message.encode()[4:])
    if body:
        position = data.draw(st.integers(0, len(body) - 1))
        body[position] ^= data.draw(st.integers(1, 255))
    result = outcome(message.parse, bytes(body))
    assert result in (None, 0x100 + Alert.DECODE_ERROR, 0x100 + Alert.ILLEGAL_PARAMETER)
    if result is None:
        changed = message.parse(bytes(body))
        assert message.parse(changed.encode()[4:]) == changed


@settings(deadline=None, max_examples=200)
@given(st.sampled_from([kind for kind, _ in RECORDED]), st.binary(max_size=200))
def test_arbitrary_bytes(kind: type[Message], body: bytes) -> None:
    result = outcome(kind.parse, body)
    assert result is None or result >> 8 == 1
