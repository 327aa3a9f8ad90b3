"""What is done with each kind of RFC test vector: the values that this project computes, beside those of the RFC.

A check goes both ways: it protects the RFC's payload and expects the RFC's packet, then unprotects the RFC's packet and
expects the payload.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from quicmini.crypto.hkdf import hkdf_label
from quicmini.crypto.keys import (
    CIPHER_SUITES,
    INITIAL_SUITE,
    CipherSuite,
    derive_packet_keys,
    initial_secret,
    initial_secrets,
    next_secret,
    version_keys,
)
from quicmini.crypto.protection import Opener, Sealer
from quicmini.crypto.retry import retry_integrity_tag
from quicmini.study.comparison import Comparison, same
from quicmini.study.tls_vector_checks import tls_0rtt, tls_1rtt
from quicmini.wire.frames import parse_frames
from quicmini.wire.packet import (
    LongHeader,
    PacketType,
    RetryPacket,
    decode_packet_number,
    encode_long_header,
    encode_packet_number,
    encode_retry,
    encode_short_header,
    parse_long_header,
)
from quicmini.wire.varint import decode_varint, encode_varint
from vectors import Values

__all__ = ["CHECKS"]

# The lengths that stand in the HkdfLabels of RFC 9001 §A.1, by the last word of the label.
_LABEL_LENGTHS = {"in": 32, "key": 16, "iv": 12, "hp": 16}


def _varint(values: Values) -> Iterator[Comparison]:
    """RFC 9000 §A.1."""
    for name in values:
        example = values.group(name)
        encoded = example.octets("bytes")
        value, end = decode_varint(encoded, 0)
        yield Comparison(f"{name}, decoded", example.integer("value"), value)
        yield Comparison(f"{name}, length", len(encoded), end)
        yield Comparison(f"{name}, encoded", example.octets("shortest"), encode_varint(value))


def _packet_number_encoding(values: Values) -> Iterator[Comparison]:
    """RFC 9000 §A.2."""
    for name in values:
        example = values.group(name)
        full, largest_acked = example.integer("full_pn"), example.integer("largest_acked")
        outstanding = full - largest_acked
        length = encode_packet_number(full, largest_acked)
        for key, actual in (
            ("outstanding", outstanding),
            ("outstanding_hex", outstanding),
            ("twice", 2 * outstanding),
            ("twice_hex", 2 * outstanding),
            ("bits_required", (2 * outstanding).bit_length()),
            ("bits", 8 * length),
        ):
            yield Comparison(f"{name}, {key}", example.integer(key), actual)
        encoded = example.octets("encoded")
        yield Comparison(f"{name}, encoded", encoded, (full & (1 << 8 * length) - 1).to_bytes(length))
        yield Comparison(
            f"{name}, decoded", full, decode_packet_number(largest_acked, int.from_bytes(encoded), 8 * len(encoded))
        )


def _packet_number_decoding(values: Values) -> Iterator[Comparison]:
    """RFC 9000 §A.3."""
    largest, truncated, bits = (values.integer(name) for name in ("largest_pn", "truncated_pn", "bits"))
    full = decode_packet_number(largest, truncated, bits)
    yield same(values, "packet_number", full)
    yield same(values, "truncated_pn", full & (1 << bits) - 1)
    yield same(values, "bits", 8 * len(values.octets("truncated_pn")))


def _initial_keys(values: Values) -> Iterator[Comparison]:
    """RFC 9001 §A.1, RFC 9369 §A.1."""
    version, dcid = values.integer("version"), values.octets("destination_connection_id")
    labels = values.group("hkdf_labels")
    for label in labels:
        yield same(labels, label, hkdf_label(label, b"", _LABEL_LENGTHS[label.split()[-1]]))
    yield same(values, "initial_secret", initial_secret(dcid, version))
    for sender, secret in zip(("client", "server"), initial_secrets(dcid, version), strict=True):
        expected = values.group(sender)
        yield Comparison(f"{sender} secret", expected.octets("secret"), secret)
        for name, actual in derive_packet_keys(INITIAL_SUITE, secret, version)._asdict().items():
            yield Comparison(f"{sender} {name}", expected.octets(name), actual)


def _initial_packet(values: Values) -> Iterator[Comparison]:
    """RFC 9001 §A.2 and §A.3, RFC 9369 §A.2 and §A.3."""
    version, number = values.integer("version"), values.integer("packet_number")
    secrets = initial_secrets(values.octets("client_destination_connection_id"), version)
    secret = secrets[("client", "server").index(values.text("sender"))]
    # The RFC gives the frames; PADDING, which is zeros, fills the payload up.
    payload = values.octets("payload").ljust(values.integer("payload_length"), b"\0")
    pn_length = values.integer("packet_number_length")
    dcid, scid = values.octets("destination_connection_id"), values.octets("source_connection_id")
    token = values.octets("token")

    sealed_length = len(payload) + Sealer.overhead
    header = encode_long_header(PacketType.INITIAL, version, dcid, scid, token, number, pn_length, sealed_length)
    yield same(values, "length_field", pn_length + sealed_length)
    yield same(values, "unprotected_header", header)
    yield from _protection(values, INITIAL_SUITE, secret, header, payload)

    packet = values.octets("packet")
    parsed = parse_long_header(packet, 0)
    expected = LongHeader(version, PacketType.INITIAL, dcid, scid, token, len(header) - pn_length, len(packet))
    yield Comparison("parsed header", str(expected), str(parsed))
    encoded_again = b"".join(frame.encode() for frame in parse_frames(payload))
    yield Comparison("payload, parsed and encoded again", payload, encoded_again)


def _short_header_packet(values: Values) -> Iterator[Comparison]:
    """RFC 9001 §A.5, RFC 9369 §A.5."""
    suite, version = CIPHER_SUITES[values.integer("cipher_suite")], values.integer("version")
    secret, number = values.octets("secret"), values.integer("packet_number")
    keys = derive_packet_keys(suite, secret, version)
    for name, key in keys._asdict().items():
        yield same(values, name, key)
    yield same(values, "ku", next_secret(suite, secret, version))
    yield same(values, "nonce", (int.from_bytes(keys.iv) ^ number).to_bytes(len(keys.iv)))

    pn_length = values.integer("packet_number_length")
    header = encode_short_header(values.octets("destination_connection_id"), number, pn_length)
    yield same(values, "truncated_packet_number", int.from_bytes(header[-pn_length:]))
    yield same(values, "unprotected_header", header)
    payload = values.octets("payload")
    yield same(
        values, "payload_ciphertext", Sealer(suite, secret, version).seal(header, number, payload)[len(header) :]
    )
    yield from _protection(values, suite, secret, header, payload)


def _protection(
    values: Values, suite: CipherSuite, secret: bytes, header: bytes, payload: bytes
) -> Iterator[Comparison]:
    """Protect a packet, step by step, and unprotect the RFC's (RFC 9001 §5.4.1)."""
    version, number = values.integer("version"), values.integer("packet_number")
    pn_offset = len(header) - values.integer("packet_number_length")

    packet = Sealer(suite, secret, version).seal(header, number, payload)
    sample = packet[pn_offset + 4 : pn_offset + 20]
    yield same(values, "sample", sample)
    header_protection = suite.header_protection(derive_packet_keys(suite, secret, version).hp)
    yield same(values, "mask", header_protection.masks(sample)[:5])
    yield same(values, "protected_first_byte", packet[:1])
    yield same(values, "protected_packet_number", packet[pn_offset : len(header)])
    yield same(values, "protected_header", packet[: len(header)])
    yield same(values, "packet", packet)

    packet = values.octets("packet")
    opener = Opener(suite, secret, version)
    first_byte, truncated, pn_length = opener.unmask(packet, pn_offset)
    yield Comparison("unprotected first byte", header[:1], bytes((first_byte,)))
    yield Comparison("unprotected packet number", header[pn_offset:], truncated.to_bytes(pn_length))
    full = decode_packet_number(number - 1, truncated, 8 * pn_length)
    yield Comparison("unprotected payload", payload, opener.open(packet, pn_offset, first_byte, pn_length, full))


