"""`python -m quicmini dissect`: datagrams taken apart, field by field, each with its RFC section."""

from __future__ import annotations

import json
import sys
import textwrap
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterable
from pathlib import Path

from quicmini.observe.keylog import parse_key_log
from quicmini.study.dissection.connection import KeyLogSecrets
from quicmini.study.dissection.dissector import Dissector
from quicmini.study.dissection.opening import Secrets
from quicmini.study.dissection.output import datagram_lines
from quicmini.study.dissection.packets import Datagram
from quicmini.study.dissection.report import datagram_object
from quicmini.study.dissection.sources import InputError, read_inputs
from quicmini.study.terminal import WIDTH, Ink
from quicmini.wire.packet import MAX_CID_LENGTH

__all__ = ["EXAMPLE", "HELP", "add_arguments", "run"]

HELP = "take datagrams apart: packets, frames, TLS messages, each field with its bytes and its RFC section"

EXAMPLE = """\
python -m quicmini dissect 0x80000000000008f067a5502a4262b5000000016b3343cf
python -m quicmini dissect tests/study/dissection/data/chat.pcapng"""

_HOW_TO_LOG = (
    "To open the rest, record a key log while the connection runs (SSLKEYLOGFILE=keys.log in the environment of most "
    "programs), then --keylog keys.log."
)


def _cid_length(text: str) -> int:
    length = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else -1
    if not 0 <= length <= MAX_CID_LENGTH:
        raise ArgumentTypeError(f"a connection ID has 0 to {MAX_CID_LENGTH} bytes, not {text!r}")
    return length


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "input",
        nargs="+",
        metavar="HEX|FILE|-",
        help="a capture (pcap, pcapng), datagrams in hexadecimal, or - for either from standard input. In hexadecimal "
        "each line is a datagram; where no line has more than 32 bytes, each paragraph is",
    )
    parser.add_argument("--keylog", metavar="FILE", help="secrets, as SSLKEYLOGFILE makes them (RFC 9850)")
    parser.add_argument(
        "--dcid-length", type=_cid_length, metavar="N", help="bytes of connection IDs that no handshake explains"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line for each datagram")


def run(arguments: Namespace) -> int:
    """Print all datagrams. Exit status: 0 done, 1 could not be read, 2 asked for in a wrong way."""
    try:
        given = read_inputs(arguments.input)
        secrets = _secrets(given.secrets, arguments.keylog)
    except InputError as error:
        print(error, file=sys.stderr)
        return error.status
    for remark in given.remarks:
        print(remark, file=sys.stderr)
    dissector = Dissector(secrets, dcid_length=arguments.dcid_length)
    datagrams = (
        dissector.datagram(
            each.data,
            number=each.number,
            time=each.time,
            source=each.source,
            destination=each.destination,
            remark=each.remark,
            ecn=each.ecn,
        )
        for each in given.datagrams
    )
    if arguments.json:
        for datagram in datagrams:
            print(json.dumps(datagram_object(datagram), ensure_ascii=False))
    else:
        _print(datagrams, given.datagrams[0].time, any_keys=bool(secrets))
    return 0


def _secrets(embedded: str, key_log: str | None) -> KeyLogSecrets:
    """Those inside the capture, and those of the file. Raises InputError for the file; of the other it only tells."""
    found: dict[bytes, Secrets] = {}
    try:
        found.update(_parsed(embedded, "The key log inside the capture"))
    except InputError as error:
        print(error, file=sys.stderr)
    if key_log is not None:
        try:
            text = Path(key_log).read_text(encoding="ascii")
        except OSError as error:
            raise InputError(f"The key log {key_log} cannot be read: {error.strerror}.", status=1) from None
        except UnicodeDecodeError:
            raise InputError(f"{key_log} is no key log: it is not text.", status=1) from None
        for client_random, secrets in _parsed(text, key_log).items():
            found[client_random] = {**found.get(client_random, {}), **secrets}
    return found


def _parsed(text: str, name: str) -> KeyLogSecrets:
    try:
        return parse_key_log(text)
    except ValueError as error:
        what = "lines of a label, a client random and a secret are expected (RFC 9850)"
        raise InputError(f"{name} is no key log: {error}; {what}.", status=1) from None


def _print(datagrams: Iterable[Datagram], first_time: float, *, any_keys: bool) -> None:
    """All of them as they come, a blank line between, and what came of it."""
    ink = Ink.on(sys.stdout)
    count = opened = closed = needing_keys = 0
    for datagram in datagrams:
        for line in datagram_lines(datagram, ink, first_time):
            print(line)
        print()
        count += 1
        for packet in datagram.packets:
            opened += packet.payload is not None
            closed += bool(packet.problem)
            needing_keys += packet.needs_keys
    outcome = f"{opened} packet{'' if opened == 1 else 's'} opened" + (f", {closed} could not be" if closed else "")
    if not opened and not closed:
        outcome = "nothing in it was encrypted"
    print(f"{count} datagram{'' if count == 1 else 's'}; {outcome}.")
    if needing_keys and not any_keys:
        print(textwrap.fill(_HOW_TO_LOG, WIDTH))
