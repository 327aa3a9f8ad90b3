"""What the streams tell the layer above, in the order in which it happened."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["StreamEvent", "StreamFinished", "StreamOpened", "StreamReadable", "StreamWritable", "StreamsAvailable"]


class StreamOpened(NamedTuple):
    """The peer opened a stream; streams of one type come in the order of their IDs (RFC 9000 §3.2)."""

    stream_id: int


class StreamReadable(NamedTuple):
    """A read has something to say: data, the end of the stream, or its reset. Posted again only after a read."""

    stream_id: int


class StreamWritable(NamedTuple):
    """After a write that was refused in whole or in part: there is room again, or the next write raises."""

    stream_id: int


class StreamFinished(NamedTuple):
    """Both directions are over, delivered and acknowledged: nothing is left of the stream, its ID is of no more use."""

    stream_id: int


class StreamsAvailable(NamedTuple):
    """After an open that was refused: the peer allows more streams of this type now (RFC 9000 §4.6)."""

    unidirectional: bool


StreamEvent = StreamOpened | StreamReadable | StreamWritable | StreamFinished | StreamsAvailable
