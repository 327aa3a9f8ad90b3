"""What a person gives to take apart: hexadecimal, a capture, or either of them from standard input."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from string import hexdigits
from typing import NamedTuple

from quicmini.study.captures import CaptureError, read_capture
from quicmini.study.dissection.packets import Address

__all__ = ["Given", "GivenDatagram", "InputError", "parse_hex", "read_inputs"]

# How captures begin: pcapng, and pcap in either byte order with micro- or nanoseconds.
_MAGIC = tuple(bytes.fromhex(each) for each in ("0a0d0d0a", "a1b2c3d4", "d4c3b2a1", "a1b23c4d", "4d3cb2a1"))

_WRAPPED = 32
"""Bytes in a line: where no line has more, they are taken for the lines of a dump, one datagram as far as a blank line.
A QUIC datagram is rarely as short, and a line of a dump rarely longer."""

_SEPARATORS = re.compile(r"0[xX]|[\s:,]+")


class InputError(ValueError):
    """What was given cannot be taken apart: a sentence for people. status: the exit status that says so."""

    def __init__(self, sentence: str, status: int = 2) -> None:
        super().__init__(sentence)
        self.status = status


class GivenDatagram(NamedTuple):
    """A datagram, and what is known of its journey. time: seconds since 1970, 0: not known. ecn: RFC 3168 §5."""

    number: int
    data: bytes
    time: float = 0.0
    source: Address | None = None
    destination: Address | None = None
    remark: str = ""
    ecn: int = 0


class Given(NamedTuple):
    """All that was given. secrets: key log text that came along. remarks: sentences about what was passed over."""

    datagrams: list[GivenDatagram]
    secrets: str
    remarks: list[str]


def read_inputs(inputs: Sequence[str]) -> Given:
    """All inputs in their order: files, hexadecimal, `-` for standard input. Raises InputError; blocks to read."""
    datagrams: list[GivenDatagram] = []
    secrets, remarks = "", []
    for each in inputs:
        given = _read_input(each)
        secrets += given.secrets
        remarks += given.remarks
        datagrams += given.datagrams if len(inputs) == 1 else _renumbered(given.datagrams, len(datagrams))
    if not datagrams:
        raise InputError("; ".join(["There is no UDP datagram in what was given", *remarks]) + ".", status=1)
    return Given(datagrams, secrets, remarks)


def _renumbered(datagrams: list[GivenDatagram], before: int) -> list[GivenDatagram]:
    return [datagram._replace(number=number) for number, datagram in enumerate(datagrams, before + 1)]


def _read_input(given: str) -> Given:
    if given == "-":
        return _read_bytes(sys.stdin.buffer.read(), "standard input")
    path = Path(given)
    try:
        exists = given != "" and path.exists()
    except (OSError, ValueError):  # a name longer than names can be, as hexadecimal is
        exists = False
    if exists:
        try:
            return _read_bytes(path.read_bytes(), given)
        except OSError as error:
            raise InputError(f"{given} cannot be read: {error.strerror}.", status=1) from None
    return Given(_from_hex(given, "neither a file that exists nor hexadecimal"), "", [])


def _read_bytes(content: bytes, name: str) -> Given:
    if not content.startswith(_MAGIC):
        try:
            text = content.decode("ascii")
        except UnicodeDecodeError:
            what = "neither a capture (pcap, pcapng) nor hexadecimal text"
            raise InputError(f"{name} is {what}: it begins with {content[:4].hex()}.", status=1) from None
        return Given(_from_hex(text, "neither a capture (pcap, pcapng) nor hexadecimal", name), "", [])
    try:
        capture = read_capture(content)
    except CaptureError as error:
        raise InputError(f"{name} cannot be read as a capture: {error}", status=1) from None
    datagrams = [
        GivenDatagram(
            each.number, each.payload, each.time, each.source, each.destination,
            "the capture has only the beginning of this datagram" if each.truncated else "",
            each.ecn,
        )
        for each in capture.datagrams
    ]  # fmt: skip
    return Given(datagrams, capture.secrets, list(capture.remarks))


def _from_hex(text: str, otherwise: str, name: str = "") -> list[GivenDatagram]:
    shown = name or (repr(text) if len(text) <= 60 else repr(text[:57] + "…"))
    try:
        datagrams = parse_hex(text)
    except ValueError as error:
        expected = "A capture, datagrams in hexadecimal, or - for standard input is expected"
        raise InputError(f"{shown} is {otherwise}: {error}. {expected}.") from None
    return [GivenDatagram(number, data) for number, data in enumerate(datagrams, 1)]


def parse_hex(text: str) -> list[bytes]:
    """Datagrams in hexadecimal; white space, colons, commas and 0x are passed over. Raises ValueError.

    Each line is a datagram. Where no line has more than 32 bytes, lines that follow each other are one datagram, as
    dumps and RFCs print them, and a blank line ends it.
    """
    lines = [_digits(line, number) for number, line in enumerate(text.splitlines(), 1)]
    if any(len(line) > 2 * _WRAPPED for line in lines):
        found = [line for line in lines if line]
    else:
        found = [part for part in "".join(line or "\n" for line in lines).split("\n") if part]
    if not found:
        raise ValueError("there are no digits in it")
    for number, digits in enumerate(found, 1):
        if len(digits) % 2:
            raise ValueError(f"datagram {number} has an odd number of digits, {len(digits)}")
    return [bytes.fromhex(digits) for digits in found]


def _digits(line: str, number: int) -> str:
    digits = _SEPARATORS.sub("", line)
    strange = digits.strip(hexdigits)  # begins with the first that is none
    if strange:
        raise ValueError(f"{strange[0]!r} in line {number} is no hexadecimal digit")
    return digits
