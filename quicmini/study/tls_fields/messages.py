"""The handshake messages of TLS 1.3, field by field (RFC 9846 §4)."""

from __future__ import annotations

from quicmini.study.fields import Field, unreadable
from quicmini.study.tls_fields.certificates import certificate
from quicmini.study.tls_fields.extensions import extensions
from quicmini.study.tls_fields.names import MESSAGES, cipher_suite, name_in, signature_scheme, tls_version
from quicmini.study.tls_fields.reader import Parse, TlsReader, compose
from quicmini.study.tls_fields.shapes import counted
from quicmini.tls.extensions import Place
from quicmini.tls.messages import HEADER_SIZE, HELLO_RETRY_REQUEST_RANDOM

__all__ = ["dissect_message"]

_HEADER = "RFC 9846 §4"
_RANDOM = slice(HEADER_SIZE + 2, HEADER_SIZE + 2 + 32)  # after legacy_version
_COMPRESSIONS = name_in({1: "zlib", 2: "brotli", 3: "zstd"})
_show_type = name_in({code: name for code, (name, _) in MESSAGES.items()}, 2)


def dissect_message(message: bytes, offset: int) -> Field:
    """One handshake message, from its type to its end.

    offset: of the message in what is being taken apart, usually the CRYPTO stream of a level. Never raises: what
    cannot be read is a field "unreadable", which says why and where.
    """
    code = message[0] if message else -1
    name, section = MESSAGES.get(code, (f"message of type {code}" if message else "no message", _HEADER))
    if name == "ServerHello" and message[_RANDOM] == HELLO_RETRY_REQUEST_RANDOM:
        name, section = "HelloRetryRequest", "RFC 9846 §4.2.4"
    body = _BODIES.get(name, _unknown)

    def parse(reader: TlsReader) -> str:
        reader.number("msg_type", 1, _HEADER, _show_type)
        reader.number("length", 3, _HEADER)
        return body(reader)

    size = HEADER_SIZE + int.from_bytes(message[1:HEADER_SIZE])
    field = compose(name, message[:size], offset, parse, section)
    problems: tuple[Field, ...] = ()
    if size < len(message):
        problems = (unreadable(field.end, message[size:], f"{name} has ended (byte {field.end})"),)
    elif size > len(message) >= HEADER_SIZE:
        missing = counted(size - len(message), "byte")
        problems = (unreadable(field.end, b"", f"{missing} of {name} are missing (byte {field.end})"),)
    return field._replace(raw=message, children=field.children + problems)


def _client_hello(reader: TlsReader) -> str:
    _start_of_hello(reader, "legacy_session_id")
    reader.vector("cipher_suites", 2, lambda suites: ", ".join(suites.numbers("CipherSuite", 2, "", cipher_suite)))
    reader.vector("legacy_compression_methods", 1, lambda methods: ", ".join(methods.numbers("method", 1)))
    if not reader.left:
        return ""  # from before TLS 1.3
    extensions(reader, Place.CH)
    found = _values(reader)
    name, protocols = found.get("server_name"), found.get("application_layer_protocol_negotiation")
    resuming = "with a ticket" if "pre_shared_key" in found else ""
    return "; ".join(filter(None, (name and f"to {name}", protocols and f"offers {protocols}", resuming)))


def _server_hello(reader: TlsReader, place: Place) -> str:
    _start_of_hello(reader, "legacy_session_id_echo")
    reader.number("cipher_suite", 2, show=cipher_suite)
    suite = reader.fields[-1].value
    reader.number("legacy_compression_method", 1)
    if reader.left:
        extensions(reader, place)
    return ", ".join(filter(None, (suite, _values(reader).get("key_share"))))


def _start_of_hello(reader: TlsReader, session_id: str) -> None:
    reader.number("legacy_version", 2, show=tls_version)
    reader.octets("random", 32)
    reader.opaque(session_id, 1)


def _values(reader: TlsReader) -> dict[str, str]:
    """The values of the extensions that were just read, by name."""
    return {field.name: field.value for field in reader.fields[-1].children}


def _encrypted_extensions(reader: TlsReader) -> str:
    extensions(reader, Place.EE)
    protocol = _values(reader).get("application_layer_protocol_negotiation")
    return f"chose {protocol}" if protocol else ""


def _certificate_request(reader: TlsReader) -> str:
    reader.opaque("certificate_request_context", 1)
    extensions(reader, Place.CR)
    return ""


def _certificate(reader: TlsReader) -> str:
    reader.opaque("certificate_request_context", 1)
    reader.vector("certificate_list", 3, _entries)
    return reader.take_value()


def _entries(reader: TlsReader) -> str:
    while reader.left:
        data_size = 3 + int.from_bytes(reader.peek(3))
        extensions_size = 2 + int.from_bytes(reader.peek(data_size + 2)[data_size:])
        reader.part("CertificateEntry", data_size + extensions_size, _entry)
    return counted(len(reader.fields) - 1, "certificate")  # the first field is the length


def _entry(reader: TlsReader) -> str:
    reader.vector("cert_data", 3, certificate)
    summary = reader.take_value()
    extensions(reader, Place.CT)
    return summary


def _compressed_certificate(reader: TlsReader) -> str:
    reader.number("algorithm", 2, show=_COMPRESSIONS)
    size = reader.number("uncompressed_length", 3)
    reader.opaque("compressed_certificate_message", 3)
    return f"{size:,} bytes when unpacked"


def _certificate_verify(reader: TlsReader) -> str:
    reader.number("algorithm", 2, "RFC 9846 §4.3.3", signature_scheme)
    scheme = reader.fields[-1].value
    reader.opaque("signature", 2, show=_size)
    return scheme


def _finished(reader: TlsReader) -> str:
    reader.rest("verify_data")
    return ""


def _new_session_ticket(reader: TlsReader) -> str:
    lifetime = reader.number("ticket_lifetime", 4, show=_seconds)
    reader.number("ticket_age_add", 4)
    reader.opaque("ticket_nonce", 1)
    reader.opaque("ticket", 2, show=_size)
    extensions(reader, Place.NST)
    early_data = ", allows early data" if "early_data" in _values(reader) else ""
    return f"good for {_seconds(lifetime)}{early_data}"


def _key_update(reader: TlsReader) -> str:
    reader.number("request_update", 1, show=name_in({0: "update_not_requested", 1: "update_requested"}, 2))
    return "never in QUIC (RFC 9001 §6)"


def _unknown(reader: TlsReader) -> str:
    reader.rest("body")
    return ""


def _size(data: bytes) -> str:
    return counted(len(data), "byte")


def _seconds(count: int) -> str:
    return counted(count, "second")


_BODIES: dict[str, Parse] = {
    "ClientHello": _client_hello,
    "ServerHello": lambda reader: _server_hello(reader, Place.SH),
    "HelloRetryRequest": lambda reader: _server_hello(reader, Place.HRR),
    "NewSessionTicket": _new_session_ticket,
    "EncryptedExtensions": _encrypted_extensions,
    "Certificate": _certificate,
    "CertificateRequest": _certificate_request,
    "CertificateVerify": _certificate_verify,
    "Finished": _finished,
    "KeyUpdate": _key_update,
    "CompressedCertificate": _compressed_certificate,
}
