"""What is done with each kind of RFC test vector: the values that this project computes, beside those of the RFC.

On the way it tells what goes into each value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from quicmini.crypto.hkdf import hkdf_label
from quicmini.crypto.keys import (
    INITIAL_SUITE,
    derive_packet_keys,
    initial_secret,
    initial_secrets,
    version_keys,
)
from quicmini.study.comparison import Checked, Comparison, Shown, same
from quicmini.study.derivation import Input, label_fields
from quicmini.study.keys import initial_keys, packet_keys
from quicmini.study.packet_vector_checks import initial_packet, retry, short_header_packet
from quicmini.study.tls_vector_checks import tls_0rtt, tls_1rtt
from quicmini.wire.packet import (
    decode_packet_number,
    encode_packet_number,
)
from quicmini.wire.varint import decode_varint, encode_varint
from vectors import Values

__all__ = ["CHECKS"]

# The lengths that stand in the HkdfLabels of RFC 9001 §A.1, by the last word of the label.
_LABEL_LENGTHS = {"in": 32, "key": 16, "iv": 12, "hp": 16}


def _varint(values: Values) -> Checked:
    """RFC 9000 §A.1."""
    for name in values:
        example = values.group(name)
        encoded = example.octets("bytes")
        value, end = decode_varint(encoded, 0)
        yield Shown("bytes", encoded, f"the first two bits are {encoded[0] >> 6:02b}: it has {end} (RFC 9000 §16)")
        yield Comparison(f"{name}, decoded", example.integer("value"), value)
        yield Comparison(f"{name}, length", len(encoded), end)
        yield Comparison(f"{name}, encoded", example.octets("shortest"), encode_varint(value))


def _packet_number_encoding(values: Values) -> Checked:
    """RFC 9000 §A.2."""
    for name in values:
        example = values.group(name)
        full, largest_acked = example.integer("full_pn"), example.integer("largest_acked")
        outstanding = full - largest_acked
        yield Shown("packet number to send", full)
        yield Shown("largest acknowledged", largest_acked)
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


def _packet_number_decoding(values: Values) -> Checked:
    """RFC 9000 §A.3."""
    largest, truncated, bits = (values.integer(name) for name in ("largest_pn", "truncated_pn", "bits"))
    yield Shown("expected next", largest + 1, f"the largest that came, and one; here {largest + 1:#x}")
    yield Shown("on the wire", f"{truncated:#x}", f"{bits} bits")
    yield Shown("window", 1 << bits, "the number that ends so, and is closest to the expected one, is meant")
    full = decode_packet_number(largest, truncated, bits)
    yield same(values, "packet_number", full)
    yield same(values, "truncated_pn", full & (1 << bits) - 1)
    yield same(values, "bits", 8 * len(values.octets("truncated_pn")))


def _initial_keys(values: Values) -> Checked:
    """RFC 9001 §A.1, RFC 9369 §A.1."""
    version, dcid = values.integer("version"), values.octets("destination_connection_id")
    common, *sides = initial_keys(dcid, version)
    labels = values.group("hkdf_labels")
    for label in labels:
        info = hkdf_label(label, b"", _LABEL_LENGTHS[label.split()[-1]])
        yield same(labels, label, info, label_fields, "the HkdfLabel")
    yield from common.steps
    yield same(values, "initial_secret", initial_secret(dcid, version))
    for (_, sender, steps), secret in zip(sides, initial_secrets(dcid, version), strict=True):
        expected = values.group(sender)
        yield from steps
        yield Comparison(f"{sender} secret", expected.octets("secret"), secret)
        for name, actual in derive_packet_keys(INITIAL_SUITE, secret, version)._asdict().items():
            yield Comparison(f"{sender} {name}", expected.octets(name), actual)


def _version_constants(values: Values) -> Checked:
    """RFC 9001 §5.2, §5.8; RFC 9369 §3.1, §3.3: the constants, and what they are made of."""
    version = values.integer("version")
    constants = version_keys(version)
    for name in ("initial_salt", "retry_secret", "retry_key", "retry_nonce"):
        yield same(values, name, getattr(constants, name))
    yield from packet_keys(Input("retry_secret", values.octets("retry_secret")), INITIAL_SUITE, version)[:2]
    derived = derive_packet_keys(INITIAL_SUITE, values.octets("retry_secret"), version)
    yield same(values, "retry_key", derived.key)
    yield same(values, "retry_nonce", derived.iv)
    for name in values:
        if name.endswith("_text"):
            expected = name.removesuffix("_text")
            yield Shown(name, values.text(name), "whose SHA-256 begins with:")
            digest = hashlib.sha256(values.text(name).encode()).digest()
            yield same(values, expected, digest[: len(values.octets(expected))])


CHECKS: dict[str, Callable[[Values], Checked]] = {
    "varint": _varint,
    "packet-number-encoding": _packet_number_encoding,
    "packet-number-decoding": _packet_number_decoding,
    "initial-keys": _initial_keys,
    "initial-packet": initial_packet,
    "short-header-packet": short_header_packet,
    "retry": retry,
    "version-constants": _version_constants,
    "tls-1rtt": tls_1rtt,
    "tls-0rtt": tls_0rtt,
}
