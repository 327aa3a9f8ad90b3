"""The extensions of TLS, one by one, in each message that may carry them (RFC 9846 §4.3)."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from quicmini.study.texts import shown_text
from quicmini.study.tls_fields.der import distinguished_name, object_identifier
from quicmini.study.tls_fields.names import group, is_grease, name_in, signature_scheme, tls_version
from quicmini.study.tls_fields.parameters import parameters
from quicmini.study.tls_fields.reader import Parse, TlsReader
from quicmini.study.tls_fields.shapes import counted, empty, number, numbers, opaque, opaques, raw
from quicmini.tls.extensions import Place

__all__ = ["extensions"]


class _Extension(NamedTuple):
    """contents: how to read them, by the messages that they stand in; anything else is shown as it is."""

    name: str
    section: str
    contents: tuple[tuple[Place, Parse], ...] = ()

    def read(self, reader: TlsReader, place: Place) -> str:
        reader.number("extension_type", 2, "RFC 9846 §4.3")
        reader.number("length", 2, "RFC 9846 §4.3")
        return next((parse for places, parse in self.contents if place in places), raw)(reader)


def extensions(reader: TlsReader, place: Place) -> None:
    """The block of extensions of a message (RFC 9846 §4.3)."""

    def block(reader: TlsReader) -> str:
        while reader.left:
            head = reader.peek(4)
            extension = _extension(int.from_bytes(head[:2]))
            size = 4 + int.from_bytes(head[2:])
            reader.part(extension.name, size, partial(extension.read, place=place), extension.section)
        return counted(len(reader.fields) - 1, "extension")  # the first field is the length

    reader.vector("extensions", 2, block, "RFC 9846 §4.3")


def _extension(code: int) -> _Extension:
    if found := _EXTENSIONS.get(code):
        return found
    if is_grease(code):
        return _Extension("GREASE", "RFC 8701 §2")
    return _Extension(f"extension {code}", "")


def _size(data: bytes) -> str:
    return counted(len(data), "byte")


def _server_names(reader: TlsReader) -> str:
    """RFC 6066 §3."""

    def names(reader: TlsReader) -> str:
        while reader.left:
            reader.number("name_type", 1, show=name_in({0: "host_name"}, 2))
            reader.opaque("HostName", 2, show=shown_text)
        return ", ".join(field.value for field in reader.fields if field.name == "HostName")

    reader.vector("server_name_list", 2, names)
    return reader.take_value()


def _status_request(reader: TlsReader) -> str:
    """RFC 6066 §8."""
    kind = reader.number("status_type", 1, show=name_in({1: "ocsp"}, 2))
    reader.opaque("responder_id_list", 2)
    reader.opaque("request_extensions", 2)
    return "ocsp" if kind == 1 else str(kind)


def _status(reader: TlsReader) -> str:
    """RFC 9846 §4.5.1.1."""
    reader.number("status_type", 1, show=name_in({1: "ocsp"}, 2))
    reader.opaque("response", 3, show=_size)
    return "an OCSP response"


def _share(reader: TlsReader) -> str:
    """A KeyShareEntry (RFC 9846 §4.3.8)."""
    name = group(reader.number("group", 2, show=group))
    reader.opaque("key_exchange", 2, show=_size)
    return f"{name}, {reader.fields[-1].value}"


def _client_shares(reader: TlsReader) -> str:
    def shares(reader: TlsReader) -> str:
        while reader.left:
            length = 4 + int.from_bytes(reader.peek(4)[2:])
            reader.part("KeyShareEntry", length, _share)
        return "; ".join(field.value for field in reader.fields[1:])

    reader.vector("client_shares", 2, shares)
    return reader.take_value()


def _offered_psks(reader: TlsReader) -> str:
    """RFC 9846 §4.3.11."""

    def identities(reader: TlsReader) -> str:
        while reader.left:
            reader.opaque("identity", 2, show=_size)
            reader.number("obfuscated_ticket_age", 4, "RFC 9846 §4.3.11.1", lambda age: f"{age:,} ms, with age_add")
        return counted((len(reader.fields) - 1) // 2, "ticket")

    def binders(reader: TlsReader) -> str:
        while reader.left:
            reader.opaque("PskBinderEntry", 1, "RFC 9846 §4.3.11.2", _size)
        return counted(len(reader.fields) - 1, "binder")

    reader.vector("identities", 2, identities)
    reader.vector("binders", 2, binders)
    return ", ".join(field.value for field in reader.fields[-2:])


def _filters(reader: TlsReader) -> str:
    """RFC 9846 §4.3.5."""

    def entries(reader: TlsReader) -> str:
        while reader.left:
            reader.opaque("certificate_extension_oid", 1, show=object_identifier)
            reader.opaque("certificate_extension_values", 2)
        return ", ".join(field.value for field in reader.fields if field.name.endswith("oid"))

    reader.vector("filters", 2, entries)
    return reader.take_value()


def _tickets_wanted(reader: TlsReader) -> str:
    """RFC 9149 §3."""
    new = reader.number("new_session_count", 1)
    resumed = reader.number("resumption_count", 1)
    return f"{new} after a full handshake, {resumed} after a resumed one"


_PSK_MODES = name_in({0: "psk_ke", 1: "psk_dhe_ke"}, 2)
_COMPRESSIONS = name_in({1: "zlib", 2: "brotli", 3: "zstd"})
_CERTIFICATE_TYPES = name_in({0: "X509", 1: "OpenPGP", 2: "RawPublicKey"}, 2)
_POINT_FORMATS = name_in({0: "uncompressed"}, 2)

_ALL = ~Place(0)
_REQUESTS = Place.CH | Place.CR
_SCHEMES = numbers("supported_signature_algorithms", "SignatureScheme", 2, 2, signature_scheme)
_TYPE = number("certificate_type", 1, _CERTIFICATE_TYPES)
_TYPES = numbers("certificate_types", "CertificateType", 1, 1, _CERTIFICATE_TYPES)

_EXTENSIONS = {
    0: _Extension("server_name", "RFC 6066 §3", ((Place.CH, _server_names), (Place.EE, empty))),
    1: _Extension("max_fragment_length", "RFC 6066 §4"),
    5: _Extension("status_request", "RFC 9846 §4.5.1.1", ((_REQUESTS, _status_request), (Place.CT, _status))),
    10: _Extension("supported_groups", "RFC 9846 §4.3.7",
                   ((_ALL, numbers("named_group_list", "NamedGroup", 2, 2, group)),)),
    11: _Extension("ec_point_formats", "RFC 8422 §5.1.2",
                   ((_ALL, numbers("ec_point_format_list", "ECPointFormat", 1, 1, _POINT_FORMATS)),)),
    13: _Extension("signature_algorithms", "RFC 9846 §4.3.3", ((_ALL, _SCHEMES),)),
    14: _Extension("use_srtp", "RFC 5764 §4.1.1"),
    15: _Extension("heartbeat", "RFC 6520 §2"),
    16: _Extension("application_layer_protocol_negotiation", "RFC 7301 §3.1",
                   ((_ALL, opaques("protocol_name_list", "ProtocolName", 2, 1)),)),
    18: _Extension("signed_certificate_timestamp", "RFC 6962 §3.3.1"),
    19: _Extension("client_certificate_type", "RFC 7250 §3", ((Place.CH, _TYPES), (Place.EE, _TYPE))),
    20: _Extension("server_certificate_type", "RFC 7250 §3", ((Place.CH, _TYPES), (Place.EE, _TYPE))),
    21: _Extension("padding", "RFC 7685 §3"),
    22: _Extension("encrypt_then_mac", "RFC 7366 §2"),
    23: _Extension("extended_master_secret", "RFC 7627 §5.1"),
    27: _Extension("compress_certificate", "RFC 8879 §3",
                   ((_REQUESTS, numbers("algorithms", "CertificateCompressionAlgorithm", 2, 1, _COMPRESSIONS)),)),
    28: _Extension("record_size_limit", "RFC 8449 §4", ((_ALL, number("RecordSizeLimit", 2)),)),
    34: _Extension("delegated_credential", "RFC 9345 §4.1.1", ((_REQUESTS, _SCHEMES),)),
    35: _Extension("session_ticket", "RFC 5077 §3.2"),
    41: _Extension("pre_shared_key", "RFC 9846 §4.3.11",
                   ((Place.CH, _offered_psks), (Place.SH, number("selected_identity", 2)))),
    42: _Extension("early_data", "RFC 9846 §4.3.10",
                   ((Place.NST, number("max_early_data_size", 4, "{:#x}".format)), (_ALL, empty))),
    43: _Extension("supported_versions", "RFC 9846 §4.3.1",
                   ((Place.CH, numbers("versions", "ProtocolVersion", 2, 1, tls_version)),
                    (_ALL, number("selected_version", 2, tls_version)))),
    44: _Extension("cookie", "RFC 9846 §4.3.2", ((_ALL, opaque("cookie", 2, _size)),)),
    45: _Extension("psk_key_exchange_modes", "RFC 9846 §4.3.9",
                   ((_ALL, numbers("ke_modes", "PskKeyExchangeMode", 1, 1, _PSK_MODES)),)),
    47: _Extension("certificate_authorities", "RFC 9846 §4.3.4",
                   ((_ALL, opaques("authorities", "DistinguishedName", 2, 2, distinguished_name)),)),
    48: _Extension("oid_filters", "RFC 9846 §4.3.5", ((_ALL, _filters),)),
    49: _Extension("post_handshake_auth", "RFC 9846 §4.3.6", ((_ALL, empty),)),
    50: _Extension("signature_algorithms_cert", "RFC 9846 §4.3.3", ((_ALL, _SCHEMES),)),
    51: _Extension("key_share", "RFC 9846 §4.3.8",
                   ((Place.CH, _client_shares), (Place.SH, _share), (Place.HRR, number("selected_group", 2, group)))),
    57: _Extension("quic_transport_parameters", "RFC 9001 §8.2", ((_ALL, parameters),)),
    58: _Extension("ticket_request", "RFC 9149 §3",
                   ((Place.CH, _tickets_wanted), (Place.EE, number("expected_count", 1)))),
    17513: _Extension("application_settings", "draft-vvv-tls-alps"),
    17613: _Extension("application_settings", "draft-vvv-tls-alps"),
    64768: _Extension("ech_outer_extensions", "RFC 9849 §5.1"),
    65037: _Extension("encrypted_client_hello", "RFC 9849 §5"),
    65281: _Extension("renegotiation_info", "RFC 5746 §3.2", ((_ALL, opaque("renegotiated_connection", 1)),)),
    65445: _Extension("quic_transport_parameters of drafts", "draft-ietf-quic-tls", ((_ALL, parameters),)),
}  # fmt: skip
