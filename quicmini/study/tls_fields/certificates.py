"""X.509 certificates, field by field (RFC 5280 §4.1), and what a person wants to know of one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from ipaddress import ip_address

from quicmini.study.fields import Field
from quicmini.study.tls_fields.der import (
    HEADER_SIZE,
    distinguished_name,
    elements,
    first,
    object_identifier,
    sizes,
    text,
    time,
)
from quicmini.study.tls_fields.reader import Parse, TlsReader

__all__ = ["certificate"]

SEQUENCE = 0x30
BOOLEAN = 0x01
OCTET_STRING = 0x04
VERSION, EXTENSIONS = 0xA0, 0xA3  # [0] and [3] of TBSCertificate

_KEY_USAGES = (
    "digitalSignature", "contentCommitment", "keyEncipherment", "dataEncipherment", "keyAgreement", "keyCertSign",
    "cRLSign", "encipherOnly", "decipherOnly",
)  # fmt: skip

Show = Callable[[bytes], str]


def certificate(reader: TlsReader) -> str:
    """The contents of a cert_data: one certificate in DER. The value says whose it is, and for how long."""
    _sequence(reader, "Certificate", _certificate, "RFC 5280 §4.1.1")
    return reader.take_value()


def _certificate(reader: TlsReader) -> str:
    _sequence(reader, "tbsCertificate", _to_be_signed, "RFC 5280 §4.1.1.1")
    summary = reader.take_value()
    _leaf(reader, "signatureAlgorithm", _algorithm, "RFC 5280 §4.1.1.2")
    _leaf(reader, "signatureValue", lambda _: "", "RFC 5280 §4.1.1.3")
    return summary


def _to_be_signed(reader: TlsReader) -> str:
    if reader.peek(1) == bytes((VERSION,)):
        _leaf(reader, "version", lambda raw: f"v{raw[-1] + 1}", "RFC 5280 §4.1.2.1")
    _leaf(reader, "serialNumber", lambda raw: _content(raw).hex(":"), "RFC 5280 §4.1.2.2")
    _leaf(reader, "signature", _algorithm, "RFC 5280 §4.1.2.3")
    _leaf(reader, "issuer", distinguished_name, "RFC 5280 §4.1.2.4")
    _sequence(reader, "validity", _validity, "RFC 5280 §4.1.2.5")
    _leaf(reader, "subject", distinguished_name, "RFC 5280 §4.1.2.6")
    _leaf(reader, "subjectPublicKeyInfo", _public_key, "RFC 5280 §4.1.2.7")
    while reader.left and reader.peek(1) != bytes((EXTENSIONS,)):
        _leaf(reader, "unique identifier", lambda _: "", "RFC 5280 §4.1.2.8")
    if reader.left:
        _constructed(reader, "extensions", _extensions, "RFC 5280 §4.1.2.9", EXTENSIONS)
    return _summary(reader.fields)


def _summary(fields: list[Field]) -> str:
    found = {field.name: field.value for top in fields for field in top.walk()}
    names = found.get("subjectAltName")
    return "; ".join((
        f"{found['subject'] or 'no subject'}, issued by {found['issuer']}",
        f"valid {found['validity']}",
        *([f"for {names}"] if names else []),
        found["subjectPublicKeyInfo"],
    ))  # fmt: skip


def _validity(reader: TlsReader) -> str:
    _leaf(reader, "notBefore", time)
    _leaf(reader, "notAfter", time)
    return " to ".join(field.value for field in reader.fields[-2:])


def _extensions(reader: TlsReader) -> str:
    _sequence(reader, "Extensions", _each_extension)
    return reader.take_value()


def _each_extension(reader: TlsReader) -> str:
    first_one = len(reader.fields)
    while reader.left:
        name = object_identifier(_content(reader.peek(_size(reader, "extension"))))
        _leaf(reader, name or "extension", partial(_shown_extension, name), "RFC 5280 §4.2")
    return f"{len(reader.fields) - first_one} extensions"


def _shown_extension(name: str, raw: bytes) -> str:
    parts = list(elements(_content(raw)))
    value = next((part.content for part in parts if part.tag == OCTET_STRING), b"")
    shown = _EXTENSIONS[name](value) if name in _EXTENSIONS else ""
    critical = any(part.tag == BOOLEAN and part.content != b"\0" for part in parts)
    return f"{shown} (critical)".lstrip() if critical else shown


def _general_names(value: bytes) -> str:
    """RFC 5280 §4.2.1.6."""
    return ", ".join(_general_name(item.tag & 0x1F, item.content) for item in elements(_content(value)))


def _general_name(kind: int, content: bytes) -> str:
    if kind == 7 and len(content) in (4, 16):
        return str(ip_address(content))
    return text(content) if kind in (1, 2, 6) else f"[{kind}] {content.hex()}"  # rfc822Name, dNSName, URI


def _basic_constraints(value: bytes) -> str:
    """RFC 5280 §4.2.1.9."""
    parts = [part.content for part in elements(_content(value))]
    authority = bool(parts) and parts[0] == b"\xff"
    limit = f", pathLenConstraint {int.from_bytes(parts[1])}" if authority and len(parts) > 1 else ""
    return ("cA" if authority else "no authority") + limit


def _key_usage(value: bytes) -> str:
    """RFC 5280 §4.2.1.3: a BIT STRING, whose first byte says how many bits are unused."""
    bits = _content(value)[1:]
    return ", ".join(
        name for at, name in enumerate(_KEY_USAGES) if at // 8 < len(bits) and bits[at // 8] << at % 8 & 0x80
    )


def _purposes(value: bytes) -> str:
    """RFC 5280 §4.2.1.12."""
    return ", ".join(object_identifier(item.raw) for item in elements(_content(value)))


_EXTENSIONS: dict[str, Show] = {
    "subjectAltName": _general_names,
    "issuerAltName": _general_names,
    "basicConstraints": _basic_constraints,
    "keyUsage": _key_usage,
    "extKeyUsage": _purposes,
    "subjectKeyIdentifier": lambda value: _content(value).hex(":"),
}


def _algorithm(raw: bytes) -> str:
    """An AlgorithmIdentifier: the algorithm, and a parameter that says more, such as a curve."""
    return " ".join(filter(None, (object_identifier(item.raw) for item in elements(_content(raw)))))


def _public_key(raw: bytes) -> str:
    parts = list(elements(_content(raw)))
    name, bits = _algorithm(parts[0].raw) if parts else "unknown", parts[1:]
    if name != "RSA" or not bits:
        return f"{name} key"
    modulus = int.from_bytes(_content(_content(bits[0].content[1:])))
    return f"RSA key of {modulus.bit_length()} bits"


def _content(raw: bytes) -> bytes:
    element = first(raw)
    return element.content if element else b""


def _leaf(reader: TlsReader, name: str, show: Show, section: str = "") -> None:
    """One element, tag and length included, as a field."""
    reader.octets(name, _size(reader, name), section, show)


def _sequence(reader: TlsReader, name: str, parse: Parse, section: str = "") -> None:
    _constructed(reader, name, parse, section, SEQUENCE)


def _constructed(reader: TlsReader, name: str, parse: Parse, section: str, tag: int) -> None:
    """An element and the elements in it, the first field being its tag and length."""
    size = _size(reader, name)
    if reader.peek(1) != bytes((tag,)):
        reader.fail(f"{name} begins with {reader.peek(1).hex()}, not {tag:02x}")

    def whole(inner: TlsReader) -> str:
        header = size - len(_content(inner.peek(size)))
        inner.octets("tag and length", header, "", lambda _: f"{size - header} bytes")
        return parse(inner)

    reader.part(name, size, whole, section)


def _size(reader: TlsReader, name: str) -> int:
    """How many bytes the next element has."""
    found = sizes(reader.peek(HEADER_SIZE))
    if found is None or sum(found) > reader.left:
        reader.fail(f"{name} is no complete DER element")
    return sum(found)
