"""What may be sent to an address that may be forged (RFC 9000 §8)."""

from __future__ import annotations

from quicmini.connection.paths import MAX_QUEUED_PATH_RESPONSES, Path
from quicmini.streams.control import ControlFrames
from quicmini.wire.builder import PacketBuilder
from quicmini.wire.frames import PathChallenge, PathResponse, parse_frames

ADDRESS = ("192.0.2.1", 4433)


def test_three_times_what_came_may_go_until_the_address_is_validated() -> None:
    path = Path(ADDRESS, 1200, ControlFrames(), validated=False)
    assert path.allowance() == 0
    path.bytes_received = 1200
    path.bytes_sent = 1000
    assert path.allowance() == 2600
    path.validated = True
    assert path.allowance() is None


def test_every_challenge_is_answered_with_its_own_bytes() -> None:
    control = ControlFrames()
    path = Path(ADDRESS, 1200, control, validated=True)
    path.on_challenge(PathChallenge(b"12345678"))
    path.on_challenge(PathChallenge(b"abcdefgh"))
    builder = PacketBuilder(100)
    control.write(builder)
    assert parse_frames(builder.payload()) == [PathResponse(b"12345678"), PathResponse(b"abcdefgh")]
    assert not control.queue


def test_a_lost_answer_is_not_sent_again() -> None:
    """RFC 9000 §13.3: the peer makes another challenge."""
    control = ControlFrames()
    path = Path(ADDRESS, 1200, control, validated=True)
    path.on_challenge(PathChallenge(b"12345678"))
    builder = PacketBuilder(100)
    control.write(builder)
    control.on_lost(builder.records[0])
    again = PacketBuilder(100)
    control.write(again)
    assert again.payload() == b""


def test_a_flood_of_challenges_keeps_the_newest_only() -> None:
    control = ControlFrames()
    path = Path(ADDRESS, 1200, control, validated=True)
    for number in range(1000):
        path.on_challenge(PathChallenge(number.to_bytes(8)))
    builder = PacketBuilder(1000)
    control.write(builder)
    frames = parse_frames(builder.payload())
    assert frames == [PathResponse(number.to_bytes(8)) for number in range(1000 - MAX_QUEUED_PATH_RESPONSES, 1000)]
