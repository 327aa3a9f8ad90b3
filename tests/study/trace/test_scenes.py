"""Each scenario shows what it is about: over real sockets, asserted from what both sides recorded."""

from __future__ import annotations

import pytest

from quicmini.__main__ import main
from quicmini.connection import occurrences as told
from quicmini.study.link.recorder import Record
from quicmini.study.terminal import WIDTH
from quicmini.study.trace.frames import Span
from quicmini.study.trace.rows import CLIENT, Fate
from quicmini.study.trace.scenes import MESSAGE, MESSAGES, SCENES, perform
from quicmini.study.trace.takes import Take
from quicmini.study.trace.waiting import Delivery, blocking
from quicmini.wire.frames import Frame, PathChallenge, PathResponse, Stream, parse_frames
from quicmini.wire.packet import VERSION_1, VERSION_2, PacketType


def played(name: str) -> list[Take]:
    """The takes of a scene, which are seen to show what they should."""
    found = perform(SCENES[name])
    assert SCENES[name].proof(found)
    return found


def frames(record: Record, kind: type[told.PacketSent] | type[told.PacketReceived]) -> list[Frame]:
    return [frame for packet in record.of(kind) for frame in parse_frames(packet.payload)]


def confirmed(record: Record) -> bool:
    return told.Phase.CONFIRMED in [change.new for change in record.of(told.PhaseChanged)]


def test_loss() -> None:
    """The data of the packet that did not arrive came with another one."""
    (take,) = played("loss")
    (lost,) = [packet for packet in take.packets(CLIENT) if packet.fate is Fate.LOST]
    assert (PacketType.ONE_RTT, lost.number) in [
        (each.packet_type, each.packet_number) for each in take.client.of(told.PacketLost)
    ]
    assert lost.number not in [packet.header.packet_number for packet in one_rtt(take.server)]
    (data,) = lost.spans
    came = {
        at
        for frame in frames(take.server, told.PacketReceived)
        if isinstance(frame, Stream)
        for at in range(frame.offset, frame.offset + len(frame.data))
    }
    assert set(range(data.start, data.stop)) <= came


def one_rtt(receiver: Record) -> list[told.PacketReceived]:
    return [each for each in receiver.of(told.PacketReceived) if each.header.packet_type is PacketType.ONE_RTT]


def test_retry() -> None:
    """The token of the Retry packet is in all Initial packets after it, and in none before."""
    (take,) = played("retry")
    (retry,) = [each for each in take.client.of(told.PacketReceived) if each.header.packet_type is PacketType.RETRY]
    first, *later = [each.header.token for each in take.client.of(told.PacketSent) if each.header.token is not None][
        : initials(take.client)
    ]
    assert first == b""
    assert set(later) == {retry.header.token}
    assert retry.header.token
    assert confirmed(take.client)
    assert confirmed(take.server)


def initials(record: Record) -> int:
    return sum(each.header.packet_type is PacketType.INITIAL for each in record.of(told.PacketSent))


def test_early_data() -> None:
    """Stream data left before anything had come, with a resumed session, and the server took it."""
    (take,) = played("0rtt")
    kinds = [type(each) for _, each in take.client.occurrences]
    before = take.client.occurrences[: kinds.index(told.PacketReceived)]
    early = [
        each.header.packet_number
        for _, each in before
        if isinstance(each, told.PacketSent)
        and each.header.packet_type is PacketType.ZERO_RTT
        and any(isinstance(frame, Stream) for frame in parse_frames(each.payload))
    ]
    assert early
    came = [each.header for each in take.server.of(told.PacketReceived)]
    assert set(early) <= {each.packet_number for each in came if each.packet_type is PacketType.ZERO_RTT}
    assert [choice.resumed for choice in take.server.of(told.ApplicationProtocolChosen)] == [True]


def test_migration() -> None:
    """Both sides go to another path, and each has had an answer to its own challenge there."""
    (take,) = played("migration")
    for side, peer in ((take.client, take.server), (take.server, take.client)):
        assert side.of(told.PathChanged)
        asked = {frame.data for frame in frames(side, told.PacketSent) if isinstance(frame, PathChallenge)}
        answered = {frame.data for frame in frames(peer, told.PacketSent) if isinstance(frame, PathResponse)}
        heard = {frame.data for frame in frames(side, told.PacketReceived) if isinstance(frame, PathResponse)}
        assert asked & answered & heard
    cids = [each.header.destination_cid for each in one_rtt(take.server)]
    assert len(set(cids)) > 1  # nobody can tell that the two paths belong together


