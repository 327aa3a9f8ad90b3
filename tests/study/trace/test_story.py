"""What became of each packet, from the logs of both sides or of one."""

from __future__ import annotations

import pytest

from quicmini.study.trace.frames import Span
from quicmini.study.trace.logs import Event, Log
from quicmini.study.trace.pairing import pair
from quicmini.study.trace.rows import CLIENT, SERVER, Again, Fate, Note, Packet, Recovery
from tests.study.trace.written import ack, lost, packet, packets, received, sent, story_of, stream

# A packet is lost on its way to the server, and its data is sent again.
CLIENT_LOG = [
    sent(0, 0, stream(0, 10)),
    sent(1, 1, stream(10, 20)),
    sent(2, 2, stream(20, 30)),
    received(20, 0, ack([0], [2])),
    lost(20, 1),
    sent(21, 3, stream(10, 20)),
    received(40, 1, ack([0], [2, 3])),
]
SERVER_LOG = [
    received(10, 0, stream(0, 10)),
    received(12, 2, stream(20, 30)),
    sent(12, 0, ack([0], [2])),
    received(31, 3, stream(10, 20)),
    sent(31, 1, ack([0], [2, 3])),
]
FATES = [Fate.ARRIVED, Fate.LOST, Fate.ARRIVED, Fate.ARRIVED]


@pytest.mark.parametrize("logs", [{"client": CLIENT_LOG, "server": SERVER_LOG}, {"client": CLIENT_LOG}])
def test_the_client_s_log_alone_tells_of_its_packets_as_both_logs_do(logs: dict[str, list[Event]]) -> None:
    story = story_of(**logs)
    mine = [each for each in packets(story) if each.sender == CLIENT]
    assert [each.fate for each in mine] == FATES
    assert mine[3].again == [Again(Span(0, 10, 20), mine[1])]
    assert not any(each.again for each in mine[:3])
    assert [row.lost for row in story.rows if isinstance(row, Note)] == [[mine[1]]]


def test_both_logs_tell_when_a_packet_left_and_came() -> None:
    found = packets(story_of(client=CLIENT_LOG, server=SERVER_LOG))
    assert [(each.sender, each.number, each.time, each.arrival) for each in found] == [
        (CLIENT, 0, 0, 10),
        (CLIENT, 1, 1, None),
        (CLIENT, 2, 2, 12),
        (SERVER, 0, 12, 20),
        (CLIENT, 3, 21, 31),
        (SERVER, 1, 31, 40),
    ]


def test_the_server_s_log_alone_shows_the_gap() -> None:
    found = packets(story_of(server=SERVER_LOG))
    mine = [each for each in found if each.sender == CLIENT]
    assert [(each.number, each.fate, each.seen_leaving) for each in mine] == [
        (0, Fate.ARRIVED, False),
        (1, Fate.LOST, False),
        (2, Fate.ARRIVED, False),
        (3, Fate.ARRIVED, False),
    ]
    assert {each.fate for each in found if each.sender == SERVER} == {Fate.UNKNOWN}  # nobody acknowledges them


def test_a_packet_that_comes_after_a_later_one_is_not_missing() -> None:
    late = [received(10, 0), received(11, 2), received(12, 1)]
    assert [each.fate for each in packets(story_of(server=late))] == [Fate.ARRIVED] * 4
    both = story_of(client=[sent(0, 0), sent(1, 1), sent(2, 2)], server=late)
    assert [each.arrival for each in packets(both)] == [10, 12, 11]


def test_one_counter_for_all_spaces_leaves_no_gaps() -> None:
    found = [received(1, 0, kind="initial"), received(2, 1, kind="handshake"), received(3, 2)]
    assert len(packets(story_of(client=found))) == 3


def test_nobody_knows_of_a_packet_to_a_side_that_has_closed() -> None:
    closed = Event(12, "connection_closed", {})
    story = story_of(client=[sent(0, 0), sent(5, 1), sent(6, 2)], server=[received(10, 0), closed, received(16, 2)])
    assert [each.fate for each in packets(story)] == [Fate.ARRIVED, Fate.LOST, Fate.ARRIVED]
    story = story_of(client=[sent(0, 0), sent(5, 1)], server=[received(10, 0), closed])
    assert [each.fate for each in packets(story)] == [Fate.ARRIVED, Fate.UNKNOWN]


def test_what_is_lost_at_the_end_is_missing_if_the_receiver_s_log_goes_on() -> None:
    idle = Event(9000, "metrics_updated", {})
    story = story_of(client=[sent(0, 0), sent(5, 1)], server=[received(10, 0), idle])
    assert [each.fate for each in packets(story)] == [Fate.ARRIVED, Fate.LOST]


