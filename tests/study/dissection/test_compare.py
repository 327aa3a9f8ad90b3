"""What we make of captures beside what tshark made of them: the chat, aioquic, and one with the other.

data/ has captures of real processes, with their secrets inside (editcap --inject-secrets), and tshark's answers.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from quicmini.wire.packet import PacketType
from tests.study.dissection.compare import Dissected, compare, dissect
from tests.study.dissection.tshark import dump, load

DATA = Path(__file__).parent / "data"
CAPTURES = sorted(DATA.glob("*.pcapng"))

# How many there are to be compared: datagrams, packets, frames, TLS messages.
TOTALS = {
    "aioquic-0rtt": (70, 79, 160, 14),
    "chat": (38, 46, 85, 16),
    "quicmini-aioquic-key-update": (32, 34, 48, 8),
    "quicmini-aioquic-retry": (27, 27, 42, 9),
    "quicmini-aioquic-v2": (11, 13, 25, 8),
    "quicmini-migration": (31, 33, 54, 8),
}


def counted(packets: Dissected) -> tuple[int, int, int, int]:
    payloads = [packet.payload for each in packets.values() for packet in each if packet.payload]
    frames, messages = sum(len(each.frames) for each in payloads), sum(len(each.messages) for each in payloads)
    return len(packets), len(payloads), frames, messages


@pytest.fixture(params=CAPTURES, ids=lambda path: path.stem)
def capture(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def test_field_for_field_as_tshark_has_it(capture: Path) -> None:
    theirs = load(capture.with_suffix(".json").read_text())
    ours = dissect(capture)
    assert list(compare(ours, theirs)) == []
    assert counted(ours) == TOTALS[capture.stem]


def test_every_packet_is_opened(capture: Path) -> None:
    problems = [packet.problem for packets in dissect(capture).values() for packet in packets if packet.problem]
    assert problems == []


def test_without_keys_what_is_visible(capture: Path) -> None:
    """Headers, and all of the Initial packets; of the others, why they stay closed."""
    opened, without = dissect(capture), dissect(capture, with_keys=False)
    for number, packets in without.items():
        assert len(packets) == len(opened[number])
        for packet, whole in zip(packets, opened[number], strict=True):
            if packet.packet_type in (PacketType.INITIAL, PacketType.RETRY) or packet.name == "padding":
                assert packet == whole
            elif packet.name == "not QUIC":  # the Fixed Bit is greased, on a path and with an ID that nothing explains
                assert whole.packet_type is PacketType.ONE_RTT
                assert not whole.raw[0] & 0x40
            else:
                assert packet.payload is None
                assert packet.needs_keys
                assert packet.packet_type is whole.packet_type
                assert packet.raw == whole.raw


def test_what_happens_in_them() -> None:
    """The captures show what they are there for."""
    packets = [packet for path in CAPTURES for each in dissect(path).values() for packet in each]
    assert {packet.packet_type for packet in packets if packet.payload} == {
        PacketType.INITIAL, PacketType.ZERO_RTT, PacketType.HANDSHAKE, PacketType.ONE_RTT
    }  # fmt: skip
    assert any(packet.packet_type is PacketType.RETRY for packet in packets)
    assert {packet.version for packet in packets if packet.payload} == {0x00000001, 0x6B3343CF}
    assert {packet.key_phase for packet in packets} == {None, 0, 1}
    frames = {frame.name for packet in packets if packet.payload for frame in packet.payload.frames}
    assert {"ACK", "CRYPTO", "STREAM", "NEW_CONNECTION_ID", "PATH_CHALLENGE", "PATH_RESPONSE"} <= frames
    assert {packet.connection for packet in packets} >= {0, 1}


def test_a_difference_is_seen() -> None:
    path = DATA / "quicmini-aioquic-v2.pcapng"
    theirs = load(path.with_suffix(".json").read_text())
    assert load(dump(theirs)) == theirs
    theirs[1][0].header.remove("quic.packet_number=0")
    theirs[2][0].frames.pop()
    del theirs[3]
    differences = list(compare(dissect(path), theirs))
    assert [difference.partition(":")[0].partition(" (")[0] for difference in differences] == [
        "frame 1, packet 1", "frame 2, packet 1", "frame 3, packet 1"
    ]  # fmt: skip
    assert differences[2] == "frame 3, packet 1: only we saw it"
