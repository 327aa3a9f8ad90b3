"""Logs written by hand, for the tests of the diagrams."""

from __future__ import annotations

from typing import Any

from quicmini.study.trace.logs import Event, Log
from quicmini.study.trace.pairing import pair
from quicmini.study.trace.rows import Packet
from quicmini.study.trace.story import Story

Fields = dict[str, Any]


def stream(start: int, stop: int, stream_id: int = 0) -> Fields:
    return {"frame_type": "stream", "stream_id": stream_id, "offset": start, "length": stop - start}


def ack(*ranges: list[int]) -> Fields:
    return {"frame_type": "ack", "acked_ranges": list(ranges)}


def packet(name: str, time: float, number: int, *frames: Fields, kind: str = "1RTT", size: int = 100) -> Event:
    header = {"packet_type": kind, "packet_number": number}
    return Event(time, f"packet_{name}", {"header": header, "frames": list(frames), "raw": {"length": size}})


def sent(time: float, number: int, *frames: Fields, **header: Any) -> Event:
    return packet("sent", time, number, *frames, **header)


def received(time: float, number: int, *frames: Fields, **header: Any) -> Event:
    return packet("received", time, number, *frames, **header)


def lost(time: float, number: int) -> Event:
    return packet("lost", time, number)


def story_of(**events: list[Event]) -> Story:
    """Of the logs of the sides that are named."""
    (conversation,) = pair(Log(side, "aa", found) for side, found in events.items())
    return conversation.story()


def packets(story: Story) -> list[Packet]:
    return [row for row in story.rows if isinstance(row, Packet)]
