"""Extensions (RFC 9846 §4.3): the block, where each may stand, and the contents of those that are understood here.

A block is a dict from extension type to contents, in the order of the wire, so that it encodes to the same bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import Flag, auto
from struct import Struct

from quicmini.errors import crypto_error
from quicmini.tls.codec import Reader, encode_vector
from quicmini.tls.codes import Alert, ExtensionType

__all__ = [
    "MAX_COOKIE_SIZE",
    "MAX_SERVER_NAME",
    "Extensions",
    "Place",
    "encode_client_shares",
    "encode_extensions",
    "encode_protocols",
    "encode_server_name",
    "encode_share",
    "parse_client_shares",
    "parse_cookie",
    "parse_extensions",
    "parse_number",
    "parse_protocols",
    "parse_server_name",
    "parse_share",
    "parse_u16_list",
    "reject_unsolicited",
]

Extensions = dict[int, bytes]

_HEADER = Struct(">HH")  # an extension's type, and the length of its contents

_HOST_NAME = 0  # the only NameType there is (RFC 6066 §3)

# Bytes of a host name (RFC 1035 §2.3.4): a ticket has to carry it.
MAX_SERVER_NAME = 255

# Bytes of a cookie, which the next ClientHello has to carry beside all else; RFC 9846 §4.3.2 leaves it no room for that
# with the 65,535 that a server may send.
MAX_COOKIE_SIZE = 16 * 1024


class Place(Flag):
    """The messages that carry extensions, by the abbreviations of RFC 9846 §4.3."""

    CH = auto()
    SH = auto()
    HRR = auto()
    EE = auto()
    CT = auto()
    CR = auto()
    NST = auto()


# The table of RFC 9846 §4.3. What is not in it is not recognized.
_PLACES: dict[int, Place] = {
    ExtensionType.SERVER_NAME: Place.CH | Place.EE | Place.CR,
    ExtensionType.STATUS_REQUEST: Place.CH | Place.CR | Place.CT,
    ExtensionType.SUPPORTED_GROUPS: Place.CH | Place.EE,
    ExtensionType.SIGNATURE_ALGORITHMS: Place.CH | Place.CR,
    ExtensionType.USE_SRTP: Place.CH | Place.EE,
    ExtensionType.HEARTBEAT: Place.CH | Place.EE,
    ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION: Place.CH | Place.EE,
    ExtensionType.CLIENT_CERTIFICATE_TYPE: Place.CH | Place.EE,
    ExtensionType.SERVER_CERTIFICATE_TYPE: Place.CH | Place.EE,
    ExtensionType.PADDING: Place.CH,
    ExtensionType.COMPRESS_CERTIFICATE: Place.CH | Place.CR,
    ExtensionType.RECORD_SIZE_LIMIT: Place.CH | Place.EE,
    ExtensionType.DELEGATED_CREDENTIAL: Place.CH | Place.CR | Place.CT,
    ExtensionType.PRE_SHARED_KEY: Place.CH | Place.SH,
    ExtensionType.EARLY_DATA: Place.CH | Place.EE | Place.NST,
    ExtensionType.SUPPORTED_VERSIONS: Place.CH | Place.SH | Place.HRR,
    ExtensionType.COOKIE: Place.CH | Place.HRR,
    ExtensionType.PSK_KEY_EXCHANGE_MODES: Place.CH,
    ExtensionType.CERTIFICATE_AUTHORITIES: Place.CH | Place.CR,
    ExtensionType.OID_FILTERS: Place.CR,
    ExtensionType.POST_HANDSHAKE_AUTH: Place.CH,
    ExtensionType.SIGNATURE_ALGORITHMS_CERT: Place.CH | Place.CR,
    ExtensionType.KEY_SHARE: Place.CH | Place.SH | Place.HRR,
    ExtensionType.QUIC_TRANSPORT_PARAMETERS: Place.CH | Place.EE,
    ExtensionType.TICKET_REQUEST: Place.CH | Place.EE,
    ExtensionType.ENCRYPTED_CLIENT_HELLO: Place.CH | Place.HRR | Place.EE,
}

# The same table the other way round: one look-up for each extension.
_FORBIDDEN = {
    place: frozenset(code for code, permitted in _PLACES.items() if place not in permitted) for place in Place
}


def _name(extension_type: int) -> str:
    try:
        return ExtensionType(extension_type).name.lower()
    except ValueError:
        return f"extension {extension_type}"


def parse_extensions(data: bytes, place: Place) -> dict[int, bytes]:
    """The extensions of a block that stands in the message `place`.

    Raises illegal_parameter for a type that comes twice, or that is known but has no business in this message.
    """
    forbidden = _FORBIDDEN[place]
    extensions: dict[int, bytes] = {}
    pos, end = 0, len(data)
    while pos + _HEADER.size <= end:
        extension_type, length = _HEADER.unpack_from(data, pos)
        if extension_type in extensions:
            raise crypto_error(Alert.ILLEGAL_PARAMETER, f"{_name(extension_type)} twice in {place.name}")
        if extension_type in forbidden:
            raise crypto_error(Alert.ILLEGAL_PARAMETER, f"{_name(extension_type)} is not permitted in {place.name}")
        start = pos + _HEADER.size
        pos = start + length
        extensions[extension_type] = data[start:pos]
    if pos != end:
        raise crypto_error(Alert.DECODE_ERROR, f"the extension block of {place.name} is truncated")
    return extensions


def encode_extensions(extensions: Extensions) -> bytes:
    """An extension block with its length before it."""
    header = _HEADER.pack
    return encode_vector(2, b"".join([header(code, len(content)) + content for code, content in extensions.items()]))


def reject_unsolicited(extensions: Extensions, offered: Collection[int]) -> None:
    """A response may only answer what was asked (RFC 9846 §4.3): unsupported_extension for anything else."""
    for extension_type in extensions:
        if extension_type not in offered:
            raise crypto_error(Alert.UNSUPPORTED_EXTENSION, f"{_name(extension_type)} was not asked for")


def parse_number(data: bytes, what: str) -> int:
    """Contents that are a single 16-bit number: selected_version, selected_group."""
    reader = Reader(data, what)
    number = reader.number(2)
    reader.finish()
    return number


def parse_u16_list(data: bytes, what: str, size: int = 2) -> tuple[int, ...]:
    """Contents that are a list of 16-bit numbers: groups, signature algorithms, versions (`size` 1)."""
    reader = Reader(data, what)
    numbers = reader.u16_list(size)
    reader.finish()
    return numbers


def encode_server_name(name: str) -> bytes:
    """The server_name of a ClientHello (RFC 6066 §3); `name` is ASCII."""
    return encode_vector(2, bytes((_HOST_NAME,)) + encode_vector(2, name.encode("ascii")))


def parse_server_name(data: bytes) -> str | None:
    """The host name of a ClientHello's server_name; None if it names something else than a host."""
    reader = Reader(data, "server_name")
    names = Reader(reader.vector(2, minimum=1), "server_name")
    reader.finish()
    host_name: str | None = None
    while not names.at_end:
        name_type = names.number(1)
        name = names.vector(2, minimum=1)
        if name_type != _HOST_NAME:
            continue
        if host_name is not None or not name.isascii() or b"\0" in name or len(name) > MAX_SERVER_NAME:
            raise crypto_error(Alert.ILLEGAL_PARAMETER, "server_name must hold a single ASCII host name")
        host_name = name.decode("ascii")
    return host_name


