"""Who may come in, and under which name."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from chat.exchange import ErrorCode
from chat.server.admission import Admission, Refused, certified_name


def refused(call: Callable[[Any], object], argument: object) -> tuple[ErrorCode, str]:
    """What a client is told that the call refuses."""
    with pytest.raises(Refused) as caught:
        call(argument)
    return caught.value.error_code, caught.value.reason


KEY = ec.generate_private_key(ec.SECP256R1())
TODAY = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)


def certificate(common_name: str = "", *names: x509.GeneralName) -> bytes:
    """A certificate, DER, with these names."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else [])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(TODAY)
        .not_valid_after(TODAY)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


MAIL, DNS = x509.RFC822Name("ada@example.org"), x509.DNSName("ada.example.org")


@pytest.mark.parametrize(
    ("common_name", "names", "expected"),
    [
        ("Ada", (), "Ada"),
        ("Ada", (DNS,), "ada.example.org"),
        ("Ada", (DNS, MAIL), "ada@example.org"),
        ("Ada", (x509.DNSName("a" * 33),), "Ada"),
        ("Ada", (x509.RFC822Name("server"), x509.DNSName("SYSTEM")), "Ada"),
        (" Ada\x1b[2J\n", (), "Ada␛[2J␊"),
        ("Åda → 蛋糕", (), "Åda → 蛋糕"),
    ],
)
def test_the_name_of_a_certificate(common_name: str, names: tuple[x509.GeneralName, ...], expected: str) -> None:
    assert certified_name(certificate(common_name, *names)) == expected


@pytest.mark.parametrize(
    "encoded",
    [certificate(), certificate("server"), certificate("Server", x509.DNSName("b" * 60)), certificate("*"), b"nothing"],
)
def test_a_certificate_that_names_nobody(encoded: bytes) -> None:
    assert refused(certified_name, encoded) == (
        ErrorCode.NO_NAME,
        "your certificate has no name that can be a nickname: an e-mail address, a DNS name or a common name",
    )


def test_only_so_many_clients() -> None:
    admission = Admission(max_clients=2)
    admission.enter("192.0.2.1")
    admission.enter("192.0.2.2")
    assert refused(admission.enter, "192.0.2.3") == (ErrorCode.FULL, "the server is full (2 clients)")
    admission.leave("192.0.2.1")
    admission.enter("192.0.2.3")


@pytest.mark.parametrize(
    ("first", "same", "another"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
        ("192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.2"),
        ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"),
        ("fe80::1%eth0", "fe80::2%eth1", "fe80:0:0:1::1%eth0"),
    ],
)
def test_only_so_many_from_one_address(first: str, same: str, another: str) -> None:
    admission = Admission(max_per_address=1)
    admission.enter(first)
    assert refused(admission.enter, same) == (ErrorCode.FULL, "the server is full for your address (1 clients)")
    admission.enter(another)
    admission.leave(first)
    admission.enter(same)


def test_many_at_once() -> None:
    admission = Admission(max_clients=50)

    def enters(host: str) -> bool:
        try:
            admission.enter(host)
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(enters, ["192.0.2.1"] * 100)).count(True) == 50


def test_a_password() -> None:
    admission = Admission(password="open sesame ✓")
    admission.check_password("open sesame ✓")
    assert refused(admission.check_password, "") == (ErrorCode.PASSWORD, "this server asks for a password")
    for wrong in ("open sesame", "open sesame ✓ ", "\udcff", "x" * 100_000):
        assert refused(admission.check_password, wrong) == (ErrorCode.PASSWORD, "the password is wrong")


def test_no_password() -> None:
    admission = Admission()
    admission.check_password("")
    admission.check_password("whatever")
