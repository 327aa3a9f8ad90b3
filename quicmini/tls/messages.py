"""The handshake messages of TLS 1.3 (RFC 9846 §4): each parses its body and encodes itself with its header.

`parse` takes a body without the four bytes of type and length. Anything malformed raises `HandshakeError` with the
alert of RFC 9846; what a message's values mean is for `client` and `server` to judge.
"""

from __future__ import annotations

from typing import NamedTuple

from quicmini.errors import crypto_error
from quicmini.tls.codec import Reader, encode_u16_list, encode_vector
from quicmini.tls.codes import LEGACY_VERSION, Alert, HandshakeType
from quicmini.tls.extensions import Extensions, Place, encode_extensions, parse_extensions

__all__ = [
    "HEADER_SIZE",
    "HELLO_RETRY_REQUEST_RANDOM",
    "MAX_EARLY_DATA_SIZE",
    "Certificate",
    "CertificateEntry",
    "CertificateRequest",
    "CertificateVerify",
    "ClientHello",
    "EncryptedExtensions",
    "Finished",
    "NewSessionTicket",
    "ServerHello",
    "encode_message",
]

HEADER_SIZE = 4  # type and 24-bit length, bytes (RFC 9846 §4)
RANDOM_SIZE = 32  # bytes
MAX_SESSION_ID = 32  # bytes

# A chain longer than this, in certificates, is an attempt to keep this side busy (RFC 9000 §21.9); the web's have two
# to four.
MAX_CERTIFICATES = 32

# The Random that makes a ServerHello a HelloRetryRequest: SHA-256 of "HelloRetryRequest" (RFC 9846 §4.2.3).
HELLO_RETRY_REQUEST_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")

# The only max_early_data_size that a ticket may have in QUIC: flow control is the limit (RFC 9001 §4.6.1).
MAX_EARLY_DATA_SIZE = 0xFFFFFFFF


def encode_message(message_type: HandshakeType, body: bytes) -> bytes:
    """A handshake message: type, 24-bit length, body."""
    return bytes((message_type,)) + encode_vector(3, body)


def _read_session_id(reader: Reader) -> bytes:
    session_id = reader.vector(1)
    if len(session_id) > MAX_SESSION_ID:
        raise crypto_error(Alert.DECODE_ERROR, "the legacy session ID is longer than 32 bytes")
    return session_id


class ClientHello(NamedTuple):
    """RFC 9846 §4.2.2."""

    random: bytes
    cipher_suites: tuple[int, ...]
    extensions: Extensions
    legacy_session_id: bytes = b""
    legacy_compression_methods: bytes = b"\0"
    legacy_version: int = LEGACY_VERSION

    @classmethod
    def parse(cls, body: bytes) -> ClientHello:
        reader = Reader(body, "ClientHello")
        legacy_version = reader.number(2)
        random = reader.take(RANDOM_SIZE)
        session_id = _read_session_id(reader)
        cipher_suites = reader.u16_list(2)
        compression_methods = reader.vector(1, minimum=1)
        # Before TLS 1.3 a hello may end here: no extensions, no supported_versions (RFC 9846 §4.2.2).
        extensions = {} if reader.at_end else parse_extensions(reader.vector(2), Place.CH)
        reader.finish()
        return cls(random, cipher_suites, extensions, session_id, compression_methods, legacy_version)

    def encode(self) -> bytes:
        return encode_message(
            HandshakeType.CLIENT_HELLO,
            b"".join(
                (
                    self.legacy_version.to_bytes(2),
                    self.random,
                    encode_vector(1, self.legacy_session_id),
                    encode_u16_list(2, self.cipher_suites),
                    encode_vector(1, self.legacy_compression_methods),
                    encode_extensions(self.extensions),
                )
            ),
        )


class ServerHello(NamedTuple):
    """RFC 9846 §4.2.3; with the one special Random it is a HelloRetryRequest (§4.2.4)."""

    random: bytes
    cipher_suite: int
    extensions: Extensions
    legacy_session_id_echo: bytes = b""
    legacy_compression_method: int = 0
    legacy_version: int = LEGACY_VERSION

    @property
    def is_hello_retry_request(self) -> bool:
        return self.random == HELLO_RETRY_REQUEST_RANDOM

    @classmethod
    def parse(cls, body: bytes) -> ServerHello:
        reader = Reader(body, "ServerHello")
        legacy_version = reader.number(2)
        random = reader.take(RANDOM_SIZE)
        session_id_echo = _read_session_id(reader)
        cipher_suite = reader.number(2)
        compression_method = reader.number(1)
        place = Place.HRR if random == HELLO_RETRY_REQUEST_RANDOM else Place.SH
        extensions = {} if reader.at_end else parse_extensions(reader.vector(2), place)
        reader.finish()
        return cls(random, cipher_suite, extensions, session_id_echo, compression_method, legacy_version)

    def encode(self) -> bytes:
        return encode_message(
            HandshakeType.SERVER_HELLO,
            b"".join(
                (
                    self.legacy_version.to_bytes(2),
                    self.random,
                    encode_vector(1, self.legacy_session_id_echo),
                    self.cipher_suite.to_bytes(2),
                    self.legacy_compression_method.to_bytes(1),
                    encode_extensions(self.extensions),
                )
            ),
        )


