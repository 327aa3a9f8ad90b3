"""As much of DER as a certificate needs to be shown (ITU-T X.690): elements, object identifiers, names, times.

What is shown is never checked here: bytes that make no sense are shown as an empty text, and nothing is raised.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from quicmini.study.terminal import printable

__all__ = [
    "HEADER_SIZE",
    "OIDS",
    "Element",
    "distinguished_name",
    "elements",
    "first",
    "object_identifier",
    "sizes",
    "text",
    "time",
]

OID, UTC_TIME = 0x06, 0x17  # tags (X.680 §8.6)

OIDS = {
    # Parts of names (RFC 5280 §A.1), by the short forms of RFC 4514 §3.
    "2.5.4.3": "CN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "emailAddress",
    # Keys and signatures (RFC 3279, RFC 5758, RFC 8410).
    "1.2.840.113549.1.1.1": "RSA",
    "1.2.840.113549.1.1.5": "sha1WithRSAEncryption",
    "1.2.840.113549.1.1.10": "RSASSA-PSS",
    "1.2.840.113549.1.1.11": "sha256WithRSAEncryption",
    "1.2.840.113549.1.1.12": "sha384WithRSAEncryption",
    "1.2.840.113549.1.1.13": "sha512WithRSAEncryption",
    "1.2.840.10045.2.1": "EC",
    "1.2.840.10045.3.1.7": "P-256",
    "1.3.132.0.34": "P-384",
    "1.3.132.0.35": "P-521",
    "1.2.840.10045.4.3.2": "ecdsa-with-SHA256",
    "1.2.840.10045.4.3.3": "ecdsa-with-SHA384",
    "1.2.840.10045.4.3.4": "ecdsa-with-SHA512",
    "1.3.101.112": "Ed25519",
    "1.3.101.113": "Ed448",
    # Extensions (RFC 5280 §4.2) and what is in them.
    "2.5.29.14": "subjectKeyIdentifier",
    "2.5.29.15": "keyUsage",
    "2.5.29.17": "subjectAltName",
    "2.5.29.18": "issuerAltName",
    "2.5.29.19": "basicConstraints",
    "2.5.29.30": "nameConstraints",
    "2.5.29.31": "cRLDistributionPoints",
    "2.5.29.32": "certificatePolicies",
    "2.5.29.35": "authorityKeyIdentifier",
    "2.5.29.37": "extKeyUsage",
    "1.3.6.1.5.5.7.1.1": "authorityInfoAccess",
    "1.3.6.1.5.5.7.1.24": "tlsFeature",
    "1.3.6.1.4.1.11129.2.4.2": "signedCertificateTimestampList",
    "1.3.6.1.5.5.7.3.1": "serverAuth",
    "1.3.6.1.5.5.7.3.2": "clientAuth",
}


HEADER_SIZE = 6  # bytes that tag and length have at most, here


class Element(NamedTuple):
    """raw: the whole of it; header: how many bytes of that are tag and length."""

    raw: bytes
    header: int

    @property
    def tag(self) -> int:
        return self.raw[0]

    @property
    def content(self) -> bytes:
        return self.raw[self.header :]


def sizes(head: bytes) -> tuple[int, int] | None:
    """The sizes of tag and length, and of the contents, from the first HEADER_SIZE bytes; None: it is no DER."""
    if len(head) < 2:
        return None
    header, length = 2, head[1]
    if length >= 0x80:  # that many bytes follow with the length (X.690 §8.1.3.5); four are enough for anybody
        header += length - 0x80
        if not 2 < header <= min(HEADER_SIZE, len(head)):
            return None
        length = int.from_bytes(head[2:header])
    return header, length


def elements(data: bytes) -> Iterator[Element]:
    """The elements that stand one after the other; what is no element, and what follows it, is left out."""
    pos = 0
    while (found := sizes(data[pos : pos + HEADER_SIZE])) is not None and pos + sum(found) <= len(data):
        yield Element(data[pos : pos + sum(found)], found[0])
        pos += sum(found)


def first(data: bytes) -> Element | None:
    """The element at the start; None if it is truncated, or not DER."""
    return next(elements(data), None)


def object_identifier(data: bytes) -> str:
    """The name of an OBJECT IDENTIFIER, with its numbers, or the numbers alone."""
    element = first(data)
    if element is None or element.tag != OID:
        return ""
    dotted = _dotted(element.content)
    return OIDS.get(dotted, dotted)


def _dotted(content: bytes) -> str:
    """X.690 §8.19: seven bits in each byte, the first two numbers in one."""
    numbers: list[int] = []
    value = 0
    for byte in content:
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            numbers.append(value)
            value = 0
    if not numbers:
        return ""
    start = min(numbers[0] // 40, 2)
    return ".".join(map(str, (start, numbers[0] - 40 * start, *numbers[1:])))


def distinguished_name(data: bytes) -> str:
    """A Name (RFC 5280 §4.1.2.4), as in "CN=example.org,O=Example", in the order in which it stands."""
    sequence = first(data)
    parts = []
    for relative in elements(sequence.content if sequence else b""):
        for attribute in elements(relative.content):
            kind, value = [*islice(elements(attribute.content), 2), None, None][:2]
            if kind is not None and value is not None:
                parts.append(f"{object_identifier(kind.raw)}={text(value.content)}")
    return ",".join(parts)


def text(content: bytes) -> str:
    """A string of whatever kind; what cannot be shown is escaped."""
    return printable(content.decode("utf-8", "backslashreplace"))


def time(data: bytes) -> str:
    """A time of a validity period (RFC 5280 §4.1.2.5), as in "2026-11-22 14:00:00 UTC"."""
    element = first(data)
    digits = text(element.content).removesuffix("Z") if element else ""
    if element and element.tag == UTC_TIME:
        digits = ("19" if digits[:2] >= "50" else "20") + digits
    if len(digits) != 14 or not digits.isdecimal():
        return ""
    year, *others = digits[:4], *(digits[at : at + 2] for at in range(4, 14, 2))
    return "{}-{}-{} {}:{}:{} UTC".format(year, *others)
