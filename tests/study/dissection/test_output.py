"""Lines for people."""

from __future__ import annotations

from pathlib import Path

import pytest

from quicmini.observe.keylog import parse_key_log
from quicmini.study.captures import read_capture
from quicmini.study.dissection.dissector import Dissector
from quicmini.study.dissection.output import datagram_lines
from quicmini.study.dissection.packets import Datagram, Packet
from quicmini.study.fields import Field
from quicmini.study.terminal import WIDTH, Ink

PLAIN, COLOURED = Ink(coloured=False), Ink(coloured=True)


def lines_of(*fields: Field, number: int | None = None) -> list[str]:
    packet = Packet("1-RTT", 0, b"raw", fields, "RFC 9000 §17.3.1", packet_number=number)
    datagram = Datagram(7, 12.5, ("::1", 4433), ("192.0.2.1", 1), b"raw", (packet,), ecn=2)
    return list(datagram_lines(datagram, PLAIN, 11.25))


def test_the_title() -> None:
    assert lines_of(number=3) == [
        "Datagram 7, 1.250000 s, [::1]:4433 → 192.0.2.1:1, 3 bytes, ECT(0)",
        "  1-RTT 3: bytes 0 to 2, RFC 9000 §17.3.1",
    ]


@pytest.mark.parametrize(
    ("field", "lines"),
    [
        (
            Field("Version", 1, b"\0\0\0\1", "QUIC v1", "RFC 8999 §5.1"),
            ["     1  00000001          Version                      QUIC v1                    RFC 8999 §5.1"],
        ),
        # What the bytes say already is not said again, unless they are too many to be shown.
        (
            Field("Data", 1, b"12345678", b"12345678".hex(), "RFC 9000 §19.17"),
            ["     1  3132333435363738  Data                                                    RFC 9000 §19.17"],
        ),
        (
            Field("Data", 1, b"123456789", b"123456789".hex(), ""),
            ["     1  3132333435363738… Data                         313233343536373839"],
        ),
        (
            Field("Name", 0, b"", "one two three four five six seven eight nine ten eleven", "RFC 9000 §1"),
            [
                "     0                    Name                         one two three four five    RFC 9000 §1",
                "                                                       six seven eight nine ten eleven",
            ],
        ),
        (
            Field("Name", 0, b"", "", "", (Field("Child", 2, b"\1", "1", ""),)),
            [
                "     0                    Name",
                "     2  01                  Child                      1",
            ],
        ),
    ],
)
def test_a_field(field: Field, lines: list[str]) -> None:
    assert lines_of(field)[2:] == lines


def test_everything_fits_coloured_or_not() -> None:
    for path in sorted((Path(__file__).parent / "data").glob("*.pcapng")):
        capture = read_capture(path.read_bytes())
        dissector = Dissector(parse_key_log(capture.secrets))
        for each in capture.datagrams:
            datagram = dissector.datagram(
                each.payload, time=each.time, source=each.source, destination=each.destination
            )
            plain, coloured = (list(datagram_lines(datagram, ink, 0.0)) for ink in (PLAIN, COLOURED))
            assert max(map(len, plain)) <= WIDTH
            assert len(plain) == len(coloured)
            assert all("\x1b[" in line or not line.strip() or line.startswith("   ") for line in coloured)