class EncryptedExtensions(NamedTuple):
    """RFC 9846 §4.4.1."""

    extensions: Extensions

    @classmethod
    def parse(cls, body: bytes) -> EncryptedExtensions:
        reader = Reader(body, "EncryptedExtensions")
        extensions = parse_extensions(reader.vector(2), Place.EE)
        reader.finish()
        return cls(extensions)

    def encode(self) -> bytes:
        return encode_message(HandshakeType.ENCRYPTED_EXTENSIONS, encode_extensions(self.extensions))


class CertificateRequest(NamedTuple):
    """RFC 9846 §4.4.2."""

    request_context: bytes
    extensions: Extensions

    @classmethod
    def parse(cls, body: bytes) -> CertificateRequest:
        reader = Reader(body, "CertificateRequest")
        request_context = reader.vector(1)
        extensions = parse_extensions(reader.vector(2), Place.CR)
        reader.finish()
        return cls(request_context, extensions)

    def encode(self) -> bytes:
        body = encode_vector(1, self.request_context) + encode_extensions(self.extensions)
        return encode_message(HandshakeType.CERTIFICATE_REQUEST, body)


class CertificateEntry(NamedTuple):
    """One certificate of a chain, DER, and its extensions (RFC 9846 §4.5.1)."""

    data: bytes
    extensions: Extensions


class Certificate(NamedTuple):
    """RFC 9846 §4.5.1: the sender's own certificate first. A client without one sends an empty list."""

    request_context: bytes
    entries: tuple[CertificateEntry, ...]

    @classmethod
    def parse(cls, body: bytes) -> Certificate:
        reader = Reader(body, "Certificate")
        request_context = reader.vector(1)
        items = Reader(reader.vector(3), "Certificate")
        reader.finish()
        entries: list[CertificateEntry] = []
        while not items.at_end:
            if len(entries) == MAX_CERTIFICATES:
                raise crypto_error(Alert.BAD_CERTIFICATE, f"a chain of more than {MAX_CERTIFICATES} certificates")
            data = items.vector(3, minimum=1)
            entries.append(CertificateEntry(data, parse_extensions(items.vector(2), Place.CT)))
        return cls(request_context, tuple(entries))

    def encode(self) -> bytes:
        entries = b"".join(encode_vector(3, entry.data) + encode_extensions(entry.extensions) for entry in self.entries)
        body = encode_vector(1, self.request_context) + encode_vector(3, entries)
        return encode_message(HandshakeType.CERTIFICATE, body)


class CertificateVerify(NamedTuple):
    """RFC 9846 §4.5.2."""

    algorithm: int
    signature: bytes

    @classmethod
    def parse(cls, body: bytes) -> CertificateVerify:
        reader = Reader(body, "CertificateVerify")
        algorithm = reader.number(2)
        signature = reader.vector(2)
        reader.finish()
        return cls(algorithm, signature)

    def encode(self) -> bytes:
        body = self.algorithm.to_bytes(2) + encode_vector(2, self.signature)
        return encode_message(HandshakeType.CERTIFICATE_VERIFY, body)


class Finished(NamedTuple):
    """RFC 9846 §4.5.3: as long as the hash of the cipher suite, which its reader knows."""

    verify_data: bytes

    @classmethod
    def parse(cls, body: bytes) -> Finished:
        return cls(body)

    def encode(self) -> bytes:
        return encode_message(HandshakeType.FINISHED, self.verify_data)


class NewSessionTicket(NamedTuple):
    """RFC 9846 §4.7.1; the lifetime is in seconds."""

    lifetime: int
    age_add: int
    nonce: bytes
    ticket: bytes
    extensions: Extensions

    @classmethod
    def parse(cls, body: bytes) -> NewSessionTicket:
        reader = Reader(body, "NewSessionTicket")
        lifetime = reader.number(4)
        age_add = reader.number(4)
        nonce = reader.vector(1)
        ticket = reader.vector(2, minimum=1)
        extensions = parse_extensions(reader.vector(2), Place.NST)
        reader.finish()
        return cls(lifetime, age_add, nonce, ticket, extensions)

    def encode(self) -> bytes:
        return encode_message(
            HandshakeType.NEW_SESSION_TICKET,
            b"".join(
                (
                    self.lifetime.to_bytes(4),
                    self.age_add.to_bytes(4),
                    encode_vector(1, self.nonce),
                    encode_vector(2, self.ticket),
                    encode_extensions(self.extensions),
                )
            ),
        )
