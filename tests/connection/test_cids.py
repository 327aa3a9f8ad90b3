"""The connection IDs of both sides (RFC 9000 §5.1, §19.15, §19.16)."""

from __future__ import annotations

import pytest

from quicmini.connection.cids import (
    ACTIVE_CONNECTION_ID_LIMIT,
    MAX_GIVEN_UP,
    MAX_ISSUED_CIDS,
    MAX_PENDING_RETIREMENTS,
    LocalCids,
    RemoteCids,
)
from quicmini.errors import TransportError, TransportErrorCode
from quicmini.streams.control import ControlFrames
from quicmini.wire.builder import PacketBuilder
from quicmini.wire.frames import Frame, NewConnectionId, RetireConnectionId, parse_frames
from tests.certificates import CertificateFiles
from tests.connection.attacker import core_of
from tests.connection.pair import Pair


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
    assert not cids.is_reset(bytes(30))
    cids.set_reset_token(b"first-token-16-b")
    cids.on_new(new_cid(1))
    assert cids.is_reset(bytes(30) + b"first-token-16-b")
    assert not cids.is_reset(bytes(30) + b"token-0000000001")
    cids.on_new(new_cid(2, retire_prior_to=1))
    assert not cids.is_reset(bytes(30) + b"first-token-16-b")
    assert cids.is_reset(bytes(30) + b"token-0000000001")
    assert not cids.is_reset(bytes(30) + b"token-0000000002")


def test_one_reset_token_for_two_ids_is_a_violation() -> None:
    """RFC 9000 §10.3.2."""
    cids = Cids(b"original")
    cids.on_new(new_cid(1))
    assert refused(cids, new_cid(2, token=b"token-0000000001")) is TransportErrorCode.PROTOCOL_VIOLATION


# The peer's IDs, as paths use them


def test_each_path_takes_an_id_of_its_own() -> None:
    cids = Cids(b"original")
    cids.on_new(new_cid(1))
    cids.on_new(new_cid(2))
    assert (cids.take(), cids.take(), cids.take()) == (1, 2, None)
    assert (cids.cid(1), cids.cid(2), cids.cid(3)) == (b"cid-0001", b"cid-0002", None)


def test_an_id_that_a_path_gives_up_is_retired_and_does_not_come_back() -> None:
    cids = Cids(b"original")
    cids.on_new(new_cid(1))
    number = cids.take()
    assert number == 1
    cids.use(number)
    cids.give_up(0)
    assert cids.current == b"cid-0001"
    assert written(cids) == [RetireConnectionId(0)]
    cids.on_new(new_cid(2))
    assert cids.take() == 2
    cids.give_up(2)
    assert written(cids) == [RetireConnectionId(2)]
    cids.on_new(new_cid(2))  # a late copy
    assert cids.take() is None


def test_a_late_copy_leaves_an_id_to_go_on_with() -> None:
    """It was lost, made anew with a Retire Prior To of later, and overtakes the frames that bring newer IDs."""
    cids = Cids(b"original")
    cids.on_new(new_cid(1))
    assert cids.take() == 1
    cids.give_up(1)
    cids.on_new(new_cid(1, retire_prior_to=1))
    assert cids.current == b"original"
    cids.on_new(new_cid(2, retire_prior_to=2))
    assert cids.current == b"cid-0002"


def test_copies_of_a_retired_id_are_no_error_however_many_there_are() -> None:
    """RFC 9000 §19.15. The peer sends its frame again and again while it hears nothing of this side."""
    cids = Cids(b"original")
    cids.on_new(new_cid(4, retire_prior_to=4))
    for _ in range(2 * MAX_PENDING_RETIREMENTS):
        cids.on_new(new_cid(1))
    assert written(cids) == [RetireConnectionId(0), RetireConnectionId(1)]


def test_the_id_in_use_is_not_given_up() -> None:
    cids = Cids(b"original")
    cids.give_up(0)
    assert cids.current == b"original"
    assert not cids.has_frames


def test_what_paths_give_up_is_limited_without_an_error() -> None:
    """The limit is against the peer; this side just keeps what it does not use."""
    cids = Cids(b"original")
    for number in range(1, MAX_PENDING_RETIREMENTS + 1):
        cids.on_new(new_cid(number))
        assert cids.take() == number
        cids.give_up(number)
    assert len(written(cids)) == MAX_PENDING_RETIREMENTS
    cids.on_new(new_cid(MAX_PENDING_RETIREMENTS + 1))
    last = cids.take()
    assert last is not None
    cids.give_up(last)
    assert not cids.has_frames
    assert cids.take() is None


def test_numbers_of_ids_that_were_given_up_are_forgotten_in_the_end() -> None:
    cids = Cids(b"original")
    for number in range(1, 10 * MAX_GIVEN_UP):
        cids.on_new(new_cid(number))
        assert cids.take() == number
        cids.give_up(number)
        builder = PacketBuilder(1000)
        cids.control.write(builder)
        cids.control.on_acked(builder.records[0])
    assert len(cids._given_up) == MAX_GIVEN_UP
    assert cids._in_use == {0}


def test_the_peer_s_zero_length_id_is_good_for_every_path() -> None:
    cids = Cids(b"")
    assert (cids.take(), cids.take(), cids.cid(0)) == (0, 0, b"")


def test_a_token_counts_while_any_path_uses_its_id() -> None:
    cids = Cids(b"original")
    cids.on_new(new_cid(1))
    assert not cids.is_reset(bytes(30) + b"token-0000000001")
    assert cids.take() == 1
    assert cids.is_reset(bytes(30) + b"token-0000000001")
    cids.give_up(1)
    assert not cids.is_reset(bytes(30) + b"token-0000000001")


