"""qlog in the forms in which it is written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from quicmini.study.trace.logs import Event, Log, LogError, read_logs

SENT = {"header": {"packet_type": "1RTT", "packet_number": 1}}


def head(**common: Any) -> dict[str, Any]:
    return {"vantage_point": {"type": "client"}, "common_fields": {"ODCID": "aabb", **common}}


def records(*found: object, head_: dict[str, Any] | None = None) -> list[object]:
    return [{"qlog_version": "0.3", "trace": head() if head_ is None else head_}, *found]


def event(time: object, name: str = "transport:packet_sent") -> dict[str, Any]:
    return {"time": time, "name": name, "data": SENT}


WHOLE = json.dumps({"qlog_version": "0.3", "traces": [head() | {"events": [event(1), event(2.5)]}]})
SEQUENCE = "".join(f"\x1e{json.dumps(record)}\n" for record in records(event(1), event(2.5)))
LINES = "".join(f"{json.dumps(record)}\n" for record in records(event(1), event(2.5)))


@pytest.mark.parametrize("text", [WHOLE, SEQUENCE, LINES], ids=["JSON", "JSON-SEQ", "NDJSON"])
def test_three_forms_of_the_same(text: str) -> None:
    assert read_logs(text) == [Log("client", "aabb", [Event(1, "packet_sent", SENT), Event(2.5, "packet_sent", SENT)])]


@pytest.mark.parametrize("text", [SEQUENCE, LINES], ids=["JSON-SEQ", "NDJSON"])
def test_a_file_that_is_being_written_ends_with_the_last_whole_event(text: str) -> None:
    (log,) = read_logs(text[:-20])
    assert [event.time for event in log.events] == [1]


@pytest.mark.parametrize(
    ("common", "times"),
    [
        ({}, [1, 2.5]),
        ({"time_format": "absolute"}, [1, 2.5]),
        ({"time_format": "relative", "reference_time": 1000}, [1001, 1002.5]),
        ({"time_format": "relative", "reference_time": "1000"}, [1001, 1002.5]),
        ({"time_format": "delta", "reference_time": 1000}, [1001, 1003.5]),
        (
            {
                "time_format": "relative_to_epoch",
                "reference_time": {"clock_type": "monotonic", "wall_clock_time": "1970-01-01T00:00:02+00:00"},
            },
            [2001, 2002.5],
        ),
        ({"time_format": "relative_to_previous_event", "reference_time": {"epoch": "unknown"}}, [1, 3.5]),
    ],
)
def test_times(common: dict[str, Any], times: list[float]) -> None:
    text = "\n".join(map(json.dumps, records(event(1), event("2.5"), head_=head(**common))))
    (log,) = read_logs(text)
    assert [event.time for event in log.events] == times


def test_what_is_no_event_is_left_out() -> None:
    broken = [5, [], {}, event("soon"), event(True), {"time": 1, "name": 7}, event("1e999"), event(4)]
    (log,) = read_logs("\n".join(map(json.dumps, records(*broken))))
    assert [event.time for event in log.events] == [4]


def test_events_of_the_old_form_with_their_fields_named_once() -> None:
    trace = head() | {"event_fields": ["time", "event", "data"], "events": [[3, "packet_sent", SENT]]}
    assert read_logs(json.dumps({"traces": [trace]}))[0].events == [Event(3, "packet_sent", SENT)]


def test_the_words_of_older_drafts() -> None:
    trace = {
        "vantage_point": {"type": "SERVER"},
        "common_fields": {"ODCID": "aa", "reference_time": "5"},
        "event_fields": ["relative_time", "CATEGORY", "EVENT_TYPE", "DATA"],
        "events": [["3", "TRANSPORT", "PACKET_SENT", SENT]],
    }
    assert read_logs(json.dumps({"traces": [trace]})) == [Log("server", "aa", [Event(3, "packet_sent", SENT)])]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no JSON"),
        ("hello", "no JSON"),
        ("{}", 'no "traces"'),
        ("[1]", 'no "traces"'),
        ('{"a": 1}\n{"b": 2}', "vantage_point"),
        ("[]\n[]", "does not describe a trace"),
        ("\x1e{]\n\x1e{}", "first record"),
        ("hello\nworld", "first record"),
        (json.dumps({"traces": [head() | {"events": []}]}), "no event"),
        (json.dumps({"traces": [{"events": []}]}), "vantage_point"),
        ("[" * 100_000, "too deeply"),
    ],
)
def test_what_is_no_qlog_is_said(text: str, sentence: str) -> None:
    with pytest.raises(LogError, match=sentence):
        read_logs(text)