def encode_protocols(protocols: Iterable[bytes]) -> bytes:
    """The ALPN extension (RFC 7301 §3.1)."""
    return encode_vector(2, b"".join(encode_vector(1, protocol) for protocol in protocols))


def parse_protocols(data: bytes) -> tuple[bytes, ...]:
    """The protocol names of an ALPN extension, one at least (RFC 7301 §3.1)."""
    reader = Reader(data, "application_layer_protocol_negotiation")
    names = Reader(reader.vector(2, minimum=2), "application_layer_protocol_negotiation")
    reader.finish()
    protocols = []
    while not names.at_end:
        protocols.append(names.vector(1, minimum=1))
    return tuple(protocols)


def parse_cookie(data: bytes) -> bytes:
    """Check a cookie's form (RFC 9846 §4.3.2); the contents go back to the server as they came."""
    reader = Reader(data, "cookie")
    reader.vector(2, minimum=1)
    reader.finish()
    if len(data) > MAX_COOKIE_SIZE:
        raise crypto_error(Alert.ILLEGAL_PARAMETER, "the cookie is too large for a ClientHello")
    return data


def encode_share(group: int, key_exchange: bytes) -> bytes:
    """A KeyShareEntry: the whole key_share of a ServerHello (RFC 9846 §4.3.8)."""
    return group.to_bytes(2) + encode_vector(2, key_exchange)


def _read_share(reader: Reader) -> tuple[int, bytes]:
    return reader.number(2), reader.vector(2, minimum=1)


def parse_share(data: bytes) -> tuple[int, bytes]:
    """Group and key of a ServerHello's key_share."""
    reader = Reader(data, "key_share")
    share = _read_share(reader)
    reader.finish()
    return share


def encode_client_shares(shares: Iterable[tuple[int, bytes]]) -> bytes:
    """The key_share of a ClientHello (RFC 9846 §4.3.8)."""
    return encode_vector(2, b"".join(encode_share(group, key) for group, key in shares))


def parse_client_shares(data: bytes) -> dict[int, bytes]:
    """The keys of a ClientHello's key_share by group; illegal_parameter for two of the same group."""
    reader = Reader(data, "key_share")
    entries = Reader(reader.vector(2), "key_share")
    reader.finish()
    shares: dict[int, bytes] = {}
    while not entries.at_end:
        group, key_exchange = _read_share(entries)
        if group in shares:
            raise crypto_error(Alert.ILLEGAL_PARAMETER, f"two key shares for group {group:#06x}")
        shares[group] = key_exchange
    return shares
