"""The sample packets of RFC 9001 §A and RFC 9369 §A: protected and unprotected, each step of it shown.

A check goes both ways: it protects the RFC's payload and expects the RFC's packet, then unprotects the RFC's packet and
expects the payload.
"""

from __future__ import annotations

from functools import partial

from quicmini.crypto.header_protection import SAMPLE_LENGTH
from quicmini.crypto.keys import (
    CIPHER_SUITES,
    INITIAL_SUITE,
    CipherSuite,
    derive_packet_keys,
    initial_secrets,
    next_secret,
    version_keys,
)
from quicmini.crypto.protection import Opener, Sealer
from quicmini.crypto.retry import retry_integrity_tag
from quicmini.study.comparison import Checked, Comparison, Shown, same
from quicmini.study.derivation import Input, expand_label
from quicmini.study.keys import initial_keys, packet_keys
from quicmini.study.vector_layouts import header_layout, packet_layout, payload_layout, retry_layout
from quicmini.wire.frames import parse_frames
from quicmini.wire.packet import (
    LongHeader,
    PacketType,
    RetryPacket,
    decode_packet_number,
    encode_long_header,
    encode_retry,
    encode_short_header,
    parse_long_header,
)
from vectors import Values

__all__ = ["initial_packet", "retry", "short_header_packet"]

# Where the sample starts, bytes from the start of the packet number: as if that had four (RFC 9001 §5.4.2).
SAMPLE_OFFSET = 4


def initial_packet(values: Values) -> Checked:
    """RFC 9001 §A.2 and §A.3, RFC 9369 §A.2 and §A.3."""
    version, number = values.integer("version"), values.integer("packet_number")
    first_dcid, sender = values.octets("client_destination_connection_id"), values.text("sender")
    secret = initial_secrets(first_dcid, version)[("client", "server").index(sender)]
    for part in initial_keys(first_dcid, version):
        if part.sender in ("", sender):
            yield from part.steps
    # The RFC gives the frames; PADDING, which is zeros, fills the payload up.
    payload = values.octets("payload").ljust(values.integer("payload_length"), b"\0")
    pn_length = values.integer("packet_number_length")
    dcid, scid = values.octets("destination_connection_id"), values.octets("source_connection_id")
    token = values.octets("token")

    sealed_length = len(payload) + Sealer.overhead
    header = encode_long_header(PacketType.INITIAL, version, dcid, scid, token, number, pn_length, sealed_length)
    yield same(values, "length_field", pn_length + sealed_length)
    layout = partial(header_layout, pn_length=pn_length)
    yield same(values, "unprotected_header", header, layout, "before protection (RFC 9000 §17.2.2)")
    yield from _protection(values, INITIAL_SUITE, secret, header, payload)

    packet = values.octets("packet")
    parsed = parse_long_header(packet, 0)
    expected = LongHeader(version, PacketType.INITIAL, dcid, scid, token, len(header) - pn_length, len(packet))
    yield Comparison("parsed header", str(expected), str(parsed))
    encoded_again = b"".join(frame.encode() for frame in parse_frames(payload))
    yield Comparison("payload, parsed and encoded again", payload, encoded_again)


def short_header_packet(values: Values) -> Checked:
    """RFC 9001 §A.5, RFC 9369 §A.5."""
    suite, version = CIPHER_SUITES[values.integer("cipher_suite")], values.integer("version")
    secret, number = values.octets("secret"), values.integer("packet_number")
    keys = derive_packet_keys(suite, secret, version)
    source = Input("secret", secret)
    for step in packet_keys(source, suite, version):
        yield step
        yield same(values, step.name, getattr(keys, step.name))
    yield expand_label("ku", source, version_keys(version).ku_label, suite.hash_length, "RFC 9001 §6.1")
    yield same(values, "ku", next_secret(suite, secret, version), note="the secret of the next key phase")
    nonce = (int.from_bytes(keys.iv) ^ number).to_bytes(len(keys.iv))
    yield same(values, "nonce", nonce, note=f"iv XOR {number:#x}")

    pn_length = values.integer("packet_number_length")
    header = encode_short_header(values.octets("destination_connection_id"), number, pn_length)
    yield same(values, "truncated_packet_number", int.from_bytes(header[-pn_length:]))
    layout = partial(header_layout, pn_length=pn_length)
    yield same(values, "unprotected_header", header, layout, "before protection (RFC 9000 §17.3.1)")
    payload = values.octets("payload")
    ciphertext = Sealer(suite, secret, version).seal(header, number, payload)[len(header) :]
    yield same(values, "payload_ciphertext", ciphertext)
    yield from _protection(values, suite, secret, header, payload)


