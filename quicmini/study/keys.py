"""`python -m quicmini keys`: from a connection ID to the keys of Initial packets, step by step (RFC 9001 §5.2)."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import NamedTuple

from quicmini.crypto.keys import INITIAL_SUITE, IV_LENGTH, CipherSuite, version_keys
from quicmini.study.derivation import Input, Step, expand_label, extract, show_step
from quicmini.study.terminal import Ink
from quicmini.study.versions import version_name
from quicmini.wire.packet import MAX_CID_LENGTH, VERSION_1, VERSION_2

__all__ = ["EXAMPLE", "HELP", "Part", "add_arguments", "initial_keys", "packet_keys", "parse_connection_id", "run"]

HELP = "derive the keys of Initial packets from a connection ID, each step as one can repeat it by hand"
EXAMPLE = "python -m quicmini keys 8394c8f03e515708\npython -m quicmini keys 8394c8f03e515708 --version 2"

_VERSIONS = {1: VERSION_1, 2: VERSION_2}
_NOTES = {  # what each key is for
    "key": "the payload: AES-128-GCM (RFC 9001 §5.3)",
    "iv": "the nonce: this, with the packet number XORed into its end (RFC 9001 §5.3)",
    "hp": "the header: AES-128 makes a mask of a sample of the payload (RFC 9001 §5.4.3)",
}


class Part(NamedTuple):
    """Steps that belong together. sender: "client", "server", or empty for both."""

    title: str
    sender: str
    steps: tuple[Step, ...]


def initial_keys(dcid: bytes, version: int) -> tuple[Part, ...]:
    """Every step from the connection ID to both sides' keys.

    dcid: the Destination Connection ID of the client's first Initial packet. version: as in a packet. Raises
    ValueError for one that is not spoken here.
    """
    constants = version_keys(version)
    salt = Input("salt", constants.initial_salt, f"the same for all of {version_name(version)}")
    section = "RFC 9001 §5.2" if version == VERSION_1 else "RFC 9369 §3.3.1"
    common = extract("initial_secret", salt, Input("connection_id", dcid), section)
    return (
        Part("One secret for both sides", "", (common,)),
        *(_side(sender, common, version) for sender in ("client", "server")),
    )


def _side(sender: str, common: Step, version: int) -> Part:
    """What one side protects its packets with."""
    hash_length = INITIAL_SUITE.hash_length
    source = Input(common.name, common.output)
    secret = expand_label(f"{sender}_initial_secret", source, f"{sender} in", hash_length, "RFC 9001 §5.2")
    keys = packet_keys(Input(secret.name, secret.output), INITIAL_SUITE, version)
    return Part(f"What the {sender} protects its Initial packets with", sender, (secret, *keys))


def packet_keys(secret: Input, suite: CipherSuite, version: int) -> tuple[Step, ...]:
    """Key, iv and hp of a traffic secret (RFC 9001 §5.1)."""
    labels = version_keys(version)
    section = "RFC 9001 §5.1" if version == VERSION_1 else "RFC 9369 §3.3.2"
    wanted = (
        ("key", labels.key_label, suite.key_length),
        ("iv", labels.iv_label, IV_LENGTH),
        ("hp", labels.hp_label, suite.key_length),
    )
    return tuple(
        expand_label(name, secret, label, length, section, b"", suite.hash_name) for name, label, length in wanted
    )


def parse_connection_id(text: str) -> bytes:
    """A connection ID in hexadecimal, with 0x, colons and spaces as people copy them; ValueError with a sentence."""
    digits = "".join(text.split()).replace(":", "").removeprefix("0x")
    try:
        cid = bytes.fromhex(digits)
    except ValueError:
        raise ValueError(
            f"{text!r} is no connection ID: expected pairs of hexadecimal digits, such as 8394c8f03e515708"
        ) from None
    if not 1 <= len(cid) <= MAX_CID_LENGTH:
        raise ValueError(
            f"{text!r} has {len(cid)} bytes: a connection ID has 1 to {MAX_CID_LENGTH}, and the first that a client "
            "sends to has 8 at least (RFC 9000 §7.2)"
        )
    return cid


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "dcid",
        metavar="DCID",
        help="the Destination Connection ID of the client's first Initial packet, in hexadecimal",
    )
    parser.add_argument("--version", type=int, choices=sorted(_VERSIONS), default=1, help="of QUIC (default: 1)")


def run(arguments: Namespace) -> int:
    """Print each step. Exit status: 0, or 2 for what is no connection ID."""
    try:
        dcid = parse_connection_id(arguments.dcid)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    for line in _lines(dcid, _VERSIONS[arguments.version], Ink.on(sys.stdout)):
        print(line)
    return 0


def _lines(dcid: bytes, version: int, ink: Ink) -> Iterator[str]:
    yield ink("title", f"Initial keys of {version_name(version)} for connection ID {dcid.hex()}")
    yield "Whoever sees the client's first packet can compute them: they guard against accidents and"
    yield "against those who cannot see it, not against a listener (RFC 9001 §7). After a Retry packet"
    yield "they come from its Source Connection ID in the same way (RFC 9001 §5.2)."
    yield "HKDF-Extract is HMAC-SHA256(salt, connection ID); HKDF-Expand, for 32 bytes or less, the start"
    yield "of HMAC-SHA256(secret, info and a byte 01). OpenSSL's answers have colons and capitals."
    parts = initial_keys(dcid, version)
    for number, part in enumerate(parts, 1):
        yield ""
        yield ink(part.sender or "title", f"{number}. {part.title}")
        for step in part.steps:
            yield ""
            yield from (f"  {line}".rstrip() for line in show_step(step, ink))
            if step.name in _NOTES:
                yield f"    {ink('faint', 'for ' + _NOTES[step.name])}"
    yield ""
    yield from _summary(parts, ink)


def _summary(parts: tuple[Part, ...], ink: Ink) -> Iterator[str]:
    """The keys without the way to them."""
    yield ink("title", "All together")
    for part in parts:
        for step in part.steps:
            name = f"{part.sender} {step.name}" if step.name in _NOTES else step.name
            yield f"  {name:<22} {ink('value', step.output.hex())}"