def _retry(values: Values) -> Iterator[Comparison]:
    """RFC 9001 §A.4, RFC 9369 §A.4."""
    version, original_dcid = values.integer("version"), values.octets("original_destination_connection_id")
    dcid, scid = values.octets("destination_connection_id"), values.octets("source_connection_id")
    token = values.octets("token")
    retry = encode_retry(version, dcid, scid, token, values.integer("unused_bits"))
    tag = retry_integrity_tag(retry, original_dcid, version)
    yield same(values, "integrity_tag", tag)
    yield same(values, "packet", retry + tag)

    parsed = parse_long_header(values.octets("packet"), 0)
    yield Comparison("parsed packet", str(RetryPacket(version, dcid, scid, token, tag, retry)), str(parsed))


def _version_constants(values: Values) -> Iterator[Comparison]:
    """RFC 9001 §5.2, §5.8; RFC 9369 §3.1, §3.3: the constants, and what they are made of."""
    version = values.integer("version")
    constants = version_keys(version)
    for name in ("initial_salt", "retry_secret", "retry_key", "retry_nonce"):
        yield same(values, name, getattr(constants, name))
    derived = derive_packet_keys(INITIAL_SUITE, values.octets("retry_secret"), version)
    yield same(values, "retry_key", derived.key)
    yield same(values, "retry_nonce", derived.iv)
    for name in values:
        if name.endswith("_text"):
            expected = name.removesuffix("_text")
            digest = hashlib.sha256(values.text(name).encode()).digest()
            yield same(values, expected, digest[: len(values.octets(expected))])


CHECKS: dict[str, Callable[[Values], Iterator[Comparison]]] = {
    "varint": _varint,
    "packet-number-encoding": _packet_number_encoding,
    "packet-number-decoding": _packet_number_decoding,
    "initial-keys": _initial_keys,
    "initial-packet": _initial_packet,
    "short-header-packet": _short_header_packet,
    "retry": _retry,
    "version-constants": _version_constants,
    "tls-1rtt": tls_1rtt,
    "tls-0rtt": tls_0rtt,
}
