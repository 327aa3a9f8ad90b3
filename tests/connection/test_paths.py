"""One path: what may be sent to an address that may be forged, and what it answers (RFC 9000 §8)."""

from __future__ import annotations

import pytest

from quicmini.connection.paths import FRAME_SIZE, MAX_QUEUED_PATH_RESPONSES, Path, PathValidation
from quicmini.wire.frames import Frame, PathChallenge, PathResponse, parse_frames

ADDRESS = ("192.0.2.1", 4433)


def make_path(*, validated: bool = True) -> Path:
    return Path(ADDRESS, 1200, validated=validated)


def taken(of: Path, room: int = 1000) -> list[Frame]:
    return parse_frames(b"".join(of.take_responses(room)))


def test_three_times_what_came_may_go_until_the_address_is_validated() -> None:
    unknown = make_path(validated=False)
    assert unknown.allowance() == 0
    unknown.bytes_received = 1200
    unknown.bytes_sent = 1000
    assert unknown.allowance() == 2600
    unknown.validated = True
    assert unknown.allowance() is None


def test_every_challenge_is_answered_once_with_its_own_bytes() -> None:
    asked = make_path()
    asked.on_challenge(PathChallenge(b"12345678"))
    asked.on_challenge(PathChallenge(b"abcdefgh"))
    waits = [asked.waits]
    assert taken(asked) == [PathResponse(b"12345678"), PathResponse(b"abcdefgh")]
    assert [*waits, asked.waits] == [True, False]
    assert taken(asked) == []


def test_answers_wait_for_room() -> None:
    asked = make_path()
    asked.on_challenge(PathChallenge(b"12345678"))
    asked.on_challenge(PathChallenge(b"abcdefgh"))
    assert taken(asked, FRAME_SIZE - 1) == []
    assert taken(asked, 2 * FRAME_SIZE - 1) == [PathResponse(b"12345678")]
    assert asked.waits


def test_a_flood_of_challenges_keeps_the_newest_only() -> None:
    asked = make_path()
    for number in range(1000):
        asked.on_challenge(PathChallenge(number.to_bytes(8)))
    assert taken(asked) == [
        PathResponse(number.to_bytes(8)) for number in range(1000 - MAX_QUEUED_PATH_RESPONSES, 1000)
    ]


def test_a_challenge_is_taken_once_if_it_fits() -> None:
    probed = make_path()
    assert probed.take_challenge(b"12345678", 1000) == []
    probed.validation = PathValidation(0.0, 1.0, 3.0)
    assert probed.waits
    assert probed.take_challenge(b"12345678", FRAME_SIZE - 1) == []
    assert probed.take_challenge(b"12345678", FRAME_SIZE) == [PathChallenge(b"12345678").encode()]
    assert probed.take_challenge(b"abcdefgh", FRAME_SIZE) == []
    assert not probed.waits


def test_challenges_are_repeated_ever_more_slowly() -> None:
    """RFC 9000 §9.4: as probe timeouts are."""
    validation = PathValidation(10.0, 1.0, 100.0)
    due = []
    for _ in range(4):
        validation.wants_challenge = False
        validation.on_timer(validation.next_challenge - 0.001)
        assert not validation.wants_challenge
        due.append(validation.deadline)
        validation.on_timer(validation.deadline)
        assert validation.wants_challenge
    assert due == [11.0, 13.0, 17.0, 21.0]
    assert validation.expires == 110.0


@pytest.mark.parametrize(("interval", "deadline"), [(1.0, 1.0), (5.0, 3.0)])
def test_the_next_thing_to_happen(interval: float, deadline: float) -> None:
    assert PathValidation(0.0, interval, 3.0).deadline == deadline
