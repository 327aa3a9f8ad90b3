"""Ten thousand inputs that are random, cut, or changed: a clear answer to each, no traceback, lines that fit."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from quicmini.__main__ import main
from quicmini.crypto.protection import Sealer, initial_protection
from quicmini.observe.keylog import parse_key_log
from quicmini.study.captures import read_capture
from quicmini.study.dissection.dissector import Dissector
from quicmini.study.dissection.output import datagram_lines
from quicmini.study.dissection.report import datagram_object
from quicmini.study.terminal import WIDTH, Ink
from quicmini.wire.packet import VERSION_1, PacketType, encode_long_header
from tests.wire import examples

DATA = Path(__file__).parent / "data"
CAPTURES = [path.read_bytes() for path in sorted(DATA.glob("*.pcapng"))]
DATAGRAMS, FRAMES, FILES = 4000, 5000, 1000

Choose = random.Random


def cut(data: bytes, choose: Choose) -> bytes:
    return data[: choose.randrange(len(data) + 1)]


def flipped(data: bytes, choose: Choose) -> bytes:
    changed = bytearray(data)
    for _ in range(choose.choice((1, 1, 2, 8))):
        if changed:
            changed[choose.randrange(min(len(changed), choose.choice((20, 60, 2000))))] ^= 1 << choose.randrange(8)
    return bytes(changed)


def spliced(data: bytes, choose: Choose) -> bytes:
    at = choose.randrange(len(data) + 1)
    return data[:at] + choose.randbytes(choose.randrange(12)) + data[choose.randrange(len(data) + 1) :]


def noise(data: bytes, choose: Choose) -> bytes:
    return data[: choose.randrange(8)] + choose.randbytes(choose.randrange(200))


CHANGES: tuple[Callable[[bytes, Choose], bytes], ...] = (cut, flipped, spliced, noise)


def changed(data: bytes, choose: Choose) -> bytes:
    return choose.choice(CHANGES)(data, choose)


def answer(dissector: Dissector, data: bytes, **journey: tuple[str, int]) -> str:
    """What is printed for a datagram; it must be something, fit, and show no control characters."""
    datagram = dissector.datagram(data, source=journey.get("source"), destination=journey.get("destination"))
    assert sum(len(packet.raw) for packet in datagram.packets) == len(data)
    lines = list(datagram_lines(datagram, Ink(coloured=False), 0.0))
    assert len(lines) > 1
    assert [line for line in lines if len(line) > WIDTH or not line.isprintable()] == []
    assert json.dumps(datagram_object(datagram))
    return "\n".join(lines)


def test_datagrams_of_real_conversations() -> None:
    """Each is changed and then, now and then, comes as it was: what is damaged must not harm what follows."""
    choose = random.Random(1)
    count = 0
    while count < DATAGRAMS:
        capture = read_capture(choose.choice(CAPTURES))
        dissector = Dissector(parse_key_log(capture.secrets))
        for each in capture.datagrams:
            answer(dissector, changed(each.payload, choose), source=each.source, destination=each.destination)
            if choose.random() < 0.5:
                dissector.datagram(each.payload, source=each.source, destination=each.destination)
            count += 1


def sealed(sealer: Sealer, payload: bytes) -> bytes:
    padded = payload.ljust(4, b"\1")
    header = encode_long_header(PacketType.INITIAL, VERSION_1, b"fuzzfuzz", b"", b"", 0, 2, len(padded) + 16)
    return sealer.seal(header, 0, padded)


def test_frames_of_a_peer_that_has_the_keys() -> None:
    choose = random.Random(2)
    sealer, _ = initial_protection(b"fuzzfuzz", VERSION_1, is_client=True)
    frames = [bytes.fromhex(text) for _, text in examples.FRAMES] + [
        bytes.fromhex(text) for text, _, _ in examples.MALFORMED_FRAMES
    ]
    messages = [
        message.raw
        for content in CAPTURES
        for each in read_capture(content).datagrams[:4]
        for packet in Dissector().datagram(each.payload).packets
        if packet.payload
        for message in packet.payload.messages
    ]
    assert messages
    for count in range(FRAMES):
        if count % 5 == 0:
            message = changed(choose.choice(messages), choose)
            payload = b"\x06\x00" + (len(message) | 0x4000).to_bytes(2) + message
        else:
            payload = changed(b"".join(choose.choices(frames, k=choose.randrange(1, 5))), choose)
        text = answer(Dissector(), sealed(sealer, payload))
        assert "decrypted payload" in text


def test_files_and_hexadecimal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    choose = random.Random(3)
    small = min(CAPTURES, key=len)
    file = tmp_path / "file"
    for count in range(FILES):
        if count % 5 == 0:
            given = changed(small.hex()[:400].encode(), choose).decode("latin-1").replace("\0", "g")
            if given.startswith("-"):
                continue
        else:
            given = str(file)
            file.write_bytes(changed(small[: choose.choice((200, 1500, 4000, 10**6))], choose))
        status = main(["dissect", given])
        printed = capsys.readouterr()
        assert status in (0, 1, 2)
        assert printed.out if status == 0 else len(printed.err.splitlines()) == 1
