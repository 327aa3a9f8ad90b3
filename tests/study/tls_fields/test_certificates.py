"""Certificates, taken apart: beside what the library reads in them."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from quicmini.study.fields import Field
from quicmini.study.tls_fields.certificates import certificate
from quicmini.study.tls_fields.der import distinguished_name, object_identifier, time
from quicmini.study.tls_fields.reader import compose
from tests.certificates import KINDS
from tests.study.tls_fields.trees import check_tree, only, problems
from tests.tls.certs import make

START, END = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), datetime(2055, 1, 1, tzinfo=UTC)
LEAF = make(
    "leaf",
    "example.org",
    "*.example.org",
    "192.0.2.1",
    "2001:db8::1",
    issuer=make("root", ca=True),
    start=START,
    end=END,
)
KEYS = {"ecdsa": "EC P-256 key", "ecdsa-p384": "EC P-384 key", "rsa": "RSA key of 2048 bits", "ed25519": "Ed25519 key"}


def dissect(der: bytes, offset: int = 0) -> Field:
    return compose("cert_data", der, offset, certificate)


def test_a_certificate() -> None:
    field = dissect(LEAF.der, 50)
    check_tree(field, LEAF.der, 50)
    assert problems(field) == []
    assert field.value == (
        "CN=leaf, issued by CN=root; valid 2026-01-02 03:04:05 UTC to 2055-01-01 00:00:00 UTC; "
        "for example.org, *.example.org, 192.0.2.1, 2001:db8::1; EC P-256 key"
    )
    serial = LEAF.certificate.serial_number
    assert int(only(field, "serialNumber").value.replace(":", ""), 16) == serial
    assert only(field, "version").value == "v3"
    assert only(field, "signatureAlgorithm").value == "ecdsa-with-SHA256"
    assert only(field, "basicConstraints").value == "no authority (critical)"
    assert only(field, "tbsCertificate").raw == LEAF.certificate.tbs_certificate_bytes


@pytest.mark.parametrize("kind", KINDS)
def test_keys(kind: str) -> None:
    field = dissect(make("host", kind=kind, ca=True).der)
    assert only(field, "subjectPublicKeyInfo").value == KEYS[kind]
    assert only(field, "basicConstraints").value == "cA (critical)"


def test_the_uses_of_a_key() -> None:
    usage = x509.KeyUsage(True, False, False, False, False, True, False, False, False)
    field = dissect(make("ca", ca=True, key_usage=usage).der)
    assert only(field, "keyUsage").value == "digitalSignature, keyCertSign (critical)"


def test_what_is_no_certificate() -> None:
    field = dissect(b"\x04\x03abc")
    assert problems(field) == ["Certificate begins with 04, not 30 (byte 0)"]
    assert problems(dissect(LEAF.der[:100])) == ["Certificate is no complete DER element (byte 0)"]


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("06 03 55 04 03", "CN"),
        ("06 03 2a 03 04", "1.2.3.4"),
        ("06 02 88 37", "2.999"),
        ("06 00", ""),
        ("04 01 00", ""),
        ("06 05 55", ""),
    ],
)
def test_object_identifiers(data: str, name: str) -> None:
    assert object_identifier(bytes.fromhex(data)) == name


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"\x17\x0d491231235959Z", "2049-12-31 23:59:59 UTC"),
        (b"\x17\x0d500101000000Z", "1950-01-01 00:00:00 UTC"),
        (b"\x18\x0f20500101000000Z", "2050-01-01 00:00:00 UTC"),
        (b"\x17\x01Z", ""),
        (b"", ""),
    ],
)
def test_times(data: bytes, shown: str) -> None:
    """RFC 5280 §4.1.2.5.1: two digits of a year are those of 1950 to 2049."""
    assert time(data) == shown


def test_names() -> None:
    name = x509.Name.from_rfc4514_string("CN=a b,O=\xc4,C=DE")
    assert distinguished_name(name.public_bytes()) == "C=DE,O=\xc4,CN=a b"
    assert distinguished_name(b"") == ""


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_damaged_certificates(data: st.DataObject) -> None:
    damaged = bytearray(LEAF.der)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    check_tree(dissect(bytes(damaged)), bytes(damaged), 0)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=100))
def test_any_bytes(data: bytes) -> None:
    check_tree(dissect(data), data, 0)


def test_the_fields_come_in_the_order_of_the_bytes() -> None:
    offsets = [each.offset for each in dissect(LEAF.der).walk()]
    assert all(earlier <= later for earlier, later in pairwise(offsets))