def _protection(values: Values, suite: CipherSuite, secret: bytes, header: bytes, payload: bytes) -> Checked:
    """Protect a packet, step by step, and unprotect the RFC's (RFC 9001 §5.4.1)."""
    version, number = values.integer("version"), values.integer("packet_number")
    pn_offset = len(header) - values.integer("packet_number_length")

    keys = derive_packet_keys(suite, secret, version)
    packet = Sealer(suite, secret, version).seal(header, number, payload)
    nonce = (int.from_bytes(keys.iv) ^ number).to_bytes(len(keys.iv))
    yield Shown("nonce", nonce, f"iv XOR packet number {number:#x} (RFC 9001 §5.3)")
    yield Shown("associated data", header, "the header as it is before protection (RFC 9001 §5.3)")
    yield Shown("payload", payload, "before: the frames")
    yield Shown("ciphertext and tag", packet[len(header) :], "after: the AEAD of key, nonce, payload, associated data")

    sample = packet[pn_offset + SAMPLE_OFFSET :][:SAMPLE_LENGTH]
    mask = suite.header_protection(keys.hp).masks(sample)[:5]
    low_bits = 0x0F if header[0] & 0x80 else 0x1F
    yield same(values, "sample", sample, note=f"from byte {pn_offset + SAMPLE_OFFSET} of the packet (RFC 9001 §5.4.2)")
    yield same(values, "mask", mask, note="what hp makes of the sample (RFC 9001 §5.4.3, §5.4.4)")
    yield Shown("first byte", header[:1], "before")
    note = f"after: XOR {mask[0] & low_bits:02x}, the mask's first byte AND {low_bits:02x} (RFC 9001 §5.4.1)"
    yield same(values, "protected_first_byte", packet[:1], note=note)
    yield Shown("packet number", header[pn_offset:], "before")
    note = "after: XOR the mask's next bytes"
    yield same(values, "protected_packet_number", packet[pn_offset : len(header)], note=note)
    pn_length = len(header) - pn_offset
    yield same(
        values, "protected_header", packet[: len(header)], partial(packet_layout, pn_length=pn_length, payload=b"")
    )
    yield same(values, "packet", packet, partial(packet_layout, pn_length=pn_length, payload=payload))
    yield from _unprotection(values, suite, secret, header, payload)


def _unprotection(values: Values, suite: CipherSuite, secret: bytes, header: bytes, payload: bytes) -> Checked:
    """The way back, from the RFC's packet."""
    number, packet = values.integer("packet_number"), values.octets("packet")
    pn_offset = len(header) - values.integer("packet_number_length")
    opener = Opener(suite, secret, values.integer("version"))
    first_byte, truncated, pn_length = opener.unmask(packet, pn_offset)
    yield Comparison("unprotected first byte", header[:1], bytes((first_byte,)))
    yield Comparison("unprotected packet number", header[pn_offset:], truncated.to_bytes(pn_length))
    full = decode_packet_number(number - 1, truncated, 8 * pn_length)
    opened = opener.open(packet, pn_offset, first_byte, pn_length, full)
    packet_type = PacketType.INITIAL if suite is INITIAL_SUITE else PacketType.ONE_RTT
    yield Comparison("unprotected payload", payload, opened, partial(payload_layout, packet_type=packet_type))


def retry(values: Values) -> Checked:
    """RFC 9001 §A.4, RFC 9369 §A.4."""
    version, original_dcid = values.integer("version"), values.octets("original_destination_connection_id")
    dcid, scid = values.octets("destination_connection_id"), values.octets("source_connection_id")
    token = values.octets("token")
    retry = encode_retry(version, dcid, scid, token, values.integer("unused_bits"))
    tag = retry_integrity_tag(retry, original_dcid, version)
    constants = version_keys(version)
    pseudo_packet = bytes((len(original_dcid),)) + original_dcid + retry
    yield Shown("key", constants.retry_key, "the same for all Retry packets of a version (RFC 9001 §5.8)")
    yield Shown("nonce", constants.retry_nonce, "likewise")
    yield Shown("associated data", pseudo_packet, "length and bytes of the client's first DCID, then the packet")
    yield same(values, "integrity_tag", tag)
    yield same(values, "packet", retry + tag, retry_layout)

    parsed = parse_long_header(values.octets("packet"), 0)
    yield Comparison("parsed packet", str(RetryPacket(version, dcid, scid, token, tag, retry)), str(parsed))