# This side's IDs


class Numbered:
    """Makes IDs that one can read."""

    def __init__(self) -> None:
        self.routed: list[bytes] = []
        self._count = 0

    def issue(self) -> bytes:
        cid = b"own-%04d" % self._count
        self._count += 1
        self.routed.append(cid)
        return cid

    def token(self, cid: bytes) -> bytes:
        return b"reset-%010d" % int(cid[4:])

    def withdraw(self, cid: bytes) -> None:
        self.routed.remove(cid)


class Own(LocalCids):
    def __init__(self, peer_limit: int | None = None) -> None:
        self.routes = Numbered()
        super().__init__(self.routes)
        self.control = self.queue = ControlFrames()
        if peer_limit is not None:
            self.supply(peer_limit)

    def written(self) -> list[Frame]:
        builder = PacketBuilder(10_000)
        self.queue.write(builder)
        self.records = builder.records
        return parse_frames(builder.payload())

    def retire(self, number: int, *packets: bytes) -> None:
        self.batch = packets
        self.on_retire(RetireConnectionId(number))


def issued(number: int, retire_prior_to: int = 0) -> NewConnectionId:
    return NewConnectionId(number, retire_prior_to, b"own-%04d" % number, b"reset-%010d" % number)


@pytest.mark.parametrize(("peer_limit", "active"), [(2, 2), (3, 3), (2**62 - 1, MAX_ISSUED_CIDS)])
def test_the_peer_gets_as_many_ids_as_it_may_have(peer_limit: int, active: int) -> None:
    own = Own(peer_limit)
    assert own.written() == [issued(number) for number in range(1, active)]
    assert own.active == tuple(own.routes.routed) == tuple(b"own-%04d" % number for number in range(active))
    assert own.handshake_cid == b"own-0000"


def test_ids_that_are_held_back_are_given_out_when_something_is_sent_anyway() -> None:
    own = Own()
    own.supply(3, at_once=False)
    assert own.written() == []
    assert own.active == (b"own-0000",)
    assert own.held_back
    own.give_out()
    assert own.written() == [issued(1), issued(2)]
    own.supply(3)
    assert not own.held_back


@pytest.mark.parametrize("speaks", [False, True])
def test_a_client_s_ids_cost_no_datagram_of_their_own(server_files: CertificateFiles, speaks: bool) -> None:
    """They come with its first request, or with the ACK of HANDSHAKE_DONE."""
    pair = Pair(server_files)
    pair.run()
    client, own = pair.client, core_of(pair.client).local_cids
    assert client.handshake_confirmed
    assert len(own.active) == 1
    assert len(core_of(pair.server).local_cids.active) == MAX_ISSUED_CIDS  # the client may want to move
    if speaks:
        stream_id = client.open_stream(False)
        assert stream_id is not None
        client.write_stream(stream_id, b"request")
    else:
        pair.now += 0.025  # max_ack_delay
        client.handle_timeout(pair.now)
    assert len(pair.from_client()) == 1
    assert len(own.active) == MAX_ISSUED_CIDS


def test_a_retired_id_is_replaced_and_leads_nowhere() -> None:
    own = Own(3)
    own.written()
    own.retire(1, b"\x40own-0002")
    assert own.written() == [issued(3)]
    assert own.routes.routed == [b"own-0000", b"own-0002", b"own-0003"]
    own.retire(1)  # sent once more
    assert own.written() == []


def test_a_lost_id_is_offered_again_unless_it_was_retired() -> None:
    own = Own(3)
    own.written()
    first, second = own.records
    own.retire(1)
    own.written()
    own.queue.on_lost(first)
    own.queue.on_lost(second)
    assert own.written() == [issued(2)]


@pytest.mark.parametrize("number", [1, 4, 2**62 - 1])
def test_an_id_that_the_peer_cannot_know_cannot_be_retired(number: int) -> None:
    """RFC 9000 §19.16: whatever was not sent yet."""
    own = Own(5)
    with pytest.raises(TransportError) as caught:
        own.retire(number)
    assert caught.value.error_code == TransportErrorCode.PROTOCOL_VIOLATION
    assert caught.value.frame_type == 0x19


def test_a_packet_cannot_retire_the_id_it_was_sent_to() -> None:
    own = Own(3)
    own.written()
    with pytest.raises(TransportError) as caught:
        own.retire(1, b"\x40own-0001", b"\x41own-0001")
    assert caught.value.error_code == TransportErrorCode.PROTOCOL_VIOLATION
    own.retire(1, b"\x40own-0001", b"\x41own-0002")  # one of the two may


def test_retiring_over_and_over_costs_a_bounded_number_of_ids() -> None:
    own = Own(2**62 - 1)
    for number in range(1000):
        own.written()
        own.retire(number)
        assert len(own.active) == MAX_ISSUED_CIDS
        assert len(own.queue.queue) == 1


def test_all_ids_can_be_replaced() -> None:
    """RFC 9000 §5.1.2: the old ones are good until the peer has retired them."""
    own = Own(3)
    own.written()
    own.rotate()
    assert own.written() == [issued(number, retire_prior_to=3) for number in (3, 4, 5)]
    assert list(own.active) == [b"own-%04d" % number for number in range(6)]
    own.rotate()  # too early: the peer has not followed yet
    assert own.written() == []
    for number in (0, 1, 2):
        own.retire(number)
    assert list(own.active) == [b"own-0003", b"own-0004", b"own-0005"]
    own.rotate()
    assert own.written() == [issued(number, retire_prior_to=6) for number in (6, 7, 8)]
