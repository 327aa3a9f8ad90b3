"""Extension blocks, and the contents of each extension that is understood."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from quicmini.tls import extensions as ext
from quicmini.tls.codes import Alert, ExtensionType
from quicmini.tls.extensions import Place
from tests.tls.peers import alert_of, error_of

GREASE = 0x3A3A  # RFC 8701


def block(*types: int) -> bytes:
    return b"".join(code.to_bytes(2) + b"\0\1x" for code in types)


def test_a_block_keeps_its_order_and_its_bytes() -> None:
    parsed = ext.parse_extensions(block(51, GREASE, 0, 43), Place.CH)
    assert list(parsed) == [51, GREASE, 0, 43]
    assert ext.encode_extensions(parsed) == b"\0\x14" + block(51, GREASE, 0, 43)


@pytest.mark.parametrize("place", list(Place))
def test_unknown_types_may_stand_anywhere(place: Place) -> None:
    assert list(ext.parse_extensions(block(GREASE, 0x1234), place)) == [GREASE, 0x1234]


@pytest.mark.parametrize("place", list(Place))
def test_the_table_of_places(place: Place) -> None:
    """Each known type, alone in each message: accepted or illegal_parameter, as RFC 9846 §4.3 says."""
    permitted = {
        Place.CH: {0, 5, 10, 13, 14, 15, 16, 19, 20, 21, 27, 28, 34, 41, 42, 43, 44, 45, 47, 49, 50, 51, 57, 58, 65037},
        Place.SH: {41, 43, 51},
        Place.HRR: {43, 44, 51, 65037},
        Place.EE: {0, 10, 14, 15, 16, 19, 20, 28, 42, 57, 58, 65037},
        Place.CT: {5, 34},
        Place.CR: {0, 5, 13, 27, 34, 47, 48, 50},
        Place.NST: {42},
    }[place]
    for code in ExtensionType:
        if code in permitted:
            assert list(ext.parse_extensions(block(code), place)) == [code]
        else:
            error = error_of(ext.parse_extensions, block(code), place)
            assert error.error_code == 0x100 + Alert.ILLEGAL_PARAMETER
            assert "not permitted" in error.reason


@pytest.mark.parametrize("code", [ExtensionType.KEY_SHARE, GREASE])
def test_no_type_comes_twice(code: int) -> None:
    assert alert_of(ext.parse_extensions, block(code, 43, code), Place.CH) == Alert.ILLEGAL_PARAMETER


def test_answers_to_no_question() -> None:
    ext.reject_unsolicited({43: b"", 51: b""}, {43: b"", 51: b"", 0: b""})
    assert alert_of(ext.reject_unsolicited, {43: b"", GREASE: b""}, {43: b""}) == Alert.UNSUPPORTED_EXTENSION


def test_round_trips() -> None:
    assert ext.parse_server_name(ext.encode_server_name("example.com")) == "example.com"
    assert ext.parse_protocols(ext.encode_protocols([b"h3", b"\x0a\x0a"])) == (b"h3", b"\x0a\x0a")
    assert ext.parse_share(ext.encode_share(29, b"key")) == (29, b"key")
    shares = [(29, b"key"), (23, b"other")]
    assert list(ext.parse_client_shares(ext.encode_client_shares(shares)).items()) == shares
    assert ext.parse_client_shares(ext.encode_client_shares([])) == {}


def test_a_server_name_of_another_type_is_no_host_name() -> None:
    assert ext.parse_server_name(bytes.fromhex("0006 05 0003 616263")) is None


def test_a_server_name_has_a_limit() -> None:
    """It goes into the client's ticket, which has to fit its message."""
    longest = "a" * ext.MAX_SERVER_NAME
    assert ext.parse_server_name(ext.encode_server_name(longest)) == longest
    assert alert_of(ext.parse_server_name, ext.encode_server_name(longest + "a")) == ILLEGAL


DECODE, ILLEGAL = Alert.DECODE_ERROR, Alert.ILLEGAL_PARAMETER


@pytest.mark.parametrize(
    ("parse", "data", "alert"),
    [
        (ext.parse_server_name, "", DECODE),
        (ext.parse_server_name, "0000", DECODE),
        (ext.parse_server_name, "0003 00 0000", DECODE),
        (ext.parse_server_name, "0004 00 0001 61 00", DECODE),
        (ext.parse_server_name, "0004 00 0001 ff", ILLEGAL),
        (ext.parse_server_name, "0004 00 0001 00", ILLEGAL),
        (ext.parse_server_name, "0008 00 0001 61 00 0001 62", ILLEGAL),
        (ext.parse_protocols, "0000", DECODE),
        (ext.parse_protocols, "0002 00 00", DECODE),
        (ext.parse_protocols, "0003 02 6833 00", DECODE),
        (ext.parse_protocols, "0003 03 6833", DECODE),
        (ext.parse_cookie, "0000", DECODE),
        (ext.parse_cookie, "0001 61 00", DECODE),
        (ext.parse_share, "001d", DECODE),
        (ext.parse_share, "001d 0000", DECODE),
        (ext.parse_share, "001d 0001 61 62", DECODE),
        (ext.parse_client_shares, "0001 00", DECODE),
        (ext.parse_client_shares, "0005 001d 0001 61 00", DECODE),
        (ext.parse_client_shares, "000a 001d 0001 61 001d 0001 62", ILLEGAL),
        (lambda data: ext.parse_number(data, "version"), "03", DECODE),
        (lambda data: ext.parse_number(data, "version"), "030400", DECODE),
        (lambda data: ext.parse_u16_list(data, "groups"), "0000", DECODE),
        (lambda data: ext.parse_u16_list(data, "groups"), "0003 001d 00", DECODE),
        (lambda data: ext.parse_u16_list(data, "groups"), "0002 001d 00", DECODE),
    ],
)
def test_malformed_contents(parse: Callable[[bytes], object], data: str, alert: Alert) -> None:
    assert alert_of(parse, bytes.fromhex(data)) == alert
