"""That the schema finds what is wrong, and that its tables say what the drafts do."""

from __future__ import annotations

from typing import Any

import pytest

from tests.observe.cddl import table_of
from tests.observe.qlog_schema import EVENTS, FRAMES, event_problems, frame_problems, problems

HEAD = {
    "file_schema": "urn:ietf:params:qlog:file:sequential",
    "serialization_format": "application/qlog+json-seq",
    "qlog_format": "JSON-SEQ",
    "qlog_version": "0.3",
    "trace": {"vantage_point": {"type": "client"}, "event_schemas": ["urn:ietf:params:qlog:events:quic-13"]},
}
SENT = {"header": {"packet_type": "1RTT", "packet_number": 7}, "frames": [{"frame_type": "ping"}]}


def test_what_is_right_has_no_problem() -> None:
    assert event_problems("transport:packet_sent", SENT) == []
    assert problems([HEAD, {"time": 1.5, "name": "transport:packet_sent", "data": SENT}]) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"header": {"packet_number": 7}}, "transport:packet_sent.header.packet_type is missing"),
        ({"header": {"packet_type": "2RTT"}}, "transport:packet_sent.header.packet_type is not"),
        ({"header": {"packet_type": "1RTT", "packet_number": -1}}, "transport:packet_sent.header.packet_number is no"),
        ({"header": {"packet_type": "1RTT", "dcid": "ABC"}}, "transport:packet_sent.header.dcid is not"),
        ({"frames": {}}, "transport:packet_sent.frames is no list"),
        ({"frames": [{"frame_type": "pong"}]}, "frame pong is no frame"),
        ({"frames": [{"frame_type": "max_data"}]}, "frame max_data.maximum is missing"),
        ({"frames": [{"frame_type": "max_data", "maximum": "7"}]}, "frame max_data.maximum is no uint64"),
        ({"fancy": 1}, "transport:packet_sent.fancy is in no draft"),
        ({"raw": 7}, "transport:packet_sent.raw is no object"),
    ],
)
def test_what_is_wrong_is_found(change: dict[str, Any], problem: str) -> None:
    found = event_problems("transport:packet_sent", SENT | change)
    assert found
    assert all(each.startswith(problem) for each in found)


def test_a_field_that_only_one_draft_has_is_right() -> None:
    crypto = {"frame_type": "crypto", "offset": 0, "length": 3, "raw": {"length": 3}}
    assert frame_problems(crypto) == []
    assert frame_problems({name: crypto[name] for name in crypto if name != "raw"}) == [
        "frame crypto.raw is missing (newest)"
    ]
    assert frame_problems({name: crypto[name] for name in crypto if name != "length"}) == [
        "frame crypto.length is missing (0.3)"
    ]


@pytest.mark.parametrize("name", HEAD)
def test_a_head_without_a_field_is_found(name: str) -> None:
    assert problems([{field: value for field, value in HEAD.items() if field != name}]) != []


def test_the_order_of_time_is_looked_at() -> None:
    events = [{"time": time, "name": "transport:packet_sent", "data": SENT} for time in (2, 1)]
    assert problems([HEAD, *events]) == ["transport:packet_sent at 1 is out of order"]


def test_an_event_that_nobody_knows_is_found() -> None:
    assert event_problems("transport:party", {}) == ["transport:party is no event that is written"]
    assert len(EVENTS) == len(set(EVENTS))
    assert len(FRAMES) == 22


def test_a_table_is_made_from_definitions() -> None:
    draft = """
Text.

~~~ cddl
Colour = "red" / "blue"   ; no more
Base = { ? title: text }
Thing = {
    ~Base
    colour: Colour
    ? sizes: [+ uint16], ; a list
    * $$thing-extension
    * text => any
}
hex = text .regexp "[0-9a-f]*"
$Open = { * text => any }
~~~

~~~ json
{}
~~~
"""
    assert table_of(draft, '~~~ cddl\nColour /= "green"\n~~~\n') == {
        "Colour": {"one of": [{"one of": [{"is": "red"}, {"is": "blue"}]}, {"is": "green"}]},
        "Base": {"fields": {"?title": "text"}},
        "Thing": {"fields": {"~Base": "any", "colour": "Colour", "?sizes": ["uint16"], "*": "any"}},
        "hex": {"matches": "[0-9a-f]*"},
        "$Open": {"fields": {"*": "any"}},
    }


@pytest.mark.parametrize("text", ["Thing", "Thing = {", "Thing = { a b }", "Thing ? text"])
def test_what_is_no_definition_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|not defined"):
        table_of(f"~~~ cddl\n{text}\n~~~\n")
