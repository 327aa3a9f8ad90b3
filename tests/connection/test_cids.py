"""The connection IDs of both sides (RFC 9000 §5.1, §19.15, §19.16)."""

from __future__ import annotations

import pytest

from quicmini.connection.cids import ACTIVE_CONNECTION_ID_LIMIT, MAX_PENDING_RETIREMENTS, LocalCids, RemoteCids
from quicmini.errors import TransportError, TransportErrorCode
from quicmini.streams.control import ControlFrames
from quicmini.wire.builder import PacketBuilder
from quicmini.wire.frames import Frame, NewConnectionId, RetireConnectionId, parse_frames


def new_cid(number: int, retire_prior_to: int = 0, *, cid: bytes = b"", token: bytes = b"") -> NewConnectionId:
    return NewConnectionId(number, retire_prior_to, cid or b"cid-%04d" % number, token or b"token-%010d" % number)


class Cids(RemoteCids):
    """With the queue that its frames go to."""

    def __init__(self, cid: bytes) -> None:
        self.control = ControlFrames()
        super().__init__(cid, self.control)

    @property
    def has_frames(self) -> bool:
        return bool(self.control.queue)


def written(cids: Cids) -> list[Frame]:
    builder = PacketBuilder(1000)
    cids.control.write(builder)
    return parse_frames(builder.payload())


def refused(cids: Cids, frame: NewConnectionId) -> TransportErrorCode:
    with pytest.raises(TransportError) as caught:
        cids.on_new(frame)
    assert caught.value.frame_type == 0x18
    return TransportErrorCode(caught.value.error_code)


def test_new_ids_are_kept_and_the_first_stays_in_use() -> None:
    cids = Cids(b"original")
    cids.on_new(new_cid(1))
    assert cids.current == b"original"
    assert not cids.has_frames


def test_a_repeated_frame_changes_nothing() -> None:
    cids = Cids(b"original")
    for _ in range(3):
        cids.on_new(new_cid(1))
    assert not cids.has_frames


def test_retire_prior_to_moves_on_and_says_so() -> None:
    cids = Cids(b"original")
    cids.on_new(new_cid(1))
    cids.on_new(new_cid(2, retire_prior_to=1))
    assert cids.current == b"cid-0001"
    assert written(cids) == [RetireConnectionId(0)]


def test_retire_prior_to_that_does_not_increase_is_ignored() -> None:
    cids = Cids(b"original")
    cids.on_new(new_cid(2, retire_prior_to=2))
    written(cids)
    cids.on_new(new_cid(3, retire_prior_to=1))
    assert cids.current == b"cid-0002"
    assert not cids.has_frames


def test_an_id_that_was_retired_before_it_came_is_retired_at_once() -> None:
    cids = Cids(b"original")
    cids.on_new(new_cid(3, retire_prior_to=3))
    written(cids)
    cids.on_new(new_cid(1))
    assert written(cids) == [RetireConnectionId(1)]


def test_a_lost_retirement_is_sent_again_and_an_acknowledged_one_is_not() -> None:
    cids = Cids(b"original")
    cids.on_new(new_cid(1, retire_prior_to=1))
    builder = PacketBuilder(1000)
    cids.control.write(builder)
    cids.control.on_lost(builder.records[0])
    again = PacketBuilder(1000)
    cids.control.write(again)
    assert again.payload() == builder.payload()
    cids.control.on_acked(again.records[0])
    assert not cids.has_frames


@pytest.mark.parametrize(
    "frame",
    [
        new_cid(1, cid=b"another"),
        new_cid(1, token=b"another-token-16"),
        new_cid(2, cid=b"cid-0001"),
    ],
)
def test_an_id_that_contradicts_an_earlier_one_is_a_violation(frame: NewConnectionId) -> None:
    cids = Cids(b"original")
    cids.on_new(new_cid(1))
    assert refused(cids, frame) is TransportErrorCode.PROTOCOL_VIOLATION


def test_more_ids_than_the_limit_are_an_error() -> None:
    cids = Cids(b"original")
    for number in range(1, ACTIVE_CONNECTION_ID_LIMIT):
        cids.on_new(new_cid(number))
    assert refused(cids, new_cid(ACTIVE_CONNECTION_ID_LIMIT)) is TransportErrorCode.CONNECTION_ID_LIMIT_ERROR


def test_a_peer_that_uses_zero_length_ids_has_no_others() -> None:
    assert refused(Cids(b""), new_cid(1)) is TransportErrorCode.PROTOCOL_VIOLATION


def test_retirements_that_nobody_acknowledges_are_limited() -> None:
    cids = Cids(b"original")
    for number in range(1, MAX_PENDING_RETIREMENTS + 1):
        cids.on_new(new_cid(number, retire_prior_to=number))
        written(cids)
    last = new_cid(MAX_PENDING_RETIREMENTS + 1, retire_prior_to=MAX_PENDING_RETIREMENTS + 1)
    assert refused(cids, last) is TransportErrorCode.CONNECTION_ID_LIMIT_ERROR


def test_only_the_reset_token_of_the_id_in_use_counts() -> None:
    """RFC 9000 §10.3.1: not those of IDs that are unused or retired."""
    cids = Cids(b"original")
    assert not cids.is_reset_token(b"")
    cids.set_reset_token(b"first-token-16-b")
    cids.on_new(new_cid(1))
    assert cids.is_reset_token(b"first-token-16-b")
    assert not cids.is_reset_token(b"token-0000000001")
    cids.on_new(new_cid(2, retire_prior_to=1))
    assert not cids.is_reset_token(b"first-token-16-b")
    assert cids.is_reset_token(b"token-0000000001")
    assert not cids.is_reset_token(b"token-0000000002")


@pytest.mark.parametrize("number", [0, 1, 2**62 - 1])
def test_the_peer_cannot_retire_the_only_id(number: int) -> None:
    with pytest.raises(TransportError) as caught:
        LocalCids(b"only").on_retire(RetireConnectionId(number))
    assert caught.value.error_code == TransportErrorCode.PROTOCOL_VIOLATION
