"""Handshake messages, taken apart."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vectors
from quicmini.study.tls_fields import dissect_message
from quicmini.tls.codec import encode_u16_list, encode_vector
from quicmini.tls.messages import (
    HELLO_RETRY_REQUEST_RANDOM,
    Certificate,
    CertificateEntry,
    CertificateRequest,
    ClientHello,
    Finished,
    NewSessionTicket,
    ServerHello,
)
from tests.study.tls_fields.trees import check_tree, only, problems

_FLIGHT = ("client_hello", "server_hello", "encrypted_extensions", "certificate", "certificate_verify",
           "server_finished", "client_finished", "new_session_ticket")  # fmt: skip


def rfc8448(name: str) -> list[bytes]:
    values = vectors.load(name).values
    return [values.octets(message) for message in _FLIGHT if message in values]


RFC_8448 = rfc8448("rfc8448-3-simple-1rtt") + rfc8448("rfc8448-4-resumed-0rtt")

# The CRYPTO frame of RFC 9001 §A.2: type, offset, length of two bytes, and the ClientHello.
CLIENT_HELLO = vectors.load("rfc9001-a2-client-initial").values.octets("payload")[4:]

HELLO_RETRY_REQUEST = ServerHello(
    HELLO_RETRY_REQUEST_RANDOM, 0x1301, {43: b"\x03\x04", 51: b"\0\x17", 44: encode_vector(2, b"cookie")}
).encode()
CERTIFICATE_REQUEST = CertificateRequest(
    b"",
    {
        13: encode_u16_list(2, (0x0403, 0x0807)),
        47: bytes.fromhex("0012 0010 300e310c300a06035504031303727361"),
        48: bytes.fromhex("000c 05 0603551d0f 0004 03020780"),
    },
).encode()
RESUMING = ClientHello(
    bytes(32),
    (0x1301, 0x0A0A),
    {
        0x2A2A: b"",
        42: b"",
        41: encode_vector(2, encode_vector(2, b"ticket") + (5000).to_bytes(4)) + encode_vector(2, b"\x20" + bytes(32)),
    },
).encode()
MESSAGES = [*RFC_8448, CLIENT_HELLO, HELLO_RETRY_REQUEST, CERTIFICATE_REQUEST, RESUMING]


@pytest.mark.parametrize("message", MESSAGES)
def test_each_byte_has_its_field(message: bytes) -> None:
    field = dissect_message(message, 1000)
    check_tree(field, message, 1000)
    assert problems(field) == []


def test_a_client_hello() -> None:
    """RFC 9001 §A.2."""
    hello = dissect_message(CLIENT_HELLO, 0)
    assert (hello.name, hello.value, hello.section) == (
        "ClientHello",
        "to example.com; offers alpn",
        "RFC 9846 §4.2.2",
    )
    assert [(child.name, child.offset) for child in hello.children] == [
        ("msg_type", 0),
        ("length", 1),
        ("legacy_version", 4),
        ("random", 6),
        ("legacy_session_id", 38),
        ("cipher_suites", 39),
        ("legacy_compression_methods", 45),
        ("extensions", 47),
    ]
    extensions = only(hello, "extensions")
    assert {child.name: child.value for child in extensions.children[1:]} == {
        "server_name": "example.com",
        "renegotiation_info": "",
        "supported_groups": "x25519 (0x001d), secp256r1 (0x0017), secp384r1 (0x0018)",
        "application_layer_protocol_negotiation": "alpn",
        "status_request": "ocsp",
        "key_share": "x25519 (0x001d), 32 bytes",
        "supported_versions": "TLS 1.3 (0x0304)",
        "signature_algorithms": "ecdsa_secp256r1_sha256 (0x0403), ecdsa_secp384r1_sha384 (0x0503), "
        "ecdsa_secp521r1_sha512 (0x0603), ecdsa_sha1 (0x0203), rsa_pss_rsae_sha256 (0x0804), "
        "rsa_pss_rsae_sha384 (0x0805), rsa_pss_rsae_sha512 (0x0806)",
        "psk_key_exchange_modes": "psk_dhe_ke (0x01)",
        "record_size_limit": "16385",
        "quic_transport_parameters": "8 parameters",
    }
    assert only(hello, "max_idle_timeout").value == "30,000 ms"
    assert only(hello, "max_idle_timeout").offset == 216


@pytest.mark.parametrize(
    ("message", "name", "value"),
    [
        (RFC_8448[1], "ServerHello", "TLS_AES_128_GCM_SHA256 (0x1301), x25519 (0x001d), 32 bytes"),
        (HELLO_RETRY_REQUEST, "HelloRetryRequest", "TLS_AES_128_GCM_SHA256 (0x1301), secp256r1 (0x0017)"),
        (RFC_8448[3], "Certificate", "1 certificate"),
        (RFC_8448[4], "CertificateVerify", "rsa_pss_rsae_sha256 (0x0804)"),
        (RFC_8448[7], "NewSessionTicket", "good for 30 seconds, allows early data"),
        (NewSessionTicket(1, 2, b"", b"t", {}).encode(), "NewSessionTicket", "good for 1 second"),
        (Finished(bytes(32)).encode(), "Finished", ""),
        (bytes.fromhex("1800000101"), "KeyUpdate", "never in QUIC (RFC 9001 §6)"),
        (bytes.fromhex("19000008 0002 000fff 000000"), "CompressedCertificate",
         "4,095 bytes when unpacked"),
        (bytes.fromhex("63000002abcd"), "message of type 99", ""),
        (Certificate(b"", ()).encode(), "Certificate", "0 certificates"),
    ],
)  # fmt: skip
def test_what_a_message_says(message: bytes, name: str, value: str) -> None:
    field = dissect_message(message, 0)
    assert (field.name, field.value) == (name, value)
    assert problems(field) == []


@pytest.mark.parametrize(
    ("message", "name", "value"),
    [
        (HELLO_RETRY_REQUEST, "cookie", "6 bytes"),
        (HELLO_RETRY_REQUEST, "selected_group", "secp256r1 (0x0017)"),
        (CERTIFICATE_REQUEST, "certificate_authorities", "CN=rsa"),
        (CERTIFICATE_REQUEST, "oid_filters", "keyUsage"),
        (RESUMING, "pre_shared_key", "1 ticket, 1 binder"),
        (RESUMING, "obfuscated_ticket_age", "5,000 ms, with age_add"),
        (RESUMING, "cipher_suites", "TLS_AES_128_GCM_SHA256 (0x1301), GREASE (0x0a0a)"),
        (RESUMING, "GREASE", "empty"),
        (RESUMING, "ClientHello", "with a ticket"),
    ],
)
def test_what_a_field_says(message: bytes, name: str, value: str) -> None:
    assert only(dissect_message(message, 0), name).value == value


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (b"", "truncated: msg_type needs 1 byte, 0 are left (byte 0)"),
        (b"\x01\x00", "truncated: length needs 3 bytes, 1 is left (byte 1)"),
        (CLIENT_HELLO[:20], "221 bytes of ClientHello are missing (byte 20)"),
        (CLIENT_HELLO + b"xyz", "ClientHello has ended (byte 241)"),
        (b"\x0f\x00\x00\x05\x04\x03\x00\x02\xff", "signature says that it has 2 bytes, 1 is left (byte 6)"),
        (b"\x0f\x00\x00\x06\x04\x03\x00\x01\xff\xff", "CertificateVerify should have ended here (byte 9)"),
        (
            b"\x08\x00\x00\x06\x00\x04\x00\x2b\x00\x09",
            "truncated: supported_versions needs 13 bytes, 4 are left (byte 6)",
        ),
        (
            b"\x0b\x00\x00\x09\x00\x00\x00\x05\x00\x00\x03abc",
            "truncated: CertificateEntry needs 8 bytes, 5 are left (byte 8)",
        ),
    ],
)
def test_what_cannot_be_read_says_why_and_where(message: bytes, why: str) -> None:
    field = dissect_message(message, 0)
    check_tree(field, message, 0)
    assert why in problems(field)


def test_a_name_cannot_move_the_cursor() -> None:
    name = b"\x1b[2Jexample\xff\n"
    entry = b"\0" + encode_vector(2, name)
    hello = ClientHello(
        bytes(32), (0x1301,), {0: encode_vector(2, entry), 16: encode_vector(2, encode_vector(1, name))}
    )
    field = dissect_message(hello.encode(), 0)
    check_tree(field, hello.encode(), 0)
    assert only(field, "server_name").value == "\\x1b[2Jexample\\xff\\x0a"


def test_one_unreadable_extension_leaves_the_others_readable() -> None:
    hello = ClientHello(bytes(32), (0x1301,), {10: b"\x00", 43: encode_u16_list(1, (0x0304,))}).encode()
    field = dissect_message(hello, 0)
    assert problems(field) == ["truncated: the length of named_group_list needs 2 bytes, 1 is left (byte 51)"]
    assert only(field, "supported_versions").value == "TLS 1.3 (0x0304)"


@settings(deadline=None, max_examples=300)
@given(st.integers(0, 255), st.binary(max_size=200), st.booleans())
def test_any_bytes(code: int, body: bytes, honest: bool) -> None:
    """Messages of each type with random bodies, and plain noise."""
    message = bytes((code,)) + (encode_vector(3, body) if honest else body)
    check_tree(dissect_message(message, 7), message, 7)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(MESSAGES), st.data())
def test_damaged_messages(message: bytes, data: st.DataObject) -> None:
    """Real ones with a few bytes changed, and cut off somewhere."""
    damaged = bytearray(message)
    for _ in range(data.draw(st.integers(0, 4))):
        damaged[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(damaged[: data.draw(st.integers(0, len(message)))])
    check_tree(dissect_message(cut, 0), cut, 0)


def test_a_long_certificate_chain_takes_linear_time() -> None:
    entries = tuple(CertificateEntry(b"\x30\x00", {}) for _ in range(20_000))
    message = Certificate(b"", entries).encode()
    assert dissect_message(message, 0).value == "20000 certificates"