def test_key_update() -> None:
    (take,) = played("key-update")
    for receiver in (take.client, take.server):
        assert [each.header.key_phase for each in one_rtt(receiver)] == sorted(
            each.header.key_phase or 0 for each in one_rtt(receiver)
        )
        assert {each.header.key_phase for each in one_rtt(receiver)} == {0, 1}
    assert [update.by_peer for update in take.client.of(told.KeysUpdated)] == [False]
    assert [update.by_peer for update in take.server.of(told.KeysUpdated)] == [True]


def test_version_negotiation() -> None:
    (take,) = played("vn")
    (offer,) = [each for each in take.client.of(told.PacketReceived) if each.versions]
    assert VERSION_1 in offer.versions
    assert VERSION_2 not in offer.versions
    versions = [each.header.version for each in take.client.of(told.PacketSent) if each.header.version is not None]
    assert versions[0] == VERSION_2
    assert set(versions[1:]) == {VERSION_1}
    assert confirmed(take.server)


def test_head_of_line_blocking() -> None:
    """The same message is lost; those behind it wait on one stream, and on streams of their own they do not."""
    found = played("hol")
    apart, together = SCENES["hol"].deliveries(found)
    assert [each.lost for each in apart] == [each.lost for each in together]
    assert sum(each.lost for each in apart) == 1
    lost = [each.lost for each in apart].index(True)
    assert [each.waited for each in apart] == [0.0] * MESSAGES
    assert all(each.waited == 0 for each in together[: lost + 1])
    assert all(each.readable == together[lost].arrived > each.arrived for each in together[lost + 1 :])
    assert blocking(apart, together)


@pytest.mark.parametrize("name", SCENES)
def test_each_is_shown_in_a_hundred_columns(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "--scenario", name]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    assert SCENES[name].title in output.out
    assert "\nSeen: " in output.out
    assert max(map(len, output.out.splitlines())) <= WIDTH


def test_the_sentences_are_two() -> None:
    for scene in SCENES.values():
        text = scene.look_at.replace(". ", ".\n")
        assert len(text.splitlines()) == 2


def test_a_scene_that_does_not_show_it_is_no_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(SCENES, "retry", SCENES["retry"]._replace(server=SCENES["vn"].server))
    assert main(["trace", "--scenario", "retry"]) == 1
    assert "did not happen" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["loss", "retry", "0rtt", "migration", "key-update", "vn"])
def test_what_was_not_there_is_not_seen(name: str) -> None:
    other = "key-update" if name != "key-update" else "vn"
    (take,) = perform(SCENES[other])
    assert SCENES[name].seen(take) is None


def test_files_and_a_scenario_do_not_go_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "--scenario", "loss", "file"]) == 2
    assert "choose one of them" in capsys.readouterr().err


def delivery(arrived: float, readable: float | None = None, *, lost: bool = False) -> Delivery:
    return Delivery(0.0, arrived, arrived if readable is None else readable, lost)


FREE = [delivery(1), delivery(9, lost=True), delivery(2)]
STUCK = [delivery(1), delivery(9, lost=True), delivery(2, 9)]


def test_blocking_is_what_it_says() -> None:
    assert blocking(FREE, STUCK)
    assert blocking(FREE, FREE) is None
    assert blocking(STUCK, STUCK) is None
    assert blocking([delivery(1)] * 3, STUCK) is None
    assert blocking(FREE, [delivery(9, lost=True), delivery(2, 9), delivery(2, 9)]) is None


def test_the_messages_of_the_comparison_are_the_same_bytes() -> None:
    apart, together = (messages for _, messages in SCENES["hol"].messages)
    assert [span.stop - span.start for span in apart] == [MESSAGE] * MESSAGES
    assert together[0] == Span(0, 0, MESSAGE)
    assert together[-1].stop == MESSAGE * MESSAGES
    assert len({span.stream for span in apart}) == MESSAGES