def test_a_packet_that_came_and_was_dropped_did_arrive() -> None:
    dropped = Event(10, "packet_dropped", {"header": {"packet_type": "handshake"}, "raw": {"length": 77}})
    client = [sent(0, 0, kind="handshake", size=77), sent(5, 1)]
    story = story_of(client=client, server=[dropped, received(15, 1)])
    assert [each.fate for each in packets(story)] == [Fate.ARRIVED, Fate.ARRIVED]
    assert any(isinstance(row, Note) and row.text.startswith("drops Handshake 0 of 77 bytes") for row in story.rows)


def test_a_retry_answers_the_first_flight_of_which_the_server_knows_nothing() -> None:
    retry = Event(10, "packet_received", {"header": {"packet_type": "retry"}})
    client = [sent(0, 0, kind="initial"), retry, sent(11, 1, kind="initial")]
    story = story_of(client=client, server=[received(16, 1, kind="initial")])
    assert [(each.name, each.fate) for each in packets(story)] == [
        ("Initial 0", Fate.ARRIVED),
        ("Retry", Fate.ARRIVED),
        ("Initial 1", Fate.ARRIVED),
    ]


def test_recovery_is_that_of_the_sender_when_it_sent() -> None:
    story = story_of(
        client=[
            sent(0, 0),
            Event(0, "metrics_updated", {"congestion_window": 12000, "bytes_in_flight": 100, "smoothed_rtt": 333.0}),
            Event(20, "metrics_updated", {"congestion_window": 6000, "latest_rtt": 20.0, "smoothed_rtt": 20.0}),
            sent(21, 1),
            sent(22, 2),
        ]
    )
    assert [each.recovery for each in packets(story)] == [
        Recovery(12000, 100, None),  # an RTT that nobody has measured is none
        Recovery(6000, 100, 20.0),
        Recovery(6000, 100, 20.0),
    ]
    assert [row.text for row in story.rows if isinstance(row, Note)] == ["congestion window 12,000 → 6,000 bytes"]


def test_new_keys_stand_before_the_packets_that_they_protect() -> None:
    before, after = sent(0, 0), sent(10, 1)
    after.data["header"]["key_phase"] = 1
    told = Event(10, "key_updated", {"trigger": "local_update", "key_phase": 1})
    rows = story_of(client=[before, after, told, sent(11, 2)]).rows
    assert [type(row) for row in rows] == [Packet, Note, Packet, Packet]


def test_a_clock_that_is_behind_is_set() -> None:
    server = [event._replace(time=event.time - 500) for event in SERVER_LOG]
    (conversation,) = pair([Log("client", "aa", CLIENT_LOG), Log("server", "bb", server)])
    assert conversation.shift == pytest.approx(499, abs=1)
    assert [each.fate for each in packets(conversation.story())][:3] == FATES[:3]
    assert all(each.arrival is None or each.arrival >= each.time for each in packets(conversation.story()))


def test_logs_are_paired_by_their_connection() -> None:
    logs = [Log(role, name, [sent(0, 0)]) for name in ("aa", "bb") for role in (CLIENT, SERVER)]
    assert [(each.connection, sorted(each.logs)) for each in pair(logs)] == [
        ("aa", [CLIENT, SERVER]),
        ("bb", [CLIENT, SERVER]),
    ]
    assert len(pair([logs[0], logs[0], logs[2]])) == 3


def test_data_that_is_sent_again_in_other_pieces() -> None:
    client = [sent(0, 0, stream(0, 10)), sent(1, 1, stream(10, 20)), sent(2, 2, stream(5, 25))]
    first, second, third = packets(story_of(client=[*client, sent(3, 3, stream(18, 22))]))[:3]
    assert third.again == [Again(Span(0, 5, 10), first), Again(Span(0, 10, 20), second)]
    last = packets(story_of(client=[*client, sent(3, 3, stream(18, 22)), sent(4, 4, stream(0, 5, 4))]))[3:]
    assert [(each.span, each.first.number) for each in last[0].again] == [(Span(0, 18, 20), 1), (Span(0, 20, 22), 2)]
    assert last[1].again == []


@pytest.mark.parametrize("value", [None, 7, "x", [], [7], {"packet_type": []}, {"packet_number": "x"}])
@pytest.mark.parametrize("name", ["sent", "received", "lost", "dropped"])
def test_fields_that_make_no_sense_break_nothing(name: str, value: object) -> None:
    strange = Event(1, f"packet_{name}", dict.fromkeys(("header", "frames", "raw", "details", "retry_token"), value))
    story_of(client=[sent(0, 0), strange, packet("sent", 2, 1)], server=[strange])
